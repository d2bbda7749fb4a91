//! The choice of a sampler by what is known: the space, the budget, how many trials run at the same time, and what they gave.
//!
//! The rules follow the project's own measurements (`docs/samplers.md`): the Gaussian process finds better configurations than all others within hundreds of trials, but sees
//! only a part of a long history; the Parzen estimator sees all of it. The trial's `origin` says what was chosen, and why.

use super::{Context, Name, Observation, Outcome, Sampler, Settings, Suggestion};
use crate::{
    api::{AutoSampler, Duplicates, FieldErrors, GaussianProcessSampler, SobolSampler, TpeSampler},
    space::Space,
};

/// From so many results on the Parzen estimator takes turns with the Gaussian process.
const MANY_RESULTS: usize = 500;

/// In more dimensions than this it does so from the start.
const MANY_DIMENSIONS: usize = 60;

/// How many trials each has in its turn: even, as the Gaussian process itself takes turns with two kernels.
const TURN: u32 = 2;

/// The part of the budget that no model is asked for, at most: as one third.
const START: u32 = 3;

/// What is chosen from.
#[derive(Debug)]
struct Auto {
    sobol: Box<dyn Sampler>,
    gaussian_process: Box<dyn Sampler>,
    tpe: Box<dyn Sampler>,
    /// How many trials are started before a model is asked, unless the budget is small.
    startup: usize,
}

impl Settings for AutoSampler {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        Ok(Box::new(Auto::new(name, space)?))
    }
}

/// A sampler and the reason for it.
struct Choice<'a> {
    sampler: &'a dyn Sampler,
    method: &'static str,
    reason: String,
}

impl Auto {
    fn new(name: Name, space: &Space) -> Result<Self, FieldErrors> {
        let startup_trials = Some(1);
        Ok(Self {
            sobol: SobolSampler {}.build(name, space)?,
            gaussian_process: GaussianProcessSampler { startup_trials }.build(name, space)?,
            tpe: TpeSampler { startup_trials }.build(name, space)?,
            startup: (2 * space.dimensions() + 2).clamp(6, 10),
        })
    }

    fn choose(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Choice<'_> {
        let is_result = |trial: &&Observation<'_>| matches!(trial.outcome, Outcome::Value(value) if value.is_finite());
        let results = history.iter().filter(is_result).count();
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
        let spread = |reason| chosen(&*self.sobol, "sobol", reason);
        let process = |reason| chosen(&*self.gaussian_process, "gaussianProcess", reason);
        if context.budget.is_some_and(|budget| budget <= context.parallelism) {
            return spread("all trials run at the same time".to_owned());
        }
        // What earlier studies found is a start as well.
        if history.len() < startup {
            let started = history.len();
            return spread(format!(
                "{started} of the first {startup} trials, which fill the space evenly"
            ));
        }
        if results < 2 {
            return spread(format!("too few results for a model: {results}"));
        }
        let known = format!("{results} results in {dimensions} dimensions");
        if results < MANY_RESULTS && dimensions <= MANY_DIMENSIONS {
            process(format!("{known}: the best use of few results"))
        } else if (context.number / TURN).is_multiple_of(2) {
            process(format!("{known}: in turn with tpe, which sees all of them"))
        } else {
            let reason = format!("{known}: in turn with gaussianProcess, which sees a part of them");
            chosen(&*self.tpe, "tpe", reason)
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
        self.sobol.is_finite(space, duplicates)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::{api::Origin, sampler::tests::trials};

    /// What is chosen for the trials with these numbers, after so many that all came to `outcome`.
    fn methods(
        trials: usize,
        outcome: Outcome,
        numbers: std::ops::Range<u32>,
        budget: Option<u32>,
    ) -> Vec<&'static str> {
        let space = trials::doubles(2, 0.0, 1.0);
        let name = Name {
            sampler: "auto",
            stage: None,
        };
        let auto = Auto::new(name, &space).unwrap();
        let (config, origin) = (space.decode(&[0.5, 0.5]), Origin::default());
        let trial = Observation {
            number: 1,
            config: &config,
            origin: &origin,
            outcome,
        };
        let history = vec![trial; trials];
        let choose = |number| {
            let context = Context {
                parallelism: 4,
                budget,
                ..trials::context(&space, 1, Duplicates::Avoid, number)
            };
            auto.choose(&context, &history).method
        };
        numbers.map(choose).collect()
    }

    #[test]
    fn the_choice_follows_what_is_known() {
        let some = Outcome::Value(1.0);
        for (trials, outcome, budget, method) in [
            (0, some, None, "sobol"),
            (5, some, None, "sobol"),
            (6, some, None, "gaussianProcess"),
            (2, some, Some(9), "sobol"),
            (3, some, Some(9), "gaussianProcess"),
            (9, some, Some(4), "sobol"),
            (50, Outcome::Failed, None, "sobol"),
            (50, Outcome::Pending, None, "sobol"),
            (50, Outcome::Value(f64::INFINITY), None, "sobol"),
        ] {
            assert_eq!(
                methods(trials, outcome, 60..61, budget),
                [method],
                "{trials} {outcome:?} {budget:?}"
            );
        }
    }

    /// The Gaussian process has even and odd numbers, as which kernel it takes depends on that.
    #[test]
    fn with_many_results_two_take_turns() {
        let turns = methods(500, Outcome::Value(1.0), 500..508, None);
        let (process, tpe) = ("gaussianProcess", "tpe");
        assert_eq!(turns, [process, process, tpe, tpe, process, process, tpe, tpe]);
    }
}
