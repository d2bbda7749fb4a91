//! Bayesian optimisation with a Gaussian process (Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998).

mod acquisition;
mod features;
mod fit;
mod kernel;
mod minimize;
mod points;
mod posterior;
mod search;

use nalgebra::DVector;

use acquisition::Acquisition;
use features::Features;
use kernel::Kernel;
use points::Points;
use posterior::Posterior;
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
            .map_or_else(|| (space.dimensions() + 2).clamp(4, 10), |trials| trials as usize);
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

impl GaussianProcess {
    fn model(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Option<Config> {
        let mut rng = context.rng(u64::from(context.number) | 1 << 40);
        let encode = |config: &Config| self.features.encode(context.space, config);
        let mut known: Vec<(Vec<f64>, f64, &Config)> = Vec::new();
        let mut failed: Vec<Vec<f64>> = Vec::new();
        let mut pending: Vec<Vec<f64>> = Vec::new();
        for trial in history {
            match trial.outcome {
                Outcome::Value(value) if value.is_finite() => known.push((encode(trial.config), value, trial.config)),
                Outcome::Value(_) | Outcome::Failed => failed.push(encode(trial.config)),
                Outcome::Pending => pending.push(encode(trial.config)),
            }
        }
        if known.len() < 2 {
            return None;
        }
        known.sort_by(|a, b| a.1.total_cmp(&b.1));
        let values = standardise(known.iter().map(|(_, value, _)| *value));
        let points = Points::new(&self.features, known.iter().map(|(point, ..)| &point[..]));
        let (hyper, _) = fit::fit(&points, &values, 30);
        let kernel = Kernel::new(&hyper, self.features.len());
        let all = Points::new(
            &self.features,
            known
                .iter()
                .map(|(point, ..)| &point[..])
                .chain(pending.iter().map(|p| &p[..])),
        );
        let objective = Posterior::new(kernel, all, &values, FANTASIES, &mut rng)?;
        let best = objective.means_at_points().iter().map(|means| means.min()).collect();

        let feasibility = if failed.is_empty() {
            None
        } else {
            let labels = DVector::from_iterator(
                known.len() + failed.len(),
                known.iter().map(|_| 1.0).chain(failed.iter().map(|_| -1.0)),
            );
            let points = Points::new(
                &self.features,
                known
                    .iter()
                    .map(|(point, ..)| &point[..])
                    .chain(failed.iter().map(|p| &p[..])),
            );
            let (hyper, _) = fit::fit(&points, &labels, 20);
            Posterior::new(Kernel::new(&hyper, self.features.len()), points, &labels, 1, &mut rng)
        };
        let acquisition = Acquisition {
            objective: &objective,
            best,
            feasibility: feasibility.as_ref(),
        };
        let mut unused = Unused::new(context, history);
        let mut search = Search {
            space: context.space,
            features: &self.features,
            acquisition: &acquisition,
            allows: &mut |config| unused.allows(config),
        };
        let nearby: Vec<&Config> = known.iter().take(5).map(|(.., config)| *config).collect();
        let effort = Effort {
            anywhere: 200,
            near: 200,
            improved: 4,
            steps: 25,
        };
        search.run(&nearby, effort, &mut rng)
    }
}

/// The values with mean 0 and deviation 1.
fn standardise(values: impl ExactSizeIterator<Item = f64>) -> DVector<f64> {
    let values: Vec<f64> = values.collect();
    let greatest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let scale = if greatest > 0.0 { greatest } else { 1.0 };
    let mut values = DVector::from_iterator(values.len(), values.iter().map(|v| v / scale));
    let mean = values.mean();
    values.add_scalar_mut(-mean);
    let deviation = (values.norm_squared() / values.len() as f64).sqrt();
    if deviation > 1e-13 {
        values /= deviation;
    }
    values
}
