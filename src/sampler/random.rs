//! Random search: each configuration drawn by itself from the whole space (Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012).

use rand::RngExt;

use super::{Context, Name, Observation, Sampler, Settings, Suggestion, unused::Unused};
use crate::{
    api::{Duplicates, FieldErrors, RandomSampler},
    space::Space,
};

/// Random search.
#[derive(Debug)]
pub(super) struct Random(pub(super) Name);

impl Settings for RandomSampler {
    fn build(&self, name: Name, _: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        Ok(Box::new(Random(name)))
    }
}

impl Sampler for Random {
    /// Of a small finite space the last configurations are chosen among those that are left; otherwise it is `Done`
    /// where 10,000 draws give nothing that may be proposed.
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let mut rng = context.rng(context.number.into());
        let mut unused = Unused::new(context, history);
        let index = self.0.next_index(history);
        let mut unit = vec![0.0; context.space.dimensions()];
        for _ in 0..unused.tries() {
            unit.fill_with(|| rng.random());
            let config = context.space.decode(&unit);
            if unused.allows(&config) {
                return self.0.proposal(config, index);
            }
        }
        let mut left = unused.left();
        if left.is_empty() {
            return Suggestion::Done;
        }
        let chosen = left.swap_remove(rng.random_range(0..left.len()));
        self.0.proposal(chosen, index)
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        duplicates == Duplicates::Avoid && space.cardinality().is_some()
    }
}
