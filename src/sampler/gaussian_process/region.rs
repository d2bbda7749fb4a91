//! The region that is searched: all, or in many dimensions a box around the best known point, which grows with success and shrinks with failure
//! (Eriksson et al., "Scalable Global Optimization via Local Bayesian Optimization", 2019).

use super::kernel::Kernel;

/// From more dimensions than this on, the search is local.
const MOST: usize = 10;

/// The box's side at first, at most, and the side at which it begins anew.
const SIDES: (f64, f64, f64) = (0.8, 1.6, 0.007_812_5);

/// How many trials in a row have to be better than all before for the box to grow.
const SUCCESSES: usize = 3;

/// How much better than all before a trial has to be to count as a success: that part of what the best is below the median.
/// Not of the best value itself, which depends on where the objective's 0 is.
const NOTICEABLE: f64 = 1e-3;

/// For each dimension the bounds of what is searched.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) bounds: Vec<(f64, f64)>,
    /// The part of the coordinates that a candidate differs in from the best point; 1 where the search is not local.
    pub(super) part: f64,
    /// The best point, where the search is local.
    pub(super) centre: Option<Vec<f64>>,
}

impl Region {
    /// The region for a study whose trials gave `values`, in the order of their numbers, the best at `centre` (in the unit cube).
    pub(super) fn new(kernel: &Kernel, centre: &[f64], values: &[f64], parallelism: u32) -> Self {
        let dimensions = centre.len();
        if dimensions <= MOST {
            return Self {
                bounds: vec![(0.0, 1.0); dimensions],
                part: 1.0,
                centre: None,
            };
        }
        let side = side(values, dimensions, parallelism);
        // longer where the function changes slowly, with the same volume
        let logs: Vec<f64> = kernel
            .product
            .iter()
            .map(|inverse| (-0.5 * libm::log(*inverse)).clamp(-2.0, 2.0))
            .collect();
        let mean = logs.iter().sum::<f64>() / dimensions as f64;
        let bounds = centre.iter().zip(&logs).map(|(x, log)| {
            let half = 0.5 * side * libm::exp(log - mean);
            ((x - half).clamp(0.0, 1.0), (x + half).clamp(0.0, 1.0))
        });
        Self {
            bounds: bounds.collect(),
            part: (20.0 / dimensions as f64).min(1.0),
            centre: Some(centre.to_vec()),
        }
    }
}

/// How far the least value lies below the median.
fn below_the_median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.first(), sorted.get(sorted.len() / 2)) {
        (Some(least), Some(middle)) => middle - least,
        _ => 0.0,
    }
}

/// The box's side after these values.
fn side(values: &[f64], dimensions: usize, parallelism: u32) -> f64 {
    let (first, most, least) = SIDES;
    let patience = dimensions.max(4).div_ceil(parallelism.max(1) as usize).max(4);
    let (mut side, mut best, mut successes, mut failures) = (first, f64::INFINITY, 0, 0);
    let noticeable = NOTICEABLE * below_the_median(values);
    for &value in values {
        if best.is_infinite() || value < best - noticeable {
            (successes, failures) = (successes + 1, 0);
        } else {
            (successes, failures) = (0, failures + 1);
        }
        best = best.min(value);
        if successes == SUCCESSES {
            (side, successes) = ((2.0 * side).min(most), 0);
        } else if failures == patience {
            (side, failures) = (side / 2.0, 0);
        }
        if side < least {
            side = first;
        }
    }
    side
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_objective_has_its_zero_does_not_matter() {
        let falling = |shift: f64| -> Vec<f64> { (0..30).map(|i| shift + f64::from(100 - i)).collect() };
        assert_eq!(side(&falling(0.0), 20, 1), side(&falling(1e6), 20, 1));
        assert_eq!(side(&falling(1e6), 20, 1), 1.6);
    }

    #[test]
    fn the_box_grows_with_success_and_shrinks_with_failure() {
        assert_eq!(side(&[], 20, 1), 0.8);
        assert_eq!(side(&[-1.0, -2.0, -3.0], 20, 1), 1.6);
        assert_eq!(side(&[1.0; 21], 20, 1), 0.4);
        assert_eq!(side(&[1.0; 6], 20, 10), 0.4);
        // it begins anew when it has become tiny
        assert_eq!(side(&[1.0; 141], 20, 1), 0.8);
    }
}
