//! The values of a `double` with a step: `min`, `min + step`, `min + 2 step`, ... `max`, without the noise of binary fractions.

/// 10 to the power of the index, each exact in a double.
const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// The greatest integer up to which every integer is a double.
pub(super) const EXACT: u64 = 1 << 53;

/// A finite arithmetic sequence of doubles.
#[derive(Debug)]
pub(super) struct Lattice {
    min: f64,
    max: f64,
    step: f64,
    /// The index of `max`; at least 1.
    last: u64,
    /// `min` and `step` as integers over a common power of ten, where all values have such integers below 2^53:
    /// then one exact division gives the double nearest to the decimal.
    decimal: Option<(i64, i64, f64)>,
}

/// Why there is no lattice.
#[derive(Debug, PartialEq)]
pub(super) enum Misfit {
    /// `max - min` is no multiple of `step`; this greatest value would fit.
    Step(f64),
    /// More than 2^53 values.
    TooMany,
}

impl Lattice {
    /// All arguments finite, `min < max`, `step > 0`.
    pub(super) fn new(min: f64, max: f64, step: f64) -> Result<Self, Misfit> {
        let quotient = (max - min) / step;
        if quotient.is_nan() || quotient >= EXACT as f64 {
            return Err(Misfit::TooMany);
        }
        let last = quotient.round().max(1.0);
        let mut lattice = Self {
            min,
            max: f64::INFINITY,
            step,
            last: last as u64,
            decimal: decimals(min, step, last),
        };
        let reached = lattice.value(lattice.last);
        let tolerance = (1e-9 * quotient).min(0.01).max(quotient * f64::EPSILON * 4.0);
        if reached != max && (quotient - last).abs() > tolerance {
            return Err(Misfit::Step(reached));
        }
        lattice.max = max;
        Ok(lattice)
    }

    /// The index of the greatest value.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn min(&self) -> f64 {
        self.min
    }

    pub(super) fn max(&self) -> f64 {
        self.max
    }

    pub(super) fn step(&self) -> f64 {
        self.step
    }

    /// The value with that index.
    pub(super) fn value(&self, index: u64) -> f64 {
        if index == 0 {
            return self.min;
        }
        if index >= self.last && self.max.is_finite() {
            return self.max;
        }
        match self.decimal {
            // + 0.0 turns -0.0 into 0.0
            Some((min, step, scale)) => (min + step * index.cast_signed()) as f64 / scale + 0.0,
            None => self.rounded(self.min + self.step * index as f64),
        }
    }

    /// `value`, or the number with 15 digits that is as good as the same.
    fn rounded(&self, value: f64) -> f64 {
        match format!("{value:.14e}").parse::<f64>() {
            Ok(short) if (short - value).abs() <= self.step * 1e-9 => short + 0.0,
            _ => value + 0.0,
        }
    }

    /// The index of the value nearest to `value`.
    pub(super) fn nearest(&self, value: f64) -> u64 {
        // `as` saturates: below 0 is 0
        (((value - self.min) / self.step).round() as u64).min(self.last)
    }

    /// The index of `value`, which may be off by rounding; `None` where it is not one of the values.
    pub(super) fn index(&self, value: f64) -> Option<u64> {
        let index = self.nearest(value);
        let off = (self.value(index) - value).abs();
        (off == 0.0 || off <= self.step * 1e-9 || (off <= value.abs() * 4.0 * f64::EPSILON && off < self.step / 2.0))
            .then_some(index)
    }
}

/// `min` and `step` as integers over a common power of ten, where they and all values up to `last` have such below 2^53.
fn decimals(min: f64, step: f64, last: f64) -> Option<(i64, i64, f64)> {
    let ((min_digits, min_exponent), (step_digits, step_exponent)) = (decimal(min)?, decimal(step)?);
    let places = min_exponent.min(step_exponent).min(0);
    let scale = *POWERS_OF_TEN.get(usize::try_from(-places).ok()?)?;
    let whole = |digits: i64, exponent: i32| {
        10i64
            .checked_pow(u32::try_from(exponent - places).ok()?)
            .and_then(|power| digits.checked_mul(power))
    };
    let (min, step) = (whole(min_digits, min_exponent)?, whole(step_digits, step_exponent)?);
    let greatest = (min as f64).abs().max((min as f64 + step as f64 * last).abs());
    (greatest < EXACT as f64 && (step as f64) < EXACT as f64).then_some((min, step, scale))
}

/// The shortest decimal that reads back as `value`: digits and exponent of ten.
fn decimal(value: f64) -> Option<(i64, i32)> {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits = mantissa.replace('.', "").parse().ok()?;
    Some((digits, exponent - i32::try_from(places).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    fn values(min: f64, max: f64, step: f64) -> Vec<f64> {
        let lattice = Lattice::new(min, max, step).unwrap();
        (0..=lattice.last()).map(|i| lattice.value(i)).collect()
    }

    #[test]
    fn steps_are_the_decimals_that_people_mean() {
        assert_eq!(values(0.1, 0.5, 0.1), [0.1, 0.2, 0.3, 0.4, 0.5]);
        assert_eq!(values(-0.3, 0.3, 0.1), [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]);
        assert_eq!(values(1e-30, 3e-30, 1e-30), [1e-30, 2e-30, 3e-30]);
        assert_eq!(values(1e300, 3e300, 1e300), [1e300, 2e300, 3e300]);
        assert_eq!(
            values(0.0, 1.0, 0.333333333333),
            [0.0, 0.333333333333, 0.666666666666, 1.0]
        );
        assert_eq!(values(0.0, 20.0, 10.0), [0.0, 10.0, 20.0]);
        assert!(
            values(-0.3, 0.3, 0.1)
                .iter()
                .all(|v| v.to_bits() != (-0.0f64).to_bits())
        );
    }

    #[test]
    fn offers_the_nearest_greatest_value_that_fits() {
        let fit = |min, max, step| Lattice::new(min, max, step).unwrap_err();
        assert_eq!(fit(0.0, 1.0, 0.3), Misfit::Step(0.9));
        assert_eq!(fit(0.1, 1.0, 0.35), Misfit::Step(1.15));
        assert_eq!(fit(0.0, 1.0, 5.0), Misfit::Step(5.0));
        assert_eq!(fit(0.0, 1.0, 1e-17), Misfit::TooMany);
        assert_eq!(fit(0.0, 1.0, f64::MIN_POSITIVE), Misfit::TooMany);
    }

    proptest! {
        #[test]
        fn every_value_has_its_own_index(min in -1e6..1e6f64, digits in 0..9i32, step in 1..1000i64, count in 1u64..100_000, at in 0.0..1.0f64) {
            let scale = 10f64.powi(digits);
            let (min, step) = ((min * scale).round() / scale, step as f64 / scale);
            let max = min + step * count as f64;
            let Ok(lattice) = Lattice::new(min, max, step) else { return Ok(()); };
            prop_assert_eq!(lattice.last(), count);
            let index = (at * count as f64) as u64;
            prop_assert_eq!(lattice.index(lattice.value(index)), Some(index));
            prop_assert!(index == 0 || lattice.value(index - 1) < lattice.value(index));
            prop_assert_eq!(lattice.value(0), min);
            prop_assert_eq!(lattice.value(count), max);
            prop_assert_eq!(lattice.index(min + step * (index as f64 + 0.4)), None);
        }
    }
}
