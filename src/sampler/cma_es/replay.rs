//! The state of the strategy, from the history: nothing is kept between calls.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    CmaEs, MOST, REDRAWS,
    categories::Categories,
    gaussian::{Gaussian, Individual},
    layout::{Dimension, Layout},
    margin, normal, purpose,
    weights::{Weights, shared},
};
use crate::{
    sampler::{Context, Observation, Outcome},
    space::Config,
};

/// Where no coordinate spreads more than this part of its range, there is nothing left to find.
const SETTLED: f64 = 1e-8;

/// So many generations without any difference in a row are a plain.
const FLAT: usize = 3;

/// How far one generation moves the probabilities of categories.
const LEARNS: f64 = 0.3;

/// An own trial.
#[derive(Clone, Copy, Debug)]
struct Own<'a> {
    index: u64,
    config: &'a Config,
    /// `None` while it is pending; infinite where it failed.
    value: Option<f64>,
}

/// The strategy from one restart to the next.
#[derive(Debug)]
pub(super) struct Run {
    gaussian: Gaussian,
    categories: Vec<Categories>,
    population: usize,
    weights: Weights,
    restarts: u64,
    /// The first index of the generation that is under way.
    begin: u64,
    generations: usize,
    best: f64,
    since_best: usize,
    flat: usize,
}

/// What a trial gave: infinite where nothing of use.
fn value(outcome: Outcome) -> Option<f64> {
    match outcome {
        Outcome::Pending => None,
        Outcome::Failed => Some(f64::INFINITY),
        Outcome::Value(value) => Some(value),
    }
}

impl CmaEs {
    /// The state after all generations that are over.
    ///
    /// A generation has the trials of `population` indices in a row. It is over when all were asked for and half of them have ended (or when as many later ones have,
    /// whatever became of these): with many in flight an early lesson from a part is worth more than a whole one later, and no straggler holds up the rest. One after
    /// another, all have ended by then. What was drawn before that is drawn from the distribution before, and learned from as one of its own generation; a straggler
    /// that ends later takes its place in its generation then. So the state depends on the history alone, not on what was known when.
    pub(super) fn replay(&self, context: &Context<'_>, layout: &Layout<'_>, history: &[Observation<'_>]) -> Run {
        let mut own: Vec<Own<'_>> = history
            .iter()
            .filter(|trial| self.name.proposed(trial.origin))
            .filter_map(|trial| {
                Some(Own {
                    index: trial.origin.index?,
                    config: trial.config,
                    value: value(trial.outcome),
                })
            })
            .collect();
        own.sort_by_key(|trial| trial.index);
        let mut run = self.first_run(context, layout, history);
        let mut ended = own.iter().filter(|trial| trial.value.is_some()).count();
        let (mut begin, mut rest) = (0u64, &own[..]);
        loop {
            let end = begin.saturating_add(run.population as u64);
            let (generation, later) = rest.split_at(rest.partition_point(|trial| trial.index < end));
            let done = generation.iter().filter(|trial| trial.value.is_some()).count();
            let is_asked = later
                .first()
                .or(generation.last())
                .is_some_and(|trial| trial.index + 1 >= end);
            ended -= done;
            if !is_asked || 2 * done < generation.len() && ended < run.population {
                return run;
            }
            run = self.next(run, context, layout, generation);
            (begin, rest) = (end, later);
            run.begin = end;
        }
    }

    /// The strategy at its start: at the best that others have found before its first trial (what is still running counts if nothing has ended), else unknown.
    fn first_run(&self, context: &Context<'_>, layout: &Layout<'_>, history: &[Observation<'_>]) -> Run {
        let first = history.iter().find(|trial| self.name.proposed(trial.origin));
        let first = first.map_or(context.number, |trial| trial.number);
        let rank = |trial: &&Observation<'_>| match trial.outcome {
            Outcome::Value(value) => value,
            _ => f64::INFINITY,
        };
        let best = history
            .iter()
            .filter(|trial| {
                trial.number < first && trial.outcome != Outcome::Failed && !self.name.proposed(trial.origin)
            })
            .min_by(|a, b| rank(a).total_cmp(&rank(b)));
        let mut run = self.run(layout, 0);
        if let Some(best) = best {
            run.start_at(layout, best.config);
        }
        run
    }

    /// The strategy in the middle of the space, its population doubled by each restart.
    fn run(&self, layout: &Layout<'_>, restarts: u64) -> Run {
        let doubled = self.population.saturating_mul(1 << restarts.min(16));
        let population = doubled.clamp(4, (MOST as usize).max(self.population));
        let numbers = layout.numbers().count();
        let count = layout.categories().count();
        Run {
            gaussian: Gaussian::new(vec![0.5; numbers], self.sigma),
            categories: layout
                .categories()
                .map(|category| Categories::new(layout.prior(category), count))
                .collect(),
            population,
            weights: Weights::new(population, numbers.max(1)),
            restarts,
            begin: 0,
            generations: 0,
            best: f64::INFINITY,
            since_best: 0,
            flat: 0,
        }
    }

    /// The strategy after that generation; begun anew at a random place where it has come to its end.
    fn next(&self, mut run: Run, context: &Context<'_>, layout: &Layout<'_>, generation: &[Own<'_>]) -> Run {
        let mut ranked: Vec<(f64, Own<'_>)> = generation
            .iter()
            .filter_map(|trial| Some((trial.value?, *trial)))
            .collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let restarts = run.restarts + 1;
        if run
            .learn(layout, &ranked, |index| self.rng(context, purpose::FILL, index))
            .is_some()
            && !run.is_over()
        {
            return run;
        }
        let mut run = self.run(layout, restarts);
        let mut rng = self.rng(context, purpose::RESTART, restarts);
        run.gaussian.mean.iter_mut().for_each(|mean| *mean = rng.random());
        run.keep_margin(layout);
        run
    }
}

impl Run {
    /// How many individuals a generation has now.
    #[cfg(test)]
    pub(super) fn population(&self) -> usize {
        self.population
    }

    /// Moves the mean to a configuration; what is inactive there stays in the middle.
    fn start_at(&mut self, layout: &Layout<'_>, config: &Config) {
        let point = layout.read(config);
        for (mean, number) in self.gaussian.mean.iter_mut().zip(point.numbers) {
            *mean = number.unwrap_or(*mean);
        }
        for (categories, value) in self.categories.iter_mut().zip(point.categories) {
            categories.learn(value.map(|value| (value, 1.0)).into_iter(), LEARNS);
        }
        self.keep_margin(layout);
    }

    /// Learns from a generation's trials, the best first. `None` where the distribution is spoilt.
    fn learn(&mut self, layout: &Layout<'_>, ranked: &[(f64, Own<'_>)], rng: impl Fn(u64) -> ChaCha8Rng) -> Option<()> {
        self.generations += 1;
        let (Some((best, _)), Some((worst, _))) = (ranked.first(), ranked.last()) else {
            return Some(());
        };
        self.since_best = if *best < self.best { 0 } else { self.since_best + 1 };
        self.best = self.best.min(*best);
        self.flat = if best == worst { self.flat + 1 } else { 0 };
        if best == worst {
            return Some(());
        }
        let fresh;
        let weights = if ranked.len() == self.population {
            &self.weights
        } else {
            fresh = Weights::new(ranked.len(), self.gaussian.dimensions().max(1));
            &fresh
        };
        let values: Vec<f64> = ranked.iter().map(|(value, _)| *value).collect();
        let shared = shared(&weights.ranks, &values);
        let points: Vec<_> = ranked.iter().map(|(_, trial)| layout.read(trial.config)).collect();
        for (at, categories) in self.categories.iter_mut().enumerate() {
            let chosen = points
                .iter()
                .zip(&shared)
                .filter_map(|(point, (weight, _))| Some(((*point.categories.get(at)?)?, *weight)));
            categories.learn(chosen, LEARNS);
        }
        if self.gaussian.dimensions() == 0 {
            return Some(());
        }
        let individuals: Vec<Individual> = points
            .into_iter()
            .zip(ranked)
            .zip(shared)
            .map(|((point, (_, trial)), (weight, signed))| {
                // what an inactive parameter would have been: it then drifts as one does that has no influence, and keeps its spread
                let mut rng = rng(trial.index);
                let numbers = point
                    .numbers
                    .into_iter()
                    .map(|number| number.ok_or_else(|| normal(&mut rng)))
                    .collect();
                Individual {
                    numbers,
                    weight,
                    signed,
                }
            })
            .collect();
        self.gaussian = self.gaussian.clone().learn(&individuals, weights)?;
        self.keep_margin(layout);
        Some(())
    }

    /// Sees to it that each discrete coordinate may leave the value that its mean lies at.
    fn keep_margin(&mut self, layout: &Layout<'_>) {
        let least = 1.0 / (self.population * layout.dimensions.len().max(1)) as f64;
        for (at, dimension) in layout.numbers().enumerate() {
            let Some(mean) = self.gaussian.mean.get(at).copied() else {
                continue;
            };
            let Some(bin) = layout.bin(dimension, mean) else {
                continue;
            };
            let deviation = self.gaussian.deviation(at);
            let (corrected, wanted) = margin::correct(mean, deviation, bin, least);
            if let (Some(mean), Some(stretch)) = (self.gaussian.mean.get_mut(at), self.gaussian.stretch.get_mut(at)) {
                *mean = corrected.clamp(0.0, 1.0);
                *stretch *= wanted / deviation;
            }
        }
    }

    /// Whether there is nothing more to find from here: all has settled, is a plain, or has not got better for long.
    fn is_over(&self) -> bool {
        let d = self.gaussian.dimensions();
        let widest = (0..d).map(|at| self.gaussian.deviation(at)).fold(0.0, f64::max);
        let patience = 30 + 60 * (d + self.categories.len()) / self.population;
        !(d == 0 || widest > SETTLED) || self.flat >= FLAT || self.since_best > patience
    }

    /// Whether the individual with that index is the mean itself, as one of each generation after the first is: the mean, being an average of good individuals,
    /// is often better than any of them, and a study keeps the best trial, not the distribution.
    pub(super) fn is_mean(&self, index: u64) -> bool {
        let size = self.population as u64;
        self.generations > 0 && index.saturating_sub(self.begin).is_multiple_of(size)
    }

    /// The numbers that standard normal ones stand for, and whether those without step are within bounds.
    fn place(&self, layout: &Layout<'_>, normals: &[f64]) -> (Vec<f64>, bool) {
        let numbers = self.gaussian.point(normals);
        let is_inside = layout
            .numbers()
            .zip(&numbers)
            .all(|(dimension, number)| matches!(dimension, Dimension::Discrete(_)) || (0.0..=1.0).contains(number));
        (numbers, is_inside)
    }

    /// Draws an individual; `first` gives the standard normal numbers to begin with, `spread` how much farther than usual it may lie.
    /// What lies out of bounds is drawn again, and in the end folded back at the bounds.
    pub(super) fn draw(&self, layout: &Layout<'_>, first: &[f64], spread: f64, rng: &mut ChaCha8Rng) -> Config {
        let categories: Vec<usize> = self
            .categories
            .iter()
            .map(|categories| categories.choose(rng.random()))
            .collect();
        let (mut numbers, mut is_inside) = self.place(layout, first);
        for _ in 0..REDRAWS {
            if is_inside {
                break;
            }
            let normals: Vec<f64> = first.iter().map(|_| spread * normal(rng)).collect();
            (numbers, is_inside) = self.place(layout, &normals);
        }
        for (dimension, number) in layout.numbers().zip(&mut numbers) {
            *number = match dimension {
                // beyond the ends lie the values at the ends
                Dimension::Discrete(_) => number.clamp(0.0, 1.0),
                _ => reflected(*number),
            };
        }
        layout.write(&numbers, &categories)
    }
}

/// A number folded back into [0, 1] at its ends.
fn reflected(x: f64) -> f64 {
    let folded = x.rem_euclid(2.0);
    folded.min(2.0 - folded)
}
