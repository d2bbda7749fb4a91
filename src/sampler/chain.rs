//! One sampler after another.

use super::{Context, Observation, Sampler, Suggestion};
use crate::{api::Duplicates, space::Space};

/// One sampler of a chain.
#[derive(Debug)]
pub(super) struct Stage {
    /// It names this stage in the origin of what it proposes.
    pub(super) sampler: Box<dyn Sampler>,
    /// How many trials it proposes; without it, as many as it can.
    pub(super) trials: Option<u32>,
}

/// A chain of samplers.
#[derive(Debug)]
pub(super) struct Chain(pub(super) Vec<Stage>);

impl Sampler for Chain {
    /// A stage is over when it has proposed its trials or has no more; the next one sees what all before it found.
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        for (i, stage) in (0..).zip(&self.0) {
            let proposed = || history.iter().filter(|trial| trial.origin.stage == Some(i)).count();
            if stage.trials.is_some_and(|trials| proposed() >= trials as usize) {
                continue;
            }
            match stage.sampler.suggest(context, history) {
                Suggestion::Done => {}
                suggestion => return suggestion,
            }
        }
        Suggestion::Done
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        self.0
            .iter()
            .all(|stage| stage.trials.is_some() || stage.sampler.is_finite(space, duplicates))
    }
}
