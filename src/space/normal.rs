//! A normal distribution, cut at bounds or not.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use libm::erfc; // statrs' own is wrong from the 11th digit on
use statrs::function::erf::erfc_inv;

/// Nearest to the ends that a quantile of an end without bound goes: 8.1 standard deviations.
const END: f64 = f64::EPSILON / 2.0;

/// How far from the mean a range may begin, in standard deviations: the mass beyond is hardly a double.
pub(super) const FARTHEST: f64 = 35.0;

/// The normal distribution's cumulative distribution function, exact in the lower tail.
fn cumulative(z: f64) -> f64 {
    0.5 * erfc(-z * FRAC_1_SQRT_2)
}

/// Its inverse, exact in the lower tail.
fn quantile(p: f64) -> f64 {
    -SQRT_2 * erfc_inv(2.0 * p)
}

/// A normal distribution between two bounds, either of which may be infinite.
#[derive(Debug)]
pub(super) struct Gaussian {
    mean: f64,
    stddev: f64,
    min: f64,
    max: f64,
    /// Looked at in the mirror, so that the range lies in the lower tail, where numbers are finer.
    mirrored: bool,
    /// The (mirrored) distribution's mass below the range.
    below: f64,
    /// The mass in the range.
    mass: f64,
}

impl Gaussian {
    /// `mean` finite, `stddev` above 0, `min < max`; `None` where the range is farther than [`FARTHEST`] from the mean.
    pub(super) fn new(mean: f64, stddev: f64, min: f64, max: f64) -> Option<Self> {
        let (low, high) = ((min - mean) / stddev, (max - mean) / stddev);
        if low > FARTHEST || high < -FARTHEST {
            return None;
        }
        let mirrored = low + high > 0.0;
        let (low, high) = if mirrored { (-high, -low) } else { (low, high) };
        let below = cumulative(low);
        let mass = cumulative(high) - below;
        (mass > 0.0).then_some(Self {
            mean,
            stddev,
            min,
            max,
            mirrored,
            below,
            mass,
        })
    }

    /// How likely a standard normal number is between `low` and `high`, exact in both tails.
    pub(super) fn mass(low: f64, high: f64) -> f64 {
        let mass = if low > 0.0 {
            cumulative(-low) - cumulative(-high)
        } else {
            cumulative(high) - cumulative(low)
        };
        mass.max(0.0)
    }

    /// The value below which the share `unit` lies: `min` at 0, `max` at 1, finite always.
    pub(super) fn value(&self, unit: f64) -> f64 {
        if (unit <= 0.0 || unit.is_nan()) && self.min.is_finite() {
            return self.min;
        }
        if unit >= 1.0 && self.max.is_finite() {
            return self.max;
        }
        let unit = if unit.is_nan() { END } else { unit.clamp(END, 1.0 - END) };
        let share = if self.mirrored { 1.0 - unit } else { unit };
        let z = quantile((self.below + share * self.mass).clamp(f64::MIN_POSITIVE, 1.0 - END));
        let z = if self.mirrored { -z } else { z };
        (self.mean + self.stddev * z).clamp(self.min, self.max) + 0.0
    }

    /// The share that lies below `value`.
    pub(super) fn unit(&self, value: f64) -> f64 {
        if value <= self.min {
            return 0.0;
        }
        if value >= self.max {
            return 1.0;
        }
        let z = (value - self.mean) / self.stddev;
        let share = (cumulative(if self.mirrored { -z } else { z }) - self.below) / self.mass;
        (if self.mirrored { 1.0 - share } else { share }).clamp(0.0, 1.0)
    }

    pub(super) fn min(&self) -> f64 {
        self.min
    }

    pub(super) fn max(&self) -> f64 {
        self.max
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    const NO: f64 = f64::INFINITY;

    #[test]
    fn has_the_quantiles_of_the_normal_distribution() {
        let normal = Gaussian::new(10.0, 2.0, -NO, NO).unwrap();
        for (unit, z) in [
            (0.5, 0.0),
            (0.841_344_746_068_543, 1.0),
            (0.022_750_131_948_179_2, -2.0),
        ] {
            assert!((normal.value(unit) - (10.0 + 2.0 * z)).abs() < 1e-9);
            assert!(
                (normal.unit(10.0 + 2.0 * z) - unit).abs() < 1e-12,
                "{} {unit}",
                normal.unit(10.0 + 2.0 * z)
            );
        }
    }

    #[test]
    fn is_finite_at_the_ends_and_exact_at_bounds() {
        for (min, max) in [(-NO, NO), (0.0, NO), (-NO, 0.9), (0.0, 0.9)] {
            let normal = Gaussian::new(0.3, 0.1, min, max).unwrap();
            for unit in [
                0.0,
                1.0,
                f64::MIN_POSITIVE,
                1.0 - f64::EPSILON / 2.0,
                f64::NAN,
                -1.0,
                2.0,
            ] {
                let value = normal.value(unit);
                assert!(
                    value.is_finite() && (min..=max).contains(&value),
                    "{min} {max} {unit} {value}"
                );
            }
            assert!(min.is_infinite() || (normal.value(0.0) == min && normal.unit(min) == 0.0));
            assert!(max.is_infinite() || (normal.value(1.0) == max && normal.unit(max) == 1.0));
        }
    }

    #[test]
    fn is_fine_in_either_tail() {
        for sign in [1.0, -1.0] {
            let (min, max) = if sign > 0.0 { (12.0, 13.0) } else { (-13.0, -12.0) };
            let normal = Gaussian::new(0.0, 1.0, min, max).unwrap();
            let middle = normal.value(0.5);
            assert!((12.0..12.1).contains(&(middle * sign)), "{middle}");
            assert!((normal.unit(middle) - 0.5).abs() < 1e-9);
        }
        assert!(Gaussian::new(0.0, 1.0, 40.0, 50.0).is_none());
        assert!(Gaussian::new(0.0, 1.0, -50.0, -40.0).is_none());
    }

    proptest! {
        #[test]
        fn goes_and_comes_back(mean in -5.0..5.0f64, stddev in 0.1..10.0f64, low in -3.0..3.0f64, width in 0.1..5.0f64, unit in 0.0..1.0f64) {
            let (min, max) = (mean + low * stddev, mean + (low + width) * stddev);
            let normal = Gaussian::new(mean, stddev, min, max).unwrap();
            let value = normal.value(unit);
            prop_assert!((min..=max).contains(&value));
            prop_assert!((normal.unit(value) - unit).abs() < 1e-9);
            prop_assert!((normal.value(normal.unit(value)) - value).abs() < 1e-9 * stddev);
        }
    }
}
