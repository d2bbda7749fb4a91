//! What earlier studies found, for any sampler: the best of it is run once more before what the sampler proposes, so that its files exist in this
//! study, too.

use super::{Context, Name, Observation, Outcome, Sampler, Suggestion};
use crate::{
    api::Duplicates,
    space::{Config, Space},
};

/// A sampler that knows earlier studies. What they ran counts as tried; but what failed there is tried again before the study ends for want of
/// configurations, and a study that would have no trial at all runs the best of them once more.
#[derive(Debug)]
pub(super) struct WithEarlier {
    /// Whether it begins with the best earlier configuration, where one is a whole configuration of the space.
    pub(super) repeats: bool,
    /// What proposes all others.
    pub(super) then: Box<dyn Sampler>,
}

impl Sampler for WithEarlier {
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let name = Name {
            sampler: "history",
            stage: None,
        };
        let own = || history.iter().filter(|trial| trial.number > 0);
        let is_new = |config: &&Config| own().all(|trial| trial.config != *config && !name.proposed(trial.origin));
        let best = || best(context.space, history).filter(is_new);
        if self.repeats
            && let Some(config) = best()
        {
            return name.proposal(config.clone(), 0);
        }
        let has_failed = |trial: &&Observation<'_>| trial.number == 0 && trial.outcome == Outcome::Failed;
        let not_failed = || -> Vec<_> { history.iter().filter(|trial| !has_failed(trial)).copied().collect() };
        let answer = if self.repeats {
            self.then.suggest(context, history)
        } else {
            // What goes through a list of its own never comes back to what it passed over.
            self.then.suggest(context, &not_failed())
        };
        match answer {
            Suggestion::Done if self.repeats && history.iter().any(|trial| has_failed(&trial)) => {
                self.then.suggest(context, &not_failed())
            }
            Suggestion::Done if own().next().is_none() => {
                best().map_or(Suggestion::Done, |config| name.proposal(config.clone(), 0))
            }
            answer => answer,
        }
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        self.then.is_finite(space, duplicates)
    }
}

/// The best configuration of earlier studies that can be run here; of equal ones the first.
fn best<'a>(space: &Space, history: &[Observation<'a>]) -> Option<&'a Config> {
    let value = |trial: &Observation<'a>| match trial.outcome {
        Outcome::Value(value) if trial.number == 0 => Some((value, trial.config)),
        _ => None,
    };
    history
        .iter()
        .filter_map(value)
        .filter(|(_, config)| space.is_complete(config) && space.is_feasible(config))
        .reduce(|best, next| if next.0 < best.0 { next } else { best })
        .map(|(_, config)| config)
}
