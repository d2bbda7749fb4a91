//! Parzen estimators.

use libm::{exp, log, pow};
use rand::{Rng, RngExt};

use super::{
    dimension::{Dimension, Values, cut_normal, log_norm},
    knob,
};

/// A configuration's coordinates, and which are active.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) coordinates: Box<[f64]>,
    pub(super) active: Box<[bool]>,
}

/// Kernels of one pattern.
#[derive(Debug)]
struct Group {
    active: Box<[bool]>,
    /// Per dimension.
    deviations: Vec<f64>,
    factors: Vec<f64>,
    /// Per kernel.
    log_weights: Vec<f64>,
    /// Per kernel and dimension.
    middles: Vec<f64>,
    constants: Vec<f64>,
}

/// A mixture: a prior (density 1 everywhere) and kernels.
#[derive(Debug)]
pub(super) struct Parzen<'a> {
    dimensions: &'a [Dimension],
    prior: f64,
    groups: Vec<Group>,
    /// Cumulative weight of each kernel, with its group and place.
    cumulative: Vec<(f64, usize, usize)>,
}

pub(super) struct Widths {
    pub(super) mode: f64,
    pub(super) factor: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) choice: f64,
}

impl<'a> Parzen<'a> {
    pub(super) fn new(dimensions: &'a [Dimension], points: &[(&Point, f64)], prior: f64, widths: &Widths) -> Self {
        let total: f64 = prior + points.iter().map(|(_, weight)| weight).sum::<f64>();
        let mut patterns: Vec<(&[bool], Vec<(&Point, f64)>)> = Vec::new();
        for (point, weight) in points {
            match patterns.iter_mut().find(|(active, _)| *active == &*point.active) {
                Some((_, members)) => members.push((point, *weight)),
                None => patterns.push((&point.active, vec![(point, *weight)])),
            }
        }
        let mut cumulative = Vec::with_capacity(points.len());
        let mut sum = prior / total;
        let groups = patterns
            .into_iter()
            .enumerate()
            .map(|(at, (active, members))| {
                for (place, (_, weight)) in members.iter().enumerate() {
                    sum += weight / total;
                    cumulative.push((sum, at, place));
                }
                Group::new(dimensions, active, &members, total, widths)
            })
            .collect();
        Self {
            dimensions,
            prior: prior / total,
            groups,
            cumulative,
        }
    }

    /// Draws coordinates.
    pub(super) fn draw(&self, rng: &mut impl Rng, into: &mut [f64]) {
        let share = rng.random::<f64>();
        let at = self.cumulative.partition_point(|(upto, _, _)| *upto <= share);
        let kernel = if share < self.prior {
            None
        } else {
            self.cumulative.get(at).or(self.cumulative.last())
        };
        for (d, (dimension, coordinate)) in self.dimensions.iter().zip(into).enumerate() {
            *coordinate = match kernel {
                Some(&(_, group, place)) if self.groups[group].active[d] => {
                    let group = &self.groups[group];
                    let middle = group.middles[place * self.dimensions.len() + d];
                    group.near(dimension, d, middle, 1.0, rng)
                }
                _ => dimension.at(rng.random()),
            };
        }
    }

    /// Moves coordinates a little.
    pub(super) fn shake(&self, rng: &mut impl Rng, scale: f64, from: &[f64], into: &mut [f64]) {
        let Some(group) = self.groups.first() else {
            into.copy_from_slice(from);
            return;
        };
        for (d, (dimension, coordinate)) in self.dimensions.iter().zip(into).enumerate() {
            *coordinate = if group.active[d] {
                group.near(dimension, d, from[d], scale, rng)
            } else {
                from[d]
            };
        }
    }

    /// ln of the densities, relative to the prior's.
    pub(super) fn log_densities(&self, candidates: &Candidates) -> Vec<f64> {
        let n = self.dimensions.len();
        let mut sums = vec![self.prior; candidates.len()];
        let least = log(self.prior) - 23.0;
        let caps: Vec<f64> = self
            .dimensions
            .iter()
            .map(|d| if d.is_choice() { 1.0 } else { f64::INFINITY })
            .collect();
        for (active, members) in &candidates.patterns {
            for group in &self.groups {
                let factors: Vec<f64> = group
                    .factors
                    .iter()
                    .zip(active)
                    .map(|(factor, active)| if *active { *factor } else { 0.0 })
                    .collect();
                for ((log_weight, middles), constants) in group
                    .log_weights
                    .iter()
                    .zip(group.middles.chunks_exact(n))
                    .zip(group.constants.chunks_exact(n))
                {
                    let base = log_weight
                        + constants
                            .iter()
                            .zip(active)
                            .map(|(c, active)| if *active { *c } else { 0.0 })
                            .sum::<f64>();
                    for &member in members {
                        let x = &candidates.coordinates[member * n..(member + 1) * n];
                        let mut exponent = base;
                        for d in 0..n {
                            let away = x[d] - middles[d];
                            exponent -= factors[d] * (away * away).min(caps[d]);
                        }
                        if exponent > least {
                            sums[member] += exp(exponent.min(600.0));
                        }
                    }
                }
            }
        }
        sums.into_iter().map(log).collect()
    }
}

impl Group {
    fn new(dimensions: &[Dimension], active: &[bool], members: &[(&Point, f64)], total: f64, widths: &Widths) -> Self {
        let count = members.iter().map(|m| m.1).sum::<f64>().max(1.0);
        let numbers = active.iter().filter(|a| **a).count() as f64;
        let scott = pow(count + 1.0, -1.0 / (4.0 + numbers));
        let mut deviations = Vec::new();
        let mut factors = Vec::new();
        let mut constants = vec![0.0; members.len() * dimensions.len()];
        for (d, dimension) in dimensions.iter().enumerate() {
            if !active[d] {
                deviations.push(0.0);
                factors.push(0.0);
                continue;
            }
            if let Values::Choices(bins) = &dimension.values {
                let m = bins.len() as f64;
                // the share that goes to the prior
                let share = if widths.choice < 0.0 {
                    (m / (m + count + 1.0)).min(0.9)
                } else {
                    (widths.choice * scott).min(0.9)
                };
                deviations.push(share);
                let other = log(share);
                // the cap of the square of differences is 1; they share one factor where widths are the same
                let mean = log((1.0 - share) * m + share);
                factors.push(mean - other);
                for place in 0..members.len() {
                    constants[place * dimensions.len() + d] = mean;
                }
                continue;
            }
            let deviation = if widths.mode == 0.0 {
                widths.factor * scott
            } else {
                // standard deviation, the prior's among them
                let k = knob("PSEUDO", 1.0);
                let sum: f64 = members.iter().map(|m| m.1).sum::<f64>() + k;
                let mean = (members.iter().map(|m| m.1 * m.0.coordinates[d]).sum::<f64>() + 0.5 * k) / sum;
                let variance = (members
                    .iter()
                    .map(|m| m.1 * (m.0.coordinates[d] - mean) * (m.0.coordinates[d] - mean))
                    .sum::<f64>()
                    + k * (1.0 / 12.0 + (0.5 - mean) * (0.5 - mean)))
                    / sum;
                widths.factor * libm::sqrt(variance) * scott
            };
            let step = match &dimension.values {
                Values::Fine(step) => *step,
                Values::Steps(bins) => 1.0 / bins.len() as f64,
                Values::Choices(_) => 0.0,
            };
            let deviation = deviation
                .max(widths.least)
                .max(knob("STEPMIN", 0.5) * step)
                .min(widths.most.max(knob("STEPMIN", 0.5) * step));
            deviations.push(deviation);
            factors.push(0.5 / (deviation * deviation));
            let mut last = (f64::NAN, 0.0);
            for (place, (point, _)) in members.iter().enumerate() {
                let middle = point.coordinates[d];
                if middle != last.0 {
                    last = (middle, -log_norm(&dimension.values, middle, deviation));
                }
                constants[place * dimensions.len() + d] = last.1;
            }
        }
        Self {
            active: active.into(),
            deviations,
            factors,
            log_weights: members.iter().map(|m| log(m.1 / total)).collect(),
            middles: members.iter().flat_map(|m| m.0.coordinates.iter().copied()).collect(),
            constants,
        }
    }

    fn near(&self, dimension: &Dimension, d: usize, middle: f64, scale: f64, rng: &mut impl Rng) -> f64 {
        let deviation = self.deviations[d] * scale;
        match dimension.values {
            Values::Choices(_) if rng.random::<f64>() < deviation => dimension.at(rng.random()),
            Values::Choices(_) => middle,
            _ => dimension.at(cut_normal(rng, middle, deviation)),
        }
    }
}

/// Candidates.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    pub(super) coordinates: Vec<f64>,
    pub(super) patterns: Vec<(Vec<bool>, Vec<usize>)>,
    count: usize,
}

impl Candidates {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, coordinates: &[f64], active: &[bool]) {
        self.coordinates.extend_from_slice(coordinates);
        match self.patterns.iter_mut().find(|(a, _)| a == active) {
            Some((_, members)) => members.push(self.count),
            None => self.patterns.push((active.to_vec(), vec![self.count])),
        }
        self.count += 1;
    }
}
