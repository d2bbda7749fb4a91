//! Objective values as the model sees them: with mean 0 and deviation 1, very bad ones cut, and where that is far more likely, as logarithms.

use nalgebra::DVector;

use super::{
    fit::{Shape, fit},
    points::Points,
};

/// Values are cut where they are so many times farther from the least than their median is: how bad a bad trial is says little about good ones.
const CUT: f64 = 1000.0;

/// How many points decide whether logarithms are taken, and how many looks each fit may take for that.
const DECIDING: (usize, usize) = (40, 12);

/// How much more likely, as the difference of the logarithm for each point, logarithms have to be to be taken.
const DECISIVE: f64 = 1.0;

/// `raw` values at `points`, both sorted by the values, as the model sees them.
pub(super) fn response(raw: &[f64], points: &Points, shape: Shape) -> DVector<f64> {
    let plain = cut(raw);
    if is_logarithmic(&plain, points, shape) {
        standardise(&logarithms(&plain)).0
    } else {
        plain
    }
}

/// The sorted values standardised, the worst cut: before anything is divided by the greatest, beside which all others might be nothing.
fn cut(raw: &[f64]) -> DVector<f64> {
    let least = raw[0];
    let middle = raw[raw.len() / 2..].iter().find(|value| **value > least);
    let most = middle.map_or(least, |middle| least + CUT * (middle - least));
    // where that is no number, all are about as large as numbers get
    let most = if most.is_finite() { most } else { f64::MAX };
    let values = DVector::from_iterator(raw.len(), raw.iter().map(|value| value.min(most)));
    let greatest = values.amax();
    // so that no square overflows
    standardise(&(values / if greatest > 0.0 { greatest } else { 1.0 })).0
}

/// The values with mean 0 and deviation 1 (all 0 where they do not differ), and their deviation before.
fn standardise(values: &DVector<f64>) -> (DVector<f64>, f64) {
    let centred = values.add_scalar(-values.mean());
    let deviation = libm::sqrt(centred.norm_squared() / values.len() as f64);
    if deviation > 1e-13 {
        (centred / deviation, deviation)
    } else {
        (DVector::zeros(values.len()), 1.0)
    }
}

/// The logarithms of what sorted values are above the least, which is taken to be below itself by the distance to the median.
fn logarithms(values: &DVector<f64>) -> DVector<f64> {
    let least = values[0];
    let below = (values[values.len() / 2] - least).max(1e-6);
    values.map(|value| libm::log(value - least + below))
}

/// Whether logarithms are what a Gaussian process would far more likely give (the density of the values under either, Snelson et al., "Warped Gaussian Processes", 2003).
fn is_logarithmic(values: &DVector<f64>, points: &Points, shape: Shape) -> bool {
    let (most, looks) = DECIDING;
    let some = evenly(values.len(), most);
    if some.len() < 5 {
        return false;
    }
    let points = points.some(&some);
    let (plain, _) = standardise(&DVector::from_iterator(some.len(), some.iter().map(|&i| values[i])));
    let logarithms = logarithms(&plain);
    let (warped, deviation) = standardise(&logarithms);
    let count = some.len() as f64;
    let jacobian = logarithms.sum() + count * libm::log(deviation);
    let (_, as_they_are) = fit(&points, &plain, looks, shape);
    let (_, as_logarithms) = fit(&points, &warped, looks, shape);
    as_logarithms + jacobian < as_they_are - DECISIVE * count
}

/// At most `most` of the indices below `count`, evenly spaced, the first and the last among them.
pub(super) fn evenly(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    (0..most).map(|i| i * (count - 1) / (most - 1).max(1)).collect()
}
