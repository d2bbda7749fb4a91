//! What lies along one dimension of the search space, and the kernels over it.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use libm::{erfc, exp, log, sqrt};
use rand::{Rng, RngExt};

use crate::space::{Config, Slot, Space};

/// The most values of a number that are looked at one by one; more are as good as a continuum.
const MOST_STEPS: u64 = 128;

/// One dimension of the unit cube.
#[derive(Debug)]
pub(super) struct Dimension {
    /// The slot of its parameter.
    pub(super) slot: usize,
    /// The values of its parameter.
    pub(super) values: Values,
}

/// What values a dimension has. All are known by their place in the unit interval, where the prior is even.
#[derive(Debug)]
pub(super) enum Values {
    /// Numbers without steps, or with steps of about that width.
    Numbers(f64),
    /// A few numbers or ordinal values: their bins, in order.
    Steps(Box<[Bin]>),
    /// Values without order: their bins.
    Choices(Box<[Bin]>),
}

/// A value's part of the unit interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bin {
    /// The place that `Space::encode` gives the value.
    pub(super) middle: f64,
    /// How likely the value is before anything is known.
    pub(super) width: f64,
}

impl Dimension {
    /// All dimensions of a space, in order.
    pub(super) fn all(space: &Space) -> Vec<Self> {
        let varying = space.parameters().iter().enumerate();
        varying
            .filter(|(_, parameter)| parameter.constant.is_none())
            .enumerate()
            .map(|(dimension, (slot, parameter))| {
                let values = match space.count(slot) {
                    Some(count) if parameter.categorical.is_some() => {
                        Values::Choices(bins(space, slot, dimension, count))
                    }
                    Some(count) if count <= MOST_STEPS => Values::Steps(bins(space, slot, dimension, count)),
                    count => Values::Numbers(count.map_or(0.0, |count| 1.0 / count as f64)),
                };
                Self { slot, values }
            })
            .collect()
    }

    /// How wide the bin at that place is; 0 where there is a continuum.
    pub(super) fn width(&self, place: f64) -> f64 {
        match &self.values {
            Values::Numbers(step) => *step,
            Values::Steps(bins) | Values::Choices(bins) => {
                let next = bins.partition_point(|bin| bin.middle < place);
                bins.get(next).or(bins.last()).map_or(1.0, |bin| bin.width)
            }
        }
    }

    /// ln of what divides exp(-(place - middle)² / (2 deviation²)) so that it is a density over this dimension's values.
    pub(super) fn log_normalizer(&self, middle: f64, deviation: f64) -> f64 {
        match &self.values {
            // as long as the bins are narrow, sums over them are as good as the integral
            Values::Steps(bins) if bins.iter().any(|bin| bin.width > 0.5 * deviation) => {
                let factor = -0.5 / (deviation * deviation);
                let terms = bins.iter().map(|bin| {
                    let away = bin.middle - middle;
                    bin.width * exp(factor * away * away)
                });
                log(terms.sum())
            }
            _ => log(sqrt(2.0 * PI) * deviation * (1.0 - tail(middle / deviation) - tail((1.0 - middle) / deviation))),
        }
    }
}

/// The bins of the parameter with that slot and dimension, which has `count` values.
fn bins(space: &Space, slot: usize, dimension: usize, count: u64) -> Box<[Bin]> {
    let mut config = Config(vec![Slot::Inactive; space.parameters().len()].into());
    let mut unit = vec![0.0; space.dimensions()];
    let mut edge = 0.0;
    (0..count)
        .map(|value| {
            config.0[slot] = space.nth(slot, value);
            space.encode(&config, &mut unit);
            let middle = unit[dimension];
            let width = 2.0 * (middle - edge);
            edge += width;
            Bin { middle, width }
        })
        .collect()
}

/// How likely a standard normal number is above `z`, which is not negative.
fn tail(z: f64) -> f64 {
    // what is left out is below 1e-8
    if z > 5.6 { 0.0 } else { 0.5 * erfc(z * FRAC_1_SQRT_2) }
}

/// A place of the normal distribution around `middle`, cut at the ends of the unit interval.
pub(super) fn draw_near(middle: f64, deviation: f64, rng: &mut impl Rng) -> f64 {
    // each is inside with a probability of about one half or more, unless the kernel is so wide that it is even
    for _ in 0..32 {
        let place = middle + deviation * standard_normal(rng);
        if (0.0..1.0).contains(&place) {
            return place;
        }
    }
    rng.random()
}

/// A standard normal number, by Marsaglia's polar method.
fn standard_normal(rng: &mut impl Rng) -> f64 {
    loop {
        let (x, y) = (2.0 * rng.random::<f64>() - 1.0, 2.0 * rng.random::<f64>() - 1.0);
        let square: f64 = x * x + y * y;
        if square > 0.0 && square < 1.0 {
            return x * sqrt(-2.0 * log(square) / square);
        }
    }
}
