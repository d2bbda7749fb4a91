//! How the unit interval is divided among the values of a discrete parameter: each value has a bin, `encode` gives its middle.

use libm::{exp, log};

use super::normal::Gaussian;

/// The greatest ratio of a value to the step on a log scale: finer steps cannot be told apart by one double in the unit interval.
pub(super) const MOST_ON_LOG: u64 = 1 << 40;

/// The greatest number of values whose bins are kept in a table.
pub(super) const MOST_IN_TABLE: u64 = 1 << 16;

/// From this many bins on, a bin's middle may round into its neighbour.
const ROUGH: u64 = 1 << 50;

/// The division of the unit interval among `0..=last`.
#[derive(Debug)]
pub(super) enum Bins {
    /// Bins of equal width; at most 2^53.
    Even {
        /// How many, exact.
        count: f64,
        /// The last index.
        last: u64,
    },
    /// Bins with edges at half steps between the values, on the logarithmic scale.
    Log {
        /// The value with index 0, above 0.
        first: f64,
        /// From one value to the next.
        step: f64,
        /// The last index.
        last: u64,
        /// The logarithm of the lower edge of all.
        low: f64,
        /// The logarithm of the upper edge of all, less `low`.
        width: f64,
    },
    /// Bins of any widths: the upper edge of each, rising, the last one 1.
    Table(Box<[f64]>),
}

impl Bins {
    /// Bins of equal width for `0..=last`, `last < 2^53`.
    pub(super) fn even(last: u64) -> Self {
        Self::Even {
            count: last as f64 + 1.0,
            last,
        }
    }

    /// Bins for the values `first + i * step`, even on the logarithmic scale. `first` and `step` are above 0, the last value at most [`MOST_ON_LOG`] steps.
    pub(super) fn log(first: f64, step: f64, last: u64) -> Self {
        // the first bin reaches half a step below its value, but never to 0
        let low = log((first - step / 2.0).max(first / 2.0));
        let high = log(first + step * (last as f64 + 0.5));
        Self::Log {
            first,
            step,
            last,
            low,
            width: high - low,
        }
    }

    /// Bins whose widths are in proportion to `weights` (each finite and not negative, one above 0). No bin is so narrow that it could not be hit.
    pub(super) fn weighted(weights: &[f64]) -> Self {
        let greatest = weights.iter().copied().fold(0.0, f64::max);
        let widths: Vec<f64> = weights.iter().map(|w| (w / greatest).max(1e-12)).collect();
        let total: f64 = widths.iter().sum();
        let mut sum = 0.0;
        let mut edges: Box<[f64]> = widths
            .iter()
            .map(|width| {
                sum += width;
                (sum / total).min(1.0)
            })
            .collect();
        if let Some(last) = edges.last_mut() {
            *last = 1.0;
        }
        Self::Table(edges)
    }

    /// Bins for the values `first + i * step`, each as wide as the normal distribution is likely there. `last` is below [`MOST_IN_TABLE`].
    pub(super) fn normal(first: f64, step: f64, last: u64, mean: f64, stddev: f64) -> Self {
        let weights: Vec<f64> = (0..=last)
            .map(|i| {
                let value = first + step * i as f64;
                Gaussian::mass(
                    (value - step / 2.0 - mean) / stddev,
                    (value + step / 2.0 - mean) / stddev,
                )
            })
            .collect();
        Self::weighted(&weights)
    }

    /// The index whose bin holds `unit`. Anything below 0 (and NaN) counts as 0, anything above 1 as 1.
    pub(super) fn index(&self, unit: f64) -> u64 {
        match *self {
            // `as` saturates, and turns NaN into 0
            Self::Even { count, last } => ((unit * count) as u64).min(last),
            Self::Log {
                first,
                step,
                last,
                low,
                width,
            } => (((exp(low + unit * width) - first) / step + 0.5) as u64).min(last),
            Self::Table(ref edges) => {
                let index = if edges.len() <= 8 {
                    edges.iter().take_while(|&&edge| edge <= unit).count()
                } else {
                    edges.partition_point(|&edge| edge <= unit)
                };
                index.min(edges.len().saturating_sub(1)) as u64
            }
        }
    }

    /// The middle of that index's bin; `index` of it is `index` again.
    pub(super) fn middle(&self, index: u64) -> f64 {
        match *self {
            Self::Even { count, last } => {
                let unit = (index as f64 + 0.5) / count;
                if last < ROUGH { unit } else { self.nudged(unit, index) }
            }
            Self::Log {
                first,
                step,
                low,
                width,
                ..
            } => {
                let (lower, upper) = around(first + step * index as f64, step);
                ((0.5 * log(lower * upper) - low) / width).clamp(0.0, 1.0)
            }
            Self::Table(_) => {
                let (lower, upper) = self.edges(index);
                0.5 * (lower + upper)
            }
        }
    }

    /// The lower and the upper edge of that index's bin.
    pub(super) fn edges(&self, index: u64) -> (f64, f64) {
        match *self {
            Self::Even { count, .. } => (index as f64 / count, (index as f64 + 1.0) / count),
            Self::Log {
                first,
                step,
                low,
                width,
                ..
            } => {
                let (lower, upper) = around(first + step * index as f64, step);
                let unit = |edge: f64| ((log(edge) - low) / width).clamp(0.0, 1.0);
                (unit(lower), unit(upper))
            }
            Self::Table(ref edges) => {
                let at = usize::try_from(index).unwrap_or(usize::MAX);
                let edge = |at: usize| edges.get(at).copied();
                let lower = at.checked_sub(1).and_then(edge).unwrap_or(0.0);
                (lower, edge(at).unwrap_or(1.0))
            }
        }
    }

    /// The double nearest to `unit` in that index's bin.
    fn nudged(&self, mut unit: f64, index: u64) -> f64 {
        for _ in 0..4 {
            match self.index(unit).cmp(&index) {
                std::cmp::Ordering::Less => unit = unit.next_up(),
                std::cmp::Ordering::Equal => break,
                std::cmp::Ordering::Greater => unit = unit.next_down(),
            }
        }
        unit
    }
}

/// Where the bin of `value` begins and ends on a logarithmic scale: half a step away, but never down to 0.
fn around(value: f64, step: f64) -> (f64, f64) {
    ((value - step / 2.0).max(value / 2.0), value + step / 2.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn weights_give_bins_of_proportional_width() {
        let Bins::Table(edges) = Bins::weighted(&[1.0, 2.0, 1.0]) else {
            panic!()
        };
        assert_eq!(*edges, [0.25, 0.75, 1.0]);
        let bins = Bins::weighted(&[1e-300, 1e300]);
        assert_eq!((bins.index(0.0), bins.index(1e-6), bins.index(1.0)), (0, 1, 1));
        assert_eq!(bins.index(bins.middle(0)), 0);
    }

    #[test]
    fn log_bins_end_at_half_steps() {
        // 1..=9 on a log scale: from 0.5 to 9.5
        let bins = Bins::log(1.0, 1.0, 8);
        let unit = |x: f64| (x.ln() - 0.5f64.ln()) / (9.5f64.ln() - 0.5f64.ln());
        for k in 0..8u64 {
            assert_eq!(bins.index(unit(k as f64 + 1.499)), k);
            assert_eq!(bins.index(unit(k as f64 + 1.501)), k + 1);
        }
    }

    #[test]
    fn any_number_has_a_bin() {
        for bins in [
            Bins::even(3),
            Bins::log(1.0, 1.0, 3),
            Bins::weighted(&[1.0, 2.0, 3.0, 4.0]),
            Bins::normal(0.0, 1.0, 3, 1.0, 0.1),
        ] {
            for (unit, index) in [
                (f64::NEG_INFINITY, 0),
                (-1.0, 0),
                (0.0, 0),
                (1.0, 3),
                (2.0, 3),
                (f64::INFINITY, 3),
            ] {
                assert_eq!(bins.index(unit), index, "{bins:?} {unit}");
            }
            assert!(bins.index(f64::NAN) <= 3);
        }
    }

    #[test]
    fn bins_lie_edge_to_edge() {
        for bins in [
            Bins::even(3),
            Bins::log(1.0, 1.0, 3),
            Bins::weighted(&[1.0, 2.0, 3.0, 4.0]),
            Bins::normal(0.0, 1.0, 3, 1.0, 0.1),
        ] {
            let edges: Vec<(f64, f64)> = (0..4).map(|index| bins.edges(index)).collect();
            assert_eq!((edges[0].0, edges[3].1), (0.0, 1.0), "{bins:?}");
            assert!(edges.windows(2).all(|pair| (pair[0].1 - pair[1].0).abs() < 1e-12));
            assert!((0..4).zip(&edges).all(|(i, (a, b))| (a..=b).contains(&&bins.middle(i))));
        }
    }

    proptest! {
        #[test]
        fn even(last in prop_oneof![1u64..100, 1..1u64 << 53], at in 0.0..1.0f64) {
            let index = (at * last as f64) as u64;
            for index in [index, 0, last] {
                let bins = Bins::even(last);
                prop_assert_eq!(bins.index(bins.middle(index)), index);
            }
        }

        #[test]
        fn log(last in prop_oneof![1u64..100, 1..MOST_ON_LOG], step in prop_oneof![Just(1.0), 1e-3..1e3f64], first in prop_oneof![Just(1.0), 1e-3..1e6f64], at in 0.0..1.0f64) {
            let bins = Bins::log(first, step, last);
            let index = (at.powi(3) * last as f64) as u64;
            for index in [index, 0, last] {
                prop_assert_eq!(bins.index(bins.middle(index)), index);
            }
        }

        #[test]
        fn table(weights in prop::collection::vec(prop_oneof![1e-300..1e300f64, 0.1..10.0f64], 1..300)) {
            let bins = Bins::weighted(&weights);
            for index in 0..weights.len() as u64 {
                prop_assert_eq!(bins.index(bins.middle(index)), index);
            }
        }

        #[test]
        fn normal(mean in -10.0..10.0f64, stddev in 1e-6..1e3f64, last in 1u64..5000) {
            let bins = Bins::normal(-5.0, 10.0 / last as f64, last, mean, stddev);
            for index in (0..=last).step_by(1 + last as usize / 50) {
                prop_assert_eq!(bins.index(bins.middle(index)), index);
            }
        }
    }
}
