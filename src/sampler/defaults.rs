//! The parameters' defaults, tried before what another sampler proposes.

use super::{Context, Name, Observation, Sampler, Suggestion};
use crate::{
    api::Duplicates,
    space::{Config, Space},
};

/// A sampler that tries the defaults first.
#[derive(Debug)]
pub(super) struct Defaults {
    /// The configuration of all defaults.
    pub(super) config: Config,
    /// What proposes all others.
    pub(super) then: Box<dyn Sampler>,
}

impl Sampler for Defaults {
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let name = Name {
            sampler: "default",
            stage: None,
        };
        if history
            .iter()
            .any(|trial| name.proposed(trial.origin) || *trial.config == self.config)
        {
            return self.then.suggest(context, history);
        }
        name.proposal(self.config.clone(), 0)
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        self.then.is_finite(space, duplicates)
    }
}
