//! The choice of a sampler by what is known: the space, the budget, how many trials run at the same time, and what they gave.
//!
//! The rules follow the project's own measurements (`docs/samplers.md`): the Gaussian process finds better configurations than all others within hundreds of trials, but sees
//! only a part of a long history; the Parzen estimator sees all of it. The trial's `origin` says what was chosen, and why.

use super::{Context, Name, Observation, Outcome, Sampler, Settings, Suggestion};
use crate::{
    api::{AutoSampler, Duplicates, FieldErrors, GaussianProcessSampler, RandomSampler, SobolSampler, TpeSampler},
    space::Space,
};

/// From so many results on the Parzen estimator takes turns with the Gaussian process.
const MANY_RESULTS: usize = 500;

/// In more dimensions than this the Parzen estimator takes turns from the start.
const MANY_DIMENSIONS: usize = 60;

/// The Sobol sequence has no more dimensions.
const MOST_DIMENSIONS: usize = 256;

/// The part of the budget that no model is asked for, at most: as one third.
const START: u32 = 3;

/// What is chosen from.
#[derive(Debug)]
struct Auto {
    random: Box<dyn Sampler>,
    sobol: Option<Box<dyn Sampler>>,
    gaussian_process: Option<Box<dyn Sampler>>,
    tpe: Box<dyn Sampler>,
    /// How many trials are started before a model is asked, unless the budget is small.
    startup: usize,
}

impl Settings for AutoSampler {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        let has_sequence = space.dimensions() <= MOST_DIMENSIONS;
        let startup_trials = Some(1);
        Ok(Box::new(Auto {
            random: RandomSampler {}.build(name, space)?,
            sobol: has_sequence.then(|| SobolSampler {}.build(name, space)).transpose()?,
            gaussian_process: has_sequence
                .then(|| GaussianProcessSampler { startup_trials }.build(name, space))
                .transpose()?,
            tpe: TpeSampler { startup_trials }.build(name, space)?,
            startup: (2 * space.dimensions() + 2).clamp(6, 10),
        }))
    }
}

/// A sampler and the reason for it.
struct Choice<'a> {
    sampler: &'a dyn Sampler,
    method: &'static str,
    reason: String,
}

impl Auto {
    fn choose(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Choice<'_> {
        let own = history.iter().filter(|trial| trial.number > 0).count();
        let results = history
            .iter()
            .filter(|trial| matches!(trial.outcome, Outcome::Value(_)))
            .count();
        let dimensions = context.space.dimensions();
        let startup = match context.budget {
            Some(budget) => self.startup.min((budget / START).max(1) as usize),
            None => self.startup,
        };
        let chosen = |sampler, method, reason| Choice {
            sampler,
            method,
            reason,
        };
        let spread = |reason| match &self.sobol {
            Some(sobol) => chosen(&**sobol, "sobol", reason),
            None => chosen(&*self.random, "random", reason),
        };
        if context.budget.is_some_and(|budget| budget <= context.parallelism) {
            return spread("all trials run at the same time".to_owned());
        }
        // What earlier studies found is a start as well.
        let earlier = history.len() - own;
        if own + earlier < startup {
            return spread(format!(
                "{own} of the first {startup} trials, which fill the space evenly"
            ));
        }
        if results < 2 {
            return spread(format!("too few results for a model: {results}"));
        }
        let known = format!("{results} results in {dimensions} dimensions");
        match &self.gaussian_process {
            Some(process) if results < MANY_RESULTS && dimensions <= MANY_DIMENSIONS => chosen(
                &**process,
                "gaussianProcess",
                format!("{known}: the best use of few results"),
            ),
            Some(process) if context.number.is_multiple_of(2) => chosen(
                &**process,
                "gaussianProcess",
                format!("{known}: in turn with tpe, which sees all of them"),
            ),
            Some(_) => chosen(
                &*self.tpe,
                "tpe",
                format!("{known}: in turn with gaussianProcess, which sees a part of them"),
            ),
            None => chosen(&*self.tpe, "tpe", format!("{known}: too many for other models")),
        }
    }
}

impl Sampler for Auto {
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let Choice {
            sampler,
            method,
            reason,
        } = self.choose(context, history);
        match sampler.suggest(context, history) {
            Suggestion::New { config, mut origin } => {
                origin.method = Some(method.to_owned());
                origin.reason = Some(reason);
                Suggestion::New { config, origin }
            }
            other => other,
        }
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        self.random.is_finite(space, duplicates)
    }
}
