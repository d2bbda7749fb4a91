//! What a point is worth: the logarithm of the expected improvement (Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization", 2023)
//! plus that of the probability that a trial does not fail there (Gelbart, Snoek and Adams, "Bayesian Optimization with Unknown Constraints", 2014).

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use super::posterior::Posterior;

/// Where trials do not fail.
#[derive(Debug)]
pub(super) struct Feasibility {
    /// Of 1 where a trial did not fail and -1 where it did, less `usual`.
    pub(super) model: Posterior,
    /// What is to be expected where nothing is known: the mean over all trials.
    pub(super) usual: f64,
}

/// What is asked of the models.
#[derive(Debug)]
pub(super) struct Acquisition<'a> {
    pub(super) objective: &'a Posterior,
    /// For each fantasy the value to improve upon.
    pub(super) best: Vec<f64>,
    pub(super) feasibility: Option<&'a Feasibility>,
}

impl Acquisition<'_> {
    /// The worth of `x`.
    pub(super) fn value(&self, x: &[f64]) -> f64 {
        let prediction = self.objective.predict(x);
        let worth = |(mean, best): (&f64, &f64)| improvement((best - mean) / prediction.deviation).0;
        let each: Vec<f64> = prediction.means.iter().zip(&self.best).map(worth).collect();
        let mut value = log_mean_exp(&each) + libm::log(prediction.deviation);
        if let Some(Feasibility { model, usual }) = self.feasibility {
            let prediction = model.predict(x);
            value += prospect((prediction.means[0] + usual) / prediction.deviation).0;
        }
        value
    }

    /// The worth of `x`, with its derivatives written to `slope`.
    pub(super) fn value_with_slope(&self, x: &[f64], slope: &mut [f64]) -> f64 {
        let (prediction, slopes) = self.objective.predict_with_slopes(x);
        let deviation = prediction.deviation;
        let z: Vec<f64> = prediction
            .means
            .iter()
            .zip(&self.best)
            .map(|(mean, best)| (best - mean) / deviation)
            .collect();
        let each: Vec<(f64, f64)> = z.iter().map(|z| improvement(*z)).collect();
        let values: Vec<f64> = each.iter().map(|(value, _)| *value).collect();
        let mean = log_mean_exp(&values);
        let mut value = mean + libm::log(deviation);
        for (d, slope) in slope.iter_mut().enumerate() {
            *slope = slopes.deviation[d] / deviation;
            for (s, (value, by)) in each.iter().enumerate() {
                let share = libm::exp(value - mean) / each.len() as f64;
                *slope += share * by * (-slopes.means[s][d] - z[s] * slopes.deviation[d]) / deviation;
            }
        }
        if let Some(Feasibility { model, usual }) = self.feasibility {
            let (prediction, slopes) = model.predict_with_slopes(x);
            let z = (prediction.means[0] + usual) / prediction.deviation;
            let (log, by) = prospect(z);
            value += log;
            for (d, slope) in slope.iter_mut().enumerate() {
                *slope += by * (slopes.means[0][d] - z * slopes.deviation[d]) / prediction.deviation;
            }
        }
        value
    }
}

fn log_mean_exp(values: &[f64]) -> f64 {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = values.iter().map(|value| libm::exp(value - greatest)).sum();
    greatest + libm::log(sum / values.len() as f64)
}

/// The logarithm of the normal distribution's density.
fn log_density(z: f64) -> f64 {
    -0.5 * (z * z + libm::log(TAU))
}

/// The normal distribution's cumulative probability.
fn cumulative(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// Below this the asymptotic series are exact to eight digits; above, the functions themselves are, in spite of what their differences lose.
const FAR: f64 = -20.0;

/// log(phi(z) + z Phi(z)), the expected improvement in deviations, and its derivative.
fn improvement(z: f64) -> (f64, f64) {
    if z > FAR {
        let (density, below) = (libm::exp(log_density(z)), cumulative(z));
        let improvement = density + z * below;
        (libm::log(improvement), below / improvement)
    } else {
        // the asymptotic series of Mills' ratio
        let s = 1.0 / (z * z);
        let series = s * (1.0 - s * (3.0 - s * (15.0 - s * 105.0)));
        let below = (1.0 - s * (1.0 - s * (3.0 - s * 15.0))) / -z;
        (log_density(z) + libm::log(series), below / series)
    }
}

/// How many deviations what is said of a point has to be above failing: where a trial is likelier to fail than one in twelve, the point is worth less and less.
/// The product of improvement and probability alone is not enough: where the objective is known well, there is so little to gain that any risk seems worth it.
const SURE: f64 = 1.4;

/// How much less it is worth, by the square of the deviations that are lacking. Improvements differ by as much where next to nothing is left to gain.
const RISK: f64 = 40.0;

/// What the prospect of not failing adds to a point's worth, and its derivative by `z`.
fn prospect(z: f64) -> (f64, f64) {
    let (log, by) = log_cumulative(z);
    let lacking = (SURE - z).max(0.0);
    (log - RISK * lacking * lacking, by + 2.0 * RISK * lacking)
}

/// log(Phi(z)) and its derivative.
fn log_cumulative(z: f64) -> (f64, f64) {
    if z > FAR {
        let below = cumulative(z);
        (libm::log(below), libm::exp(log_density(z)) / below)
    } else {
        let s = 1.0 / (z * z);
        let ratio = (1.0 - s * (1.0 - s * (3.0 - s * 15.0))) / -z;
        (log_density(z) + libm::log(ratio), 1.0 / ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_smooth_where_the_series_takes_over() {
        for function in [improvement as fn(f64) -> (f64, f64), log_cumulative] {
            for z in [FAR, -30.0, -8.0, -5.0, -1.0, 0.0, 3.0] {
                let h = 1e-4;
                let (low, high) = (function(z - h).0, function(z + h).0);
                let slope = function(z).1;
                assert!(
                    (high - low - 2.0 * h * slope).abs() < 2e-2 * h * slope.abs() + 1e-7,
                    "{z}: {low} {high} {slope}"
                );
            }
        }
        assert!((improvement(0.0).0 - 0.398_942_28_f64.ln()).abs() < 1e-7);
        assert!((log_cumulative(0.0).0 - 0.5f64.ln()).abs() < 1e-12);
    }
}
