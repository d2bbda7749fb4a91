//! Parzen estimators: mixtures of kernels over the unit cube, one around each of some points, and a prior.

use libm::{exp, log, pow, sqrt};
use rand::{Rng, RngExt};

use super::{
    dimension::{Dimension, Values, draw_near},
    point::{Point, Weighted},
};

/// How many points the prior counts for.
const PRIOR: f64 = 1.0;

/// A kernel adds to a density only where its logarithm is not farther than this below the prior's: less would be lost in rounding.
const NEGLIGIBLE: f64 = 25.0;

/// The greatest logarithm of a kernel's density: sums of such are still numbers.
const GREATEST: f64 = 650.0;

/// The least share of a kernel over choices that goes to the prior: however often a choice was good, the others are still tried.
const LEAST_SHARE: f64 = 0.3;

/// How wide the kernels over numbers are, before that is reduced for their number (Scott's rule).
#[derive(Clone, Copy, Debug)]
pub(super) enum Bandwidth {
    /// That many times the standard deviation of the points, the prior among them.
    Spread { factor: f64, least: f64 },
    /// That part of the range.
    Range(f64),
}

/// A mixture of kernels and a prior. All densities are relative to the prior's, which is 1 everywhere.
#[derive(Debug)]
pub(super) struct Parzen<'a> {
    /// The prior's weight.
    prior: f64,
    groups: Vec<Group<'a>>,
}

/// The kernels around points with the same active parameters, which are the only ones that the points say anything of.
#[derive(Debug)]
struct Group<'a> {
    points: Vec<Weighted<'a>>,
    /// The sum of the points' weights.
    weight: f64,
    /// Along each dimension, what all kernels have in common.
    shapes: Vec<Shape>,
    /// For each point and each dimension, ln of the kernel's density in its middle.
    peaks: Vec<f64>,
    /// ln of each kernel's weight in the mixture.
    log_weights: Vec<f64>,
}

/// What kernels are along one dimension.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Even: the parameter is inactive.
    Even,
    /// Over numbers: a normal distribution, cut at the ends, over the values that there are.
    Normal { deviation: f64 },
    /// Over choices: the share of the prior; the rest is the point's own choice (Aitchison and Aitken).
    Choice { share: f64 },
}

impl<'a> Parzen<'a> {
    pub(super) fn new(dimensions: &[Dimension], points: &[Weighted<'a>], bandwidth: Bandwidth) -> Self {
        let total = PRIOR + points.iter().map(|(_, weight)| weight).sum::<f64>();
        let mut groups: Vec<Vec<Weighted<'a>>> = Vec::new();
        for point in points {
            match groups
                .iter_mut()
                .find(|group| group.first().is_some_and(|(first, _)| first.active == point.0.active))
            {
                Some(group) => group.push(*point),
                None => groups.push(vec![*point]),
            }
        }
        Self {
            prior: PRIOR / total,
            groups: groups
                .into_iter()
                .map(|points| Group::new(dimensions, points, total, bandwidth))
                .collect(),
        }
    }

    /// Draws a place along each dimension.
    pub(super) fn draw(&self, rng: &mut impl Rng, unit: &mut [f64]) {
        let kernel = self.draw_kernel(rng);
        for (at, unit) in unit.iter_mut().enumerate() {
            *unit = match kernel.map(|(group, point)| (group.shapes[at], point.places[at])) {
                Some((Shape::Normal { deviation }, middle)) => draw_near(middle, deviation, rng),
                Some((Shape::Choice { share }, middle)) if rng.random::<f64>() >= share => middle,
                _ => rng.random(),
            };
        }
    }

    /// Draws one of the kernels; none is the prior.
    fn draw_kernel(&self, rng: &mut impl Rng) -> Option<(&Group<'a>, &'a Point)> {
        let total = PRIOR / self.prior;
        let mut share = rng.random::<f64>() * total - PRIOR;
        if share < 0.0 {
            return None;
        }
        let group = self.groups.iter().find(|group| {
            let is_here = share < group.weight;
            if !is_here {
                share -= group.weight;
            }
            is_here
        })?;
        let point = group.points.iter().find(|(_, weight)| {
            share -= weight;
            share < 0.0
        });
        Some((group, point.or(group.points.last())?.0))
    }

    /// ln of the density at each of the points, over the parameters that are active there.
    pub(super) fn log_densities(&self, points: &[Point]) -> Vec<f64> {
        let mut sums = vec![self.prior; points.len()];
        let least = log(self.prior) - NEGLIGIBLE;
        for alike in points_alike(points) {
            for group in &self.groups {
                group.add_densities(points, &alike, least, &mut sums);
            }
        }
        sums.into_iter().map(log).collect()
    }
}

/// The indexes of points that have the same active parameters.
fn points_alike(points: &[Point]) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = Vec::new();
    for (at, point) in points.iter().enumerate() {
        match all
            .iter_mut()
            .find(|alike| alike.first().is_some_and(|&first| points[first].active == point.active))
        {
            Some(alike) => alike.push(at),
            None => all.push(vec![at]),
        }
    }
    all
}

impl<'a> Group<'a> {
    fn new(dimensions: &[Dimension], points: Vec<Weighted<'a>>, total: f64, bandwidth: Bandwidth) -> Self {
        let weight: f64 = points.iter().map(|(_, weight)| weight).sum();
        let active = points.first().map_or(&[][..], |(first, _)| &first.active);
        let count = active.iter().filter(|active| **active).count();
        let scott = pow(weight + PRIOR, -1.0 / (count as f64 + 4.0));
        let mut peaks = vec![0.0; points.len() * dimensions.len()];
        let mut shapes = vec![Shape::Even; dimensions.len()];
        for (at, dimension) in dimensions.iter().enumerate().filter(|(at, _)| active[*at]) {
            shapes[at] = Shape::new(dimension, at, &points, weight, scott, bandwidth);
            let mut known: (f64, f64) = (f64::NAN, 0.0);
            let mut table = Table::new(dimension);
            for ((point, _), peaks) in points.iter().zip(peaks.chunks_exact_mut(dimensions.len())) {
                let middle = point.places[at];
                if middle != known.0 {
                    known = (middle, table.peak(middle, shapes[at]));
                }
                peaks[at] = known.1;
            }
        }
        Self {
            log_weights: points.iter().map(|(_, weight)| log(weight / total)).collect(),
            points,
            weight,
            shapes,
            peaks,
        }
    }

    /// Adds the kernels' densities to the sums of those points, which have the same active parameters, unless their logarithm is below `least`.
    fn add_densities(&self, points: &[Point], alike: &[usize], least: f64, sums: &mut [f64]) {
        let Some(active) = alike.first().map(|&first| &points[first].active) else {
            return;
        };
        let (mut numbers, mut choices) = (Vec::new(), Vec::new());
        for (at, shape) in self.shapes.iter().enumerate().filter(|(at, _)| active[*at]) {
            match shape {
                Shape::Even => {}
                Shape::Normal { deviation } => numbers.push((at, 0.5 / (deviation * deviation))),
                Shape::Choice { share } => choices.push((at, log(*share))),
            }
        }
        let peaks = self.peaks.chunks_exact(self.shapes.len());
        for (((kernel, _), peaks), log_weight) in self.points.iter().zip(peaks).zip(&self.log_weights) {
            let used = numbers.iter().map(|(at, _)| at).chain(choices.iter().map(|(at, _)| at));
            let peak: f64 = log_weight + used.map(|&at| peaks[at]).sum::<f64>();
            for &point in alike {
                let places = &points[point].places;
                let mut exponent = peak;
                for &(at, factor) in &numbers {
                    let away = places[at] - kernel.places[at];
                    exponent -= factor * away * away;
                }
                for &(at, elsewhere) in &choices {
                    if places[at] != kernel.places[at] {
                        exponent += elsewhere - peaks[at];
                    }
                }
                if exponent > least {
                    sums[point] += exp(exponent.min(GREATEST));
                }
            }
        }
    }
}

impl Shape {
    /// The shape along the dimension `at`, which is active in all `points`; `weight` is the sum of theirs.
    fn new(
        dimension: &Dimension,
        at: usize,
        points: &[Weighted<'_>],
        weight: f64,
        scott: f64,
        bandwidth: Bandwidth,
    ) -> Self {
        if let Values::Choices(bins) = &dimension.values {
            // as if each choice had been seen once more
            let count = bins.len() as f64;
            return Self::Choice {
                share: (count / (count + weight + PRIOR)).max(LEAST_SHARE),
            };
        }
        let mean = |of: &dyn Fn(f64) -> f64, prior: f64| {
            let sum: f64 = points.iter().map(|(point, weight)| weight * of(point.places[at])).sum();
            (sum + PRIOR * prior) / (weight + PRIOR)
        };
        let deviation = match bandwidth {
            Bandwidth::Range(part) => part * scott,
            Bandwidth::Spread { factor, least } => {
                let center = mean(&|place| place, 0.5);
                let square = |place: f64| (place - center) * (place - center);
                let variance = mean(&square, square(0.5) + 1.0 / 12.0);
                (factor * sqrt(variance) * scott).max(least)
            }
        };
        // narrower than the steps, kernels would not reach from one value to the next
        let steps = points
            .iter()
            .map(|(point, weight)| weight * dimension.width(point.places[at]));
        Self::Normal {
            deviation: deviation.max(0.5 * steps.sum::<f64>() / weight),
        }
    }
}

/// The kernels' densities in their middles along one dimension, each worked out once.
struct Table<'a> {
    dimension: &'a Dimension,
    peaks: Vec<Option<f64>>,
}

impl<'a> Table<'a> {
    fn new(dimension: &'a Dimension) -> Self {
        let count = match &dimension.values {
            Values::Steps(bins) => bins.len(),
            _ => 0,
        };
        Self {
            dimension,
            peaks: vec![None; count],
        }
    }

    /// ln of the density in the middle of the kernel of that shape around `middle`.
    fn peak(&mut self, middle: f64, shape: Shape) -> f64 {
        match (shape, &self.dimension.values) {
            (Shape::Even, _) => 0.0,
            (Shape::Choice { share }, _) => log((1.0 - share) / self.dimension.width(middle) + share),
            (Shape::Normal { deviation }, Values::Steps(bins)) => {
                let place = bins.partition_point(|bin| bin.middle < middle);
                let work = || -self.dimension.log_normalizer(middle, deviation);
                self.peaks
                    .get_mut(place)
                    .map_or_else(work, |peak| *peak.get_or_insert_with(work))
            }
            (Shape::Normal { deviation }, _) => -self.dimension.log_normalizer(middle, deviation),
        }
    }
}
