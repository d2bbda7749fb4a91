//! The search for the point that is worth most: many candidates, then the best of them improved, numbers by the gradient and other values by trying their neighbours.

use std::f64::consts::PI;

use rand::{Rng, RngExt};

use super::{
    acquisition::Acquisition,
    features::{Features, Kind},
    minimize::{Smooth, minimize},
    posterior::normal,
    region::Region,
};
use crate::space::{Config, Space};

/// A number with at least so many values is improved as if it had no end of them.
const FINE: u64 = 30;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Candidates from anywhere.
    pub(super) anywhere: usize,
    /// Candidates near the best known points.
    pub(super) near: usize,
    /// How many candidates are improved.
    pub(super) improved: usize,
    /// How often the gradient is looked at for each.
    pub(super) steps: usize,
}

/// A point with what it is worth.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    unit: Vec<f64>,
    pub(super) config: Config,
    features: Vec<f64>,
    pub(super) worth: f64,
}

/// What is searched.
pub(super) struct Search<'a> {
    pub(super) space: &'a Space,
    pub(super) features: &'a Features,
    pub(super) acquisition: &'a Acquisition<'a>,
    pub(super) region: &'a Region,
    /// Whether a configuration may be proposed.
    pub(super) allows: &'a mut dyn FnMut(&Config) -> bool,
}

impl Search<'_> {
    /// The candidates, improved ones first, the best before all.
    pub(super) fn run(&mut self, known: &[&Config], effort: Effort, rng: &mut impl Rng) -> Option<Config> {
        let mut candidates = Vec::with_capacity(effort.anywhere + effort.near);
        for _ in 0..effort.anywhere {
            let unit = self.anywhere(rng);
            candidates.extend(self.candidate(unit));
        }
        let known: Vec<Vec<f64>> = known.iter().map(|config| self.unit(config)).collect();
        if !known.is_empty() {
            for i in 0..effort.near {
                let unit = self.neighbour(&known[i % known.len()], i / known.len(), rng);
                candidates.extend(self.candidate(unit));
            }
        }
        candidates.sort_by(|a, b| b.worth.total_cmp(&a.worth));
        candidates.truncate(effort.improved.max(1) * 4);
        let mut starts: Vec<Candidate> = Vec::new();
        for candidate in candidates {
            let is_apart = starts.iter().all(|other| distance(&other.unit, &candidate.unit) > 0.01);
            if starts.len() < effort.improved && (is_apart || starts.is_empty()) {
                starts.push(candidate);
            }
        }
        let improved = starts.into_iter().map(|start| self.improve(start, effort.steps));
        improved
            .max_by(|a, b| a.worth.total_cmp(&b.worth))
            .map(|best| best.config)
    }

    fn unit(&self, config: &Config) -> Vec<f64> {
        let mut unit = vec![0.5; self.space.dimensions()];
        self.space.encode(config, &mut unit);
        unit
    }

    /// The candidate at `unit`, unless it may not be proposed.
    fn candidate(&mut self, unit: Vec<f64>) -> Option<Candidate> {
        let config = self.space.decode(&unit);
        if !(self.allows)(&config) {
            return None;
        }
        let features = self.features.encode(self.space, &config);
        let worth = self.acquisition.value(&features);
        Some(Candidate {
            unit,
            config,
            features,
            worth,
        })
    }

    /// A point somewhere in the region.
    fn anywhere(&self, rng: &mut impl Rng) -> Vec<f64> {
        let Region { bounds, part, centre } = self.region;
        let coordinate = |(d, (low, high)): (usize, &(f64, f64))| {
            let moved = low + (high - low) * rng.random::<f64>();
            let category = matches!(self.features.dimensions[d].1, Kind::Category(_));
            match centre {
                Some(centre) if rng.random::<f64>() >= *part => centre[d],
                Some(_) if category => rng.random(),
                _ => moved,
            }
        };
        bounds.iter().enumerate().map(coordinate).collect()
    }

    /// A point near `unit`: some coordinates are moved, by less the higher `round` is.
    fn neighbour(&self, unit: &[f64], round: usize, rng: &mut impl Rng) -> Vec<f64> {
        let scale = [0.2, 0.05, 0.01][round % 3];
        let dimensions = unit.len().max(1);
        // about as often one coordinate as all of them
        let part = if round.is_multiple_of(2) {
            1.0
        } else {
            (2.0 / dimensions as f64).min(1.0)
        };
        let mut moved = unit.to_vec();
        let always = rng.random_range(0..dimensions);
        for (d, x) in moved.iter_mut().enumerate() {
            if d != always && rng.random::<f64>() >= part {
                continue;
            }
            let kind = self.features.dimensions[d].1;
            *x = match kind {
                Kind::Category(_) if d == always || rng.random::<f64>() < 0.2 => rng.random(),
                Kind::Category(_) => *x,
                Kind::Number(None) => reflect(*x + scale * normal(rng)),
                // at least about one value away
                Kind::Number(Some(count)) => reflect(*x + scale.max(0.7 / count as f64) * normal(rng)),
            };
        }
        moved
    }

    /// Improves a candidate.
    fn improve(&mut self, start: Candidate, steps: usize) -> Candidate {
        let mut best = self.climb(start, steps);
        for _ in 0..2 {
            let before = best.worth;
            best = self.try_neighbours(best);
            if best.worth <= before {
                break;
            }
            best = self.climb(best, steps / 2);
        }
        best
    }

    /// Follows the gradient in the numbers that have many values.
    fn climb(&mut self, start: Candidate, steps: usize) -> Candidate {
        let is_smooth = |&d: &usize| {
            !start.features[d].is_nan()
                && match self.features.dimensions[d].1 {
                    Kind::Number(count) => count.is_none_or(|count| count >= FINE),
                    Kind::Category(_) => false,
                }
        };
        let moving: Vec<usize> = (0..start.features.len()).filter(is_smooth).collect();
        if moving.is_empty() || steps == 0 {
            return start;
        }
        let hill = Hill {
            acquisition: self.acquisition,
            at: &start.features,
            moving: moving
                .iter()
                .map(|&d| (d, widened(self.region.bounds[d], start.features[d])))
                .collect(),
        };
        let from = hill
            .moving
            .iter()
            .map(|&(d, range)| to_angle(start.features[d], range))
            .collect();
        let (angles, _) = minimize(&hill, from, steps);
        let mut unit = start.unit.clone();
        for (&(d, range), angle) in hill.moving.iter().zip(&angles) {
            unit[d] = from_angle(*angle, range);
        }
        match self.candidate(unit) {
            Some(found) if found.worth > start.worth => found,
            _ => start,
        }
    }

    /// Tries other values of each parameter that has few, one parameter after the other.
    fn try_neighbours(&mut self, mut best: Candidate) -> Candidate {
        for d in 0..best.unit.len() {
            let (Kind::Number(Some(count)) | Kind::Category(count)) = self.features.dimensions[d].1 else {
                continue;
            };
            if best.features[d].is_nan() || count < 2 {
                continue;
            }
            let (slot, kind) = self.features.dimensions[d];
            let here = best
                .config
                .0
                .get(slot)
                .and_then(|value| self.space.position(slot, *value))
                .unwrap_or(0);
            let others: Vec<u64> = match kind {
                Kind::Category(_) => (0..count.min(20)).filter(|&other| other != here).collect(),
                Kind::Number(_) => [here.checked_sub(2), here.checked_sub(1), Some(here + 1), Some(here + 2)]
                    .into_iter()
                    .flatten()
                    .filter(|&other| other < count)
                    .collect(),
            };
            for other in others {
                let mut unit = best.unit.clone();
                unit[d] = self.space.unit(slot, self.space.nth(slot, other));
                if let Some(found) = self.candidate(unit)
                    && found.worth > best.worth
                {
                    best = found;
                }
            }
        }
        best
    }
}

/// The worth of points that differ in some coordinates, less being better, each coordinate as an angle so that it stays within its range.
struct Hill<'a> {
    acquisition: &'a Acquisition<'a>,
    at: &'a [f64],
    moving: Vec<(usize, (f64, f64))>,
}

impl Smooth for Hill<'_> {
    fn evaluate(&self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let mut point = self.at.to_vec();
        for (&(d, range), angle) in self.moving.iter().zip(x) {
            point[d] = from_angle(*angle, range);
        }
        let mut slope = vec![0.0; point.len()];
        let value = self.acquisition.value_with_slope(&point, &mut slope);
        for ((gradient, angle), &(d, (low, high))) in gradient.iter_mut().zip(x).zip(&self.moving) {
            *gradient = -slope[d] * 0.5 * (high - low) * libm::sin(*angle);
        }
        -value
    }
}

/// The hill of an acquisition, for tests: the function that gives its height and writes its slope.
#[cfg(test)]
pub(super) fn hill<'a>(
    acquisition: &'a Acquisition<'a>,
    at: &'a [f64],
    moving: Vec<(usize, (f64, f64))>,
) -> impl Fn(&[f64], &mut [f64]) -> f64 {
    let hill = Hill {
        acquisition,
        at,
        moving,
    };
    move |x, slope| hill.evaluate(x, slope)
}

/// The range with `x` in it.
fn widened((low, high): (f64, f64), x: f64) -> (f64, f64) {
    (low.min(x), high.max(x))
}

pub(super) fn from_angle(angle: f64, (low, high): (f64, f64)) -> f64 {
    low + (high - low) * (0.5 - 0.5 * libm::cos(angle))
}

/// The angle of a coordinate, never quite that of an end, where the slope is nothing.
pub(super) fn to_angle(x: f64, (low, high): (f64, f64)) -> f64 {
    let part = if high > low { (x - low) / (high - low) } else { 0.5 };
    libm::acos(1.0 - 2.0 * part).clamp(0.03, PI - 0.03)
}

/// Folds `x` back into [0, 1].
fn reflect(x: f64) -> f64 {
    let x = x.abs() % 2.0;
    if x > 1.0 { 2.0 - x } else { x }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}
