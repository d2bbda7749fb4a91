//! Configurations as points of the unit cube, and which of them are good.

use std::cmp::Ordering;

use super::dimension::Dimension;
use crate::{
    sampler::{Observation, Outcome},
    space::{Config, Slot, Space},
};

/// A configuration in the unit cube.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    /// Its place along each dimension.
    pub(super) places: Box<[f64]>,
    /// Which dimensions' parameters are active.
    pub(super) active: Box<[bool]>,
}

impl Point {
    pub(super) fn new(space: &Space, dimensions: &[Dimension], config: &Config) -> Self {
        let mut places = vec![0.5; dimensions.len()].into_boxed_slice();
        space.encode(config, &mut places);
        let is_active =
            |dimension: &Dimension| config.0.get(dimension.slot).is_some_and(|slot: &Slot| slot.is_active());
        Self {
            places,
            active: dimensions.iter().map(is_active).collect(),
        }
    }

    /// An order of points, whatever it is: so that sums do not depend on the order of the history.
    fn order(&self, other: &Self) -> Ordering {
        let places = self.places.iter().zip(&other.places);
        places
            .map(|(one, other)| one.total_cmp(other))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| self.active.cmp(&other.active))
    }
}

/// A point, and how much it counts.
pub(super) type Weighted<'a> = (&'a Point, f64);

/// What is known of the objective.
#[derive(Debug)]
pub(super) struct Known {
    /// Finished trials, the best first.
    values: Vec<(f64, Point)>,
    failed: Vec<Point>,
    pending: Vec<Point>,
}

impl Known {
    pub(super) fn new(space: &Space, dimensions: &[Dimension], history: &[Observation<'_>]) -> Self {
        let mut values = Vec::with_capacity(history.len());
        let (mut failed, mut pending) = (Vec::new(), Vec::new());
        for trial in history {
            let point = Point::new(space, dimensions, trial.config);
            match trial.outcome {
                // + 0.0 turns -0.0 into 0.0
                Outcome::Value(value) if value < f64::INFINITY => values.push((value + 0.0, point)),
                Outcome::Value(_) | Outcome::Failed => failed.push(point),
                Outcome::Pending => pending.push(point),
            }
        }
        values.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.order(&other.1)));
        failed.sort_unstable_by(Point::order);
        pending.sort_unstable_by(Point::order);
        Self {
            values,
            failed,
            pending,
        }
    }

    /// The good points and the bad ones. Good are a tenth of those that have a value, at least one and at most 25; of several that are equally good
    /// and of which only some would be among them, each is good in part and bad in part.
    /// Of the bad ones that have ended, at most so many stand for all.
    /// Failed trials are bad, and so are those under way: a constant liar that keeps the next proposal away from them.
    pub(super) fn split(&self, most: usize) -> (Vec<Weighted<'_>>, Vec<Weighted<'_>>) {
        let count = self.values.len().div_ceil(10).min(25);
        let last = count.checked_sub(1).and_then(|last| self.values.get(last));
        let (from, to) = last.map_or((0, 0), |(limit, _)| {
            (
                self.values.partition_point(|(value, _)| value < limit),
                self.values.partition_point(|(value, _)| value <= limit),
            )
        });
        let share = (count - from) as f64 / (to - from).max(1) as f64;
        let good = |at: usize| match at {
            _ if at < from => 1.0,
            _ if at < to => share,
            _ => 0.0,
        };
        let weighted = |weight: &dyn Fn(usize) -> f64| -> Vec<Weighted<'_>> {
            let all = self
                .values
                .iter()
                .enumerate()
                .map(|(at, (_, point))| (point, weight(at)));
            all.filter(|(_, weight)| *weight > 0.0).collect()
        };
        let mut bad = weighted(&|at| 1.0 - good(at));
        bad.extend(self.failed.iter().map(|point| (point, 1.0)));
        let mut bad = thinned(bad, most);
        bad.extend(self.pending.iter().map(|point| (point, 1.0)));
        (weighted(&good), bad)
    }

    /// The points where trials did not fail, and those where they did, at most so many of each.
    pub(super) fn failures(&self, most: usize) -> (Vec<Weighted<'_>>, Vec<Weighted<'_>>) {
        let well = self.values.iter().map(|(_, point)| (point, 1.0));
        let failed = self.failed.iter().map(|point| (point, 1.0));
        (thinned(well.collect(), most), thinned(failed.collect(), most))
    }
}

/// At most `most` of these, evenly from first to last, each for as many as it stands for.
fn thinned(points: Vec<Weighted<'_>>, most: usize) -> Vec<Weighted<'_>> {
    if points.len() <= most {
        return points;
    }
    let each = points.len() as f64 / most as f64;
    let chosen = (0..most).filter_map(|i| points.get(i * points.len() / most));
    chosen.map(|(point, weight)| (*point, weight * each)).collect()
}
