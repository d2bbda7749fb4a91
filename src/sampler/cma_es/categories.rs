//! The distribution of a categorical parameter and how it learns, jointly with the numbers (Hamano et al., "CatCMA: Stochastic Optimization for Mixed-Category Problems", GECCO 2024):
//! the natural gradient moves the probabilities towards the values of the better individuals, and a margin keeps each possible.

/// The probabilities of a categorical parameter's values.
#[derive(Clone, Debug)]
pub(super) struct Categories {
    probabilities: Vec<f64>,
    /// The least of each.
    margin: f64,
}

impl Categories {
    /// With these probabilities at first. `parameters` is how many categorical ones there are: the more, the smaller the margin of each.
    pub(super) fn new(probabilities: Vec<f64>, parameters: usize) -> Self {
        let others = probabilities.len().saturating_sub(1).max(1) as f64;
        let margin = (1.0 - 0.73f64.powf(1.0 / parameters.max(1) as f64)) / others;
        let mut new = Self { probabilities, margin };
        new.keep_margin();
        new
    }

    /// The value that a number in [0, 1) stands for.
    pub(super) fn choose(&self, unit: f64) -> usize {
        let mut sum = 0.0;
        let chosen = self.probabilities.iter().position(|p| {
            sum += p;
            unit < sum
        });
        chosen.unwrap_or(self.probabilities.len().saturating_sub(1))
    }

    /// Moves by `rate` towards these values, each with its weight; the weights sum to 1 or less (where the parameter was inactive).
    pub(super) fn learn(&mut self, values: impl Iterator<Item = (usize, f64)>, rate: f64) {
        let mut total = 0.0;
        let mut gained = vec![0.0; self.probabilities.len()];
        for (value, weight) in values {
            total += weight;
            if let Some(gained) = gained.get_mut(value) {
                *gained += weight;
            }
        }
        for (p, gained) in self.probabilities.iter_mut().zip(gained) {
            *p += rate * (gained - total * *p);
        }
        self.keep_margin();
    }

    /// Raises what is below the margin, at the cost of what is above.
    fn keep_margin(&mut self) {
        let margin = self.margin;
        self.probabilities.iter_mut().for_each(|p| *p = p.max(margin));
        let sum: f64 = self.probabilities.iter().sum();
        let above: f64 = self.probabilities.iter().map(|p| p - margin).sum();
        if above > 0.0 {
            let excess = (sum - 1.0) / above;
            self.probabilities.iter_mut().for_each(|p| *p += excess * (margin - *p));
        }
    }
}
