//! The configurations of a list, in their order.

use super::{Context, Name, Observation, Sampler, Settings, Suggestion, unused::Unused};
use crate::{
    api::{Duplicates, FieldErrors, ParameterMap},
    space::{Config, Space},
};

/// A list of configurations.
#[derive(Debug)]
pub(super) struct List {
    name: Name,
    configs: Vec<Config>,
}

impl Settings for Vec<ParameterMap> {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        Ok(Box::new(List::new(name, self, space)?))
    }
}

impl List {
    /// Reads the configurations.
    ///
    /// # Errors
    /// Everything that is wrong with them, paths starting with `[i]`.
    pub(super) fn new(name: Name, list: &[ParameterMap], space: &Space) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        if list.is_empty() {
            errors.push("", "is empty: give at least one configuration");
        }
        let mut configs = Vec::with_capacity(list.len());
        for (i, parameters) in list.iter().enumerate() {
            match space.read(parameters) {
                Ok(config) => configs.push(config),
                Err(wrong) => errors.extend_below(&format!("[{i}]"), wrong),
            }
        }
        errors.or_ok(Self { name, configs })
    }
}

impl Sampler for List {
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let mut unused = Unused::new(context, history);
        let first = self.name.next_index(history);
        (0..)
            .zip(&self.configs)
            .skip_while(|(index, _)| *index < first)
            .find(|(_, config)| unused.allows(config))
            .map_or(Suggestion::Done, |(index, config)| {
                self.name.proposal(config.clone(), index)
            })
    }

    fn is_finite(&self, _: &Space, _: Duplicates) -> bool {
        true
    }
}
