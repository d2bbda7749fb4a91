//! Bayesian optimisation with a Gaussian process (Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998):
//! a model of the objective is fitted to all that is known, and the configuration with the greatest expected improvement is proposed.
//!
//! What is pending is imagined, several times over; what failed makes a second model, of where trials fail. The models see a bounded part of a long history.

mod acquisition;
mod features;
mod fit;
mod kernel;
mod minimize;
mod points;
mod posterior;
mod region;
mod response;
mod search;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use nalgebra::DVector;
use rand_chacha::rand_core::SeedableRng;

use acquisition::{Acquisition, Feasibility};
use features::Features;
use fit::{Shape, fit};
use kernel::Kernel;
use points::Points;
use posterior::Posterior;
use region::Region;
use response::{evenly, response};
use search::{Effort, Search};

use super::{Context, Name, Observation, Outcome, Sampler, Settings, Suggestion, sobol::Sobol, unused::Unused};
use crate::{
    api::{Duplicates, FieldErrors, GaussianProcessSampler},
    space::{Config, Space},
};

/// A Gaussian process.
#[derive(Debug)]
pub(super) struct GaussianProcess {
    name: Name,
    startup: usize,
    begin: Sobol,
    features: Features,
}

impl Settings for GaussianProcessSampler {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        let startup = self
            .startup_trials
            .map_or_else(|| (2 * space.dimensions() + 2).clamp(6, 10), |trials| trials as usize);
        Ok(Box::new(GaussianProcess {
            name,
            startup,
            begin: Sobol::new(name, space)?,
            features: Features::new(space),
        }))
    }
}

impl Sampler for GaussianProcess {
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        if history.len() >= self.startup
            && let Some(config) = self.model(context, history)
        {
            return self.name.proposal(config, self.name.next_index(history));
        }
        self.begin.suggest(context, history)
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        duplicates == Duplicates::Avoid && space.cardinality().is_some()
    }
}

/// How many fantasies of what is pending are looked at.
const FANTASIES: usize = 8;

/// How many of the points that are known, that are pending and that failed the models see.
const MOST: (usize, usize, usize) = (300, 100, 150);

/// How many of them the kernel's parameters are fitted to, and with how many looks.
const FITTED: (usize, usize) = (80, 25);

/// How much is tried to find the point that is worth most.
const EFFORT: Effort = Effort {
    anywhere: 300,
    near: 200,
    improved: 4,
    steps: 25,
};

/// How many of the best known points are searched around.
const BEST: usize = 5;

/// A trial whose value is known.
struct Known<'a> {
    point: Vec<f64>,
    value: f64,
    config: &'a Config,
    number: u32,
}

/// The history as the models see it.
struct Seen<'a> {
    /// From the best to the worst.
    known: Vec<Known<'a>>,
    failed: Vec<Vec<f64>>,
    /// From the newest to the oldest.
    pending: Vec<Vec<f64>>,
}

/// An order of points, whatever it is, also of those that lack coordinates: so that nothing depends on the order of the history.
fn order(a: &[f64], b: &[f64]) -> Ordering {
    let mut places = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    places.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

impl GaussianProcess {
    fn seen<'a>(&self, space: &Space, history: &[Observation<'a>]) -> Seen<'a> {
        let mut seen = Seen {
            known: Vec::new(),
            failed: Vec::new(),
            pending: Vec::new(),
        };
        let mut pending = Vec::new();
        for trial in history {
            let point = self.features.encode(space, trial.config);
            match trial.outcome {
                Outcome::Value(value) if value.is_finite() => seen.known.push(Known {
                    point,
                    value,
                    config: trial.config,
                    number: trial.number,
                }),
                Outcome::Value(_) | Outcome::Failed => seen.failed.push(point),
                Outcome::Pending => pending.push((trial.number, point)),
            }
        }
        seen.known
            .sort_by(|a, b| a.value.total_cmp(&b.value).then_with(|| order(&a.point, &b.point)));
        seen.failed.sort_by(|a, b| order(a, b));
        pending.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| order(&a.1, &b.1)));
        seen.pending = pending.into_iter().map(|(_, point)| point).collect();
        seen
    }

    /// The configuration with the greatest expected improvement; `None` where too little is known, or nothing was found that may be proposed.
    fn model(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Option<Config> {
        let Seen { known, failed, pending } = self.seen(context.space, history);
        if known.len() < 2 || self.features.len() == 0 {
            return None;
        }
        let mut rng = context.rng(u64::from(context.number) | 1 << 40);
        // Whether parameters act each by itself is a strong assumption: every other proposal does without.
        let shape = if context.number.is_multiple_of(2) {
            Shape::Product
        } else {
            Shape::ProductAndSum
        };

        let chosen = nearer_the_best(known.len(), MOST.0);
        let points = Points::new(&self.features, chosen.iter().map(|&i| &known[i].point[..]));
        let raw: Vec<f64> = chosen.iter().map(|&i| known[i].value).collect();
        let values = response(&raw, &points, shape);
        let kernel = self.kernel(&points, &values, FITTED, shape);

        let recent = pending.iter().take(MOST.1).map(|point| &point[..]);
        let all = Points::new(
            &self.features,
            chosen.iter().map(|&i| &known[i].point[..]).chain(recent),
        );
        let objective = Posterior::new(kernel.clone(), all, &values, FANTASIES, &mut rng)?;
        let feasibility = self.feasibility(&known, &failed);

        let mut centre = vec![0.5; self.features.len()];
        context.space.encode(known[0].config, &mut centre);
        let acquisition = Acquisition {
            best: objective.means_at_points().iter().map(DVector::min).collect(),
            objective: &objective,
            feasibility: feasibility.as_ref(),
        };
        let mut unused = Unused::new(context, history);
        let mut search = Search {
            space: context.space,
            features: &self.features,
            acquisition: &acquisition,
            region: &Region::new(&kernel, &centre, &in_order(&known), context.parallelism),
            allows: &mut |config| unused.allows(config),
        };
        let around: Vec<&Config> = known.iter().take(BEST).map(|known| known.config).collect();
        search.run(&around, EFFORT, &mut rng)
    }

    /// The kernel for `values` at `points`, fitted to at most so many of them, with so many looks.
    fn kernel(&self, points: &Points, values: &DVector<f64>, (most, looks): (usize, usize), shape: Shape) -> Kernel {
        let some = nearer_the_best(points.count(), most);
        let few = DVector::from_iterator(some.len(), some.iter().map(|&i| values[i]));
        let (hyper, _) = fit(&points.some(&some), &few, looks, shape);
        Kernel::new(&hyper, self.features.len())
    }

    /// The model of where trials do not fail: 1 where one did not, -1 where one failed (least-squares classification,
    /// Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, section 6.5). `None` where none failed.
    fn feasibility(&self, known: &[Known<'_>], failed: &[Vec<f64>]) -> Option<Feasibility> {
        if failed.is_empty() {
            return None;
        }
        let good = nearer_the_best(known.len(), MOST.2);
        let bad = evenly(failed.len(), MOST.2);
        let good_points = good.iter().map(|&i| &known[i].point[..]);
        let points = Points::new(&self.features, good_points.chain(bad.iter().map(|&i| &failed[i][..])));
        let usual = (known.len() as f64 - failed.len() as f64) / (known.len() + failed.len()) as f64;
        let labels = good.iter().map(|_| 1.0).chain(bad.iter().map(|_| -1.0));
        let labels = DVector::from_iterator(points.count(), labels.map(|label| label - usual));
        let some = evenly(points.count(), FITTED.0);
        let few = DVector::from_iterator(some.len(), some.iter().map(|&i| labels[i]));
        let (hyper, _) = fit(&points.some(&some), &few, FITTED.1, Shape::ProductAndSum);
        // no pending points, so nothing is drawn
        let mut unused = rand_chacha::ChaCha8Rng::from_seed([0; 32]);
        let kernel = Kernel::new(&hyper, self.features.len());
        let model = Posterior::new(kernel, points, &labels, 1, &mut unused)?;
        Some(Feasibility { model, usual })
    }
}

/// The values of the study's own trials, in the order of their numbers: what earlier studies found has no place in it.
fn in_order(known: &[Known<'_>]) -> Vec<f64> {
    let mut own: Vec<&Known<'_>> = known.iter().filter(|known| known.number > 0).collect();
    own.sort_by_key(|known| known.number);
    own.iter().map(|known| known.value).collect()
}

/// At most `most` of the indices of points sorted from the best on: half of them the best, as the optimum is near them, and the others evenly from the rest, so that the model knows the whole space.
fn nearer_the_best(count: usize, most: usize) -> Vec<usize> {
    if count <= most {
        return (0..count).collect();
    }
    let best = most / 2;
    (0..best)
        .chain(evenly(count - best, most - best).into_iter().map(|i| best + i))
        .collect()
}
