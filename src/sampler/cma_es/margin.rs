//! The margin of discrete coordinates (Hamano, Saito, Nomura and Shirakawa, "CMA-ES with Margin: Lower-Bounding Marginal Probability for Mixed-Integer Black-Box Optimization", GECCO 2022):
//! each keeps some probability of leaving the value that the mean lies at, so that none gets stuck.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use libm::erfc;
use statrs::function::erf::erfc_inv;

/// How likely a standard normal number is above `z`.
fn above(z: f64) -> f64 {
    0.5 * erfc(z * FRAC_1_SQRT_2)
}

/// What a standard normal number is above with probability `p`.
pub(super) fn exceeded(p: f64) -> f64 {
    SQRT_2 * erfc_inv(2.0 * p)
}

/// Mean and standard deviation of a coordinate whose mean lies between the edges `bin` of a value (those of the ends being 0 and 1), such that
/// other values have a probability of `margin`.
pub(super) fn correct(mean: f64, deviation: f64, bin: (f64, f64), margin: f64) -> (f64, f64) {
    let (low, high) = bin;
    let reach = exceeded(margin) * deviation;
    match (low > 0.0, high < 1.0) {
        (false, false) => (mean, deviation),
        // of the values at the ends it is enough that the mean comes near enough to the others
        (false, true) => (mean.max(high - reach), deviation),
        (true, false) => (mean.min(low + reach), deviation),
        (true, true) => between(mean, deviation, bin, margin / 2.0),
    }
}

/// The same for a value with neighbours on both sides, each of which shall have a probability of `margin`.
fn between(mean: f64, deviation: f64, (low, high): (f64, f64), margin: f64) -> (f64, f64) {
    let below = above((mean - low) / deviation);
    let beyond = above((high - mean) / deviation);
    if below >= margin && beyond >= margin {
        return (mean, deviation);
    }
    let middle = 1.0 - below - beyond;
    let (raised, lifted) = (below.max(margin), beyond.max(margin));
    let excess = 1.0 - raised - lifted - middle;
    let room = raised + middle + lifted - 3.0 * margin;
    let share = |side: f64| (side + excess * (side - margin) / room).clamp(margin, 0.5 - margin / 2.0);
    let (a, b) = (exceeded(share(raised)), exceeded(share(lifted)));
    ((low * b + high * a) / (a + b), (high - low) / (a + b))
}
