//! What lies along one dimension of the search space, and the kernels over it.

use libm::{erfc, exp, log};
use rand::{Rng, RngExt};

use crate::space::{Config, Slot, Space};

/// The most values of a number that are looked at one by one.
const MOST_STEPS: u64 = 256;

/// One dimension. A *coordinate* along it is a place in the unit interval, or the index of a choice.
#[derive(Debug)]
pub(super) struct Dimension {
    /// The parameter's slot.
    pub(super) slot: usize,
    /// What its values are.
    pub(super) values: Values,
}

/// The values along a dimension.
#[derive(Debug)]
pub(super) enum Values {
    /// Numbers, the places of two neighbours about that far apart (0 where there is no step).
    Fine(f64),
    /// A few numbers, in order, each with its bin.
    Steps(Box<[Bin]>),
    /// Values without order.
    Choices(Box<[Bin]>),
}

/// A value's part of the unit interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bin {
    pub(super) middle: f64,
    pub(super) width: f64,
}

impl Dimension {
    /// All dimensions of a space, in order.
    pub(super) fn all(space: &Space) -> Vec<Self> {
        let mut dimensions: Vec<Self> = Vec::with_capacity(space.dimensions());
        for (slot, parameter) in space.parameters().iter().enumerate() {
            if parameter.constant.is_some() {
                continue;
            }
            let values = match space.count(slot) {
                None => Values::Fine(0.0),
                Some(count) if parameter.categorical.is_none() && count > MOST_STEPS => Values::Fine(1.0 / count as f64),
                Some(count) => {
                    let bins = bins(space, slot, dimensions.len(), count);
                    if parameter.categorical.is_some() {
                        Values::Choices(bins)
                    } else {
                        Values::Steps(bins)
                    }
                }
            };
            dimensions.push(Self { slot, values });
        }
        dimensions
    }

    /// The coordinate of a configuration whose place in the unit interval is `unit`.
    pub(super) fn coordinate(&self, config: &Config, unit: f64) -> f64 {
        match (&self.values, config.0.get(self.slot)) {
            (Values::Choices(_), Some(Slot::Choice(index))) => f64::from(*index),
            (Values::Choices(_), _) => 0.0,
            _ => unit,
        }
    }

    /// The place in the unit interval of a coordinate.
    pub(super) fn unit(&self, coordinate: f64) -> f64 {
        match &self.values {
            Values::Choices(bins) => bins.get(coordinate as usize).map_or(0.5, |bin| bin.middle),
            _ => coordinate,
        }
    }

    /// The coordinate at a place of the unit interval.
    pub(super) fn at(&self, unit: f64) -> f64 {
        match &self.values {
            Values::Fine(_) => unit,
            Values::Steps(bins) => bins.get(index(bins, unit)).map_or(unit, |bin| bin.middle),
            Values::Choices(bins) => index(bins, unit) as f64,
        }
    }

    pub(super) fn is_choice(&self) -> bool {
        matches!(self.values, Values::Choices(_))
    }
}

fn index(bins: &[Bin], unit: f64) -> usize {
    bins.partition_point(|bin| bin.middle + 0.5 * bin.width <= unit)
        .min(bins.len().saturating_sub(1))
}

/// The bins of a parameter with that many values.
fn bins(space: &Space, slot: usize, dimension: usize, count: u64) -> Box<[Bin]> {
    let mut slots = vec![Slot::Inactive; space.parameters().len()];
    let mut unit = vec![0.0; space.dimensions()];
    let mut edge = 0.0;
    (0..count)
        .map(|value| {
            slots[slot] = space.nth(slot, value);
            space.encode(&Config(slots.clone().into()), &mut unit);
            let middle = unit[dimension];
            let width = 2.0 * (middle - edge);
            edge += width;
            Bin { middle, width }
        })
        .collect()
}

/// The mass in the unit interval of a normal distribution around `middle`.
pub(super) fn mass(middle: f64, deviation: f64) -> f64 {
    let below = middle / deviation;
    let above = (1.0 - middle) / deviation;
    let tail = |z: f64| {
        if z > 5.0 {
            0.0
        } else {
            0.5 * erfc(z * std::f64::consts::FRAC_1_SQRT_2)
        }
    };
    1.0 - tail(below) - tail(above)
}

/// ln of what a normal kernel around `middle` has to be divided by.
pub(super) fn log_norm(values: &Values, middle: f64, deviation: f64) -> f64 {
    const ROOT_TWO_PI: f64 = 2.506_628_274_631_000_2;
    match values {
        Values::Steps(bins) if bins.iter().any(|bin| bin.width > 0.5 * deviation) => {
            let factor = 0.5 / (deviation * deviation);
            log(bins
                .iter()
                .map(|bin| {
                    let away = bin.middle - middle;
                    bin.width * exp(-factor * away * away)
                })
                .sum::<f64>())
        }
        _ => log(ROOT_TWO_PI * deviation * mass(middle, deviation)),
    }
}

/// A standard normal number.
pub(super) fn normal(rng: &mut impl Rng) -> f64 {
    loop {
        let (x, y): (f64, f64) = (2.0 * rng.random::<f64>() - 1.0, 2.0 * rng.random::<f64>() - 1.0);
        let square = x * x + y * y;
        if square < 1.0 && square > 0.0 {
            return x * libm::sqrt(-2.0 * log(square) / square);
        }
    }
}

/// A number of the normal distribution cut to the unit interval.
pub(super) fn cut_normal(rng: &mut impl Rng, middle: f64, deviation: f64) -> f64 {
    for _ in 0..16 {
        let unit = middle + deviation * normal(rng);
        if (0.0..1.0).contains(&unit) {
            return unit;
        }
    }
    rng.random()
}
