//! A tree-structured Parzen estimator: good and bad points each give a density, and what has the greatest ratio of the two is proposed
//! (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; with kernels over all parameters at once as in Falkner et al.,
//! "BOHB", ICML 2018; what its parts do: Watanabe, "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components and Their Roles for
//! Better Empirical Performance", 2023).

mod dimension;
mod parzen;
mod point;
#[cfg(test)]
mod tests;

use rand::RngExt;

use super::{
    Context, Name, Observation, Outcome, Sampler, Settings, Suggestion, random::Random, sobol, unused::Unused,
};
use crate::{
    api::{Duplicates, FieldErrors, TpeSampler},
    space::{Config, Space},
};
use dimension::Dimension;
use parzen::{Bandwidth, Parzen};
use point::{Known, Point};

/// The most results that are wanted before the model is asked, where the study does not say.
const MOST_STARTUP: usize = 10;

/// The most candidates that a proposal is chosen from.
const MOST_CANDIDATES: usize = 64;

/// The fewest, however many kernels there are to evaluate for each.
const LEAST_CANDIDATES: usize = 24;

/// How many coordinates of kernels are compared with those of candidates: the more observations, the fewer candidates.
const WORK: usize = 4_000_000;

/// How many coordinates the kernels of a density have at most: of longer histories in many dimensions a part stands for all.
const COORDINATES: usize = 400_000;

/// From what probability of not failing on a point is worth as much as if nothing ever failed.
const SURE: f64 = 0.9;

/// What a lack of that counts, in logarithms of the ratio of densities: more than these differ by.
const RISK: f64 = 20.0;

/// Good kernels adapt to where the good points are, so that the search goes from far to near; but never so near that it cannot leave.
const GOOD: Bandwidth = Bandwidth::Spread {
    factor: 0.5,
    least: 0.01,
};

/// Bad kernels are narrow: a point that was bad says little about points farther away, and what is between them is worth a look.
const BAD: Bandwidth = Bandwidth::Range(0.06);

/// A tree-structured Parzen estimator.
#[derive(Debug)]
pub(super) struct Tpe {
    name: Name,
    /// How many results are wanted before the model is asked.
    startup: usize,
    dimensions: Vec<Dimension>,
}

impl Settings for TpeSampler {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        Ok(Box::new(Tpe::new(name, self.startup_trials, space)))
    }
}

impl Tpe {
    /// Over `space`, its start as long as given, or else from the number of dimensions.
    pub(super) fn new(name: Name, startup: Option<u32>, space: &Space) -> Self {
        let dimensions = Dimension::all(space);
        let default = (2 * dimensions.len()).clamp(4, MOST_STARTUP);
        Self {
            name,
            startup: startup.map_or(default, |startup| startup as usize),
            dimensions,
        }
    }

    /// The next point of a sequence that fills the space evenly. Its index counts trials under way too, so that they are spread as well.
    fn even(&self, context: &Context<'_>, history: &[Observation<'_>], unused: &mut Unused<'_>) -> Option<Suggestion> {
        let mut rng = context.rng(context.number.into());
        let mut unit = vec![0.0; self.dimensions.len()];
        let first = self.name.next_index(history);
        (first..first.saturating_add(unused.tries())).find_map(|index| {
            // the sequence may have fewer dimensions than the space
            unit.fill_with(|| rng.random());
            sobol::point(context, index, &mut unit);
            let config = context.space.decode(&unit);
            unused.allows(&config).then(|| self.name.proposal(config, index))
        })
    }

    /// What the model proposes: of some configurations drawn from the good density, the one where it is the greatest in relation to the bad one.
    fn modelled(&self, context: &Context<'_>, history: &[Observation<'_>], unused: &mut Unused<'_>) -> Option<Config> {
        let known = Known::new(context.space, &self.dimensions, history);
        let most = (COORDINATES / self.dimensions.len().max(1)).max(1);
        let (good, bad) = known.split(most);
        let good = Parzen::new(&self.dimensions, &good, GOOD);
        let bad = Parzen::new(&self.dimensions, &bad, BAD);
        let work = history.len().max(1) * self.dimensions.len().max(1);
        let wanted = (WORK / work).clamp(LEAST_CANDIDATES, MOST_CANDIDATES);

        let mut rng = context.rng(context.number.into());
        let mut unit = vec![0.0; self.dimensions.len()];
        let mut configs = Vec::with_capacity(wanted);
        for _ in 0..unused.tries() {
            good.draw(&mut rng, &mut unit);
            let config = context.space.decode(&unit);
            if unused.allows(&config) {
                configs.push(config);
            }
            if configs.len() == wanted {
                break;
            }
        }
        let points: Vec<Point> = configs
            .iter()
            .map(|config| Point::new(context.space, &self.dimensions, config))
            .collect();
        let (good, bad) = (good.log_densities(&points), bad.log_densities(&points));
        let risks = self.risks(&known, &points, most);
        let ratios = good
            .iter()
            .zip(&bad)
            .zip(risks)
            .map(|((good, bad), risk)| good - bad - risk);
        let best = configs
            .into_iter()
            .zip(ratios)
            .max_by(|one, other| one.1.total_cmp(&other.1));
        best.map(|(config, _)| config)
    }

    /// How much each point is worth less because a trial may fail there: nothing where that is unlikely, as far as its neighbourhood tells
    /// (Watanabe and Hutter, "c-TPE: Tree-Structured Parzen Estimator with Inequality Constraints", IJCAI 2023, weigh densities of either kind in a like way).
    fn risks(&self, known: &Known, points: &[Point], most: usize) -> Vec<f64> {
        let (well, failed) = known.failures(most);
        if failed.is_empty() {
            return vec![0.0; points.len()];
        }
        let often = (failed.iter().map(|(_, weight)| weight).sum::<f64>() + 1.0)
            / (well.iter().map(|(_, weight)| weight).sum::<f64>() + 1.0);
        let well = Parzen::new(&self.dimensions, &well, BAD).log_densities(points);
        let failed = Parzen::new(&self.dimensions, &failed, BAD).log_densities(points);
        let risk = |(well, failed): (&f64, &f64)| {
            let likely = 1.0 / (1.0 + often * libm::exp(failed - well));
            RISK * (SURE - likely).max(0.0)
        };
        well.iter().zip(&failed).map(risk).collect()
    }
}

impl Sampler for Tpe {
    /// Where neither the start nor the model finds anything that may be proposed, it is as random search.
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let mut unused = Unused::new(context, history);
        let results = history.iter().filter(|trial| trial.outcome != Outcome::Pending).count();
        let proposal = if results < self.startup {
            self.even(context, history, &mut unused)
        } else {
            self.modelled(context, history, &mut unused)
                .map(|config| self.name.proposal(config, self.name.next_index(history)))
        };
        proposal.unwrap_or_else(|| Random(self.name).suggest(context, history))
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        duplicates == Duplicates::Avoid && space.cardinality().is_some()
    }
}
