//! The constants of an update, which follow from how many individuals it has and from the dimension (Hansen 2016, table 1).

/// The constants of one update.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    /// Of each rank, best first: positive for the better half, which sum to 1, then negative ones.
    pub(super) ranks: Vec<f64>,
    /// How many individuals the positive weights amount to.
    pub(super) effective: f64,
    /// How fast the path of the step size forgets.
    pub(super) step_memory: f64,
    /// How strongly the step size is held back.
    pub(super) damping: f64,
    /// How fast the path of the covariance forgets.
    pub(super) path_memory: f64,
    /// How much of the covariance one update takes from the path.
    pub(super) rank_one: f64,
    /// How much of the covariance one update takes from its individuals.
    pub(super) rank_many: f64,
    /// How long a path is expected to be.
    pub(super) expected_length: f64,
}

impl Weights {
    /// The constants for `count` individuals, at least 2, in `dimensions`, at least 1.
    pub(super) fn new(count: usize, dimensions: usize) -> Self {
        let (n, d) = (count as f64, dimensions as f64);
        let raw: Vec<f64> = (1..=count)
            .map(|rank| ((n + 1.0) / 2.0).ln() - (rank as f64).ln())
            .collect();
        let sum = |of: &dyn Fn(f64) -> f64| raw.iter().map(|&w| of(w)).sum::<f64>();
        let positive = sum(&|w| w.max(0.0));
        let negative = sum(&|w| (-w).max(0.0));
        let effective = positive.powi(2) / sum(&|w| w.max(0.0).powi(2));
        let effective_negative = negative.powi(2) / sum(&|w| w.min(0.0).powi(2));
        let step_memory = (effective + 2.0) / (d + effective + 5.0);
        let rank_one = 2.0 / ((d + 1.3).powi(2) + effective);
        let rank_many =
            (2.0 * (0.25 + effective + 1.0 / effective - 2.0) / ((d + 2.0).powi(2) + effective)).min(1.0 - rank_one);
        // the sum of the negative weights: no more than keeps the covariance positive definite
        let against = (1.0 + rank_one / rank_many)
            .min(1.0 + 2.0 * effective_negative / (effective_negative + 2.0))
            .min((1.0 - rank_one - rank_many) / (d * rank_many))
            .max(0.0);
        let scaled = |w: f64| if w > 0.0 { w / positive } else { against * w / negative };
        Self {
            ranks: raw.iter().map(|&w| scaled(w)).collect(),
            effective,
            step_memory,
            damping: 1.0 + 2.0 * (((effective - 1.0) / (d + 1.0)).max(0.0).sqrt() - 1.0).max(0.0) + step_memory,
            path_memory: (4.0 + effective / d) / (d + 4.0 + 2.0 * effective / d),
            rank_one,
            rank_many,
            expected_length: d.sqrt() * (1.0 - 1.0 / (4.0 * d) + 1.0 / (21.0 * d * d)),
        }
    }
}

/// The weights of individuals with these values, which rise: equal values share theirs evenly, so that it does not matter which of them comes first.
/// For each, what it counts for the mean (nothing below 0), and for the covariance.
pub(super) fn shared(weights: &[f64], values: &[f64]) -> Vec<(f64, f64)> {
    let mut shared = Vec::with_capacity(values.len());
    for equal in values.chunk_by(|a, b| a == b) {
        let places = weights
            .get(shared.len()..shared.len() + equal.len())
            .unwrap_or_default();
        let count = equal.len() as f64;
        let mean = places.iter().map(|w| w.max(0.0)).sum::<f64>() / count;
        let covariance = places.iter().sum::<f64>() / count;
        shared.extend(std::iter::repeat_n((mean, covariance), equal.len()));
    }
    shared
}
