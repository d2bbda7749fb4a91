//! Samplers: from the history of a study, the next configuration.
//!
//! Pure. A sampler keeps nothing between calls: the same context and history give the same answer, whoever asks and however often.

mod auto;
mod chain;
mod cma_es;
mod compile;
mod defaults;
mod earlier;
mod gaussian_process;
mod genetic;
mod grid;
mod list;
mod local_search;
mod random;
mod sobol;
#[cfg(test)]
mod tests;
mod tpe;
mod unused;

pub use compile::{compile, with_earlier};

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use sha2::{Digest, Sha256};

use crate::{
    api::{Duplicates, FieldErrors, Origin},
    space::{Config, Space},
};

/// What a sampler is asked with, beside the history.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The space to propose from.
    pub space: &'a Space,
    /// What all random choices follow from.
    pub seed: u64,
    /// Whether a configuration may be proposed that the history has already.
    pub duplicates: Duplicates,
    /// How many trials the study runs at the same time, at least 1.
    pub parallelism: u32,
    /// How many trials the study will have in all, where that is known.
    pub budget: Option<u32>,
    /// The number that the proposed trial will have. It was never used before, so random choices that depend on it are fresh.
    pub number: u32,
}

impl Context<'_> {
    /// Random numbers of a stream of their own.
    fn rng(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }
}

/// One trial of the study, as samplers see it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Its number; 0 where it is no trial of this study, but of an earlier one, or somebody else evaluated it. Such a one may lack parameters that the space has: they are inactive.
    pub number: u32,
    /// Its configuration.
    pub config: &'a Config,
    /// What proposed it.
    pub origin: &'a Origin,
    /// What came out of it.
    pub outcome: Outcome,
}

/// What came out of a trial, as samplers see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// Nothing yet.
    Pending,
    /// No usable value, and none will come.
    Failed,
    /// The objective, less being better (the negated value where the goal is to maximize). Never NaN.
    Value(f64),
}

/// What a sampler answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Suggestion {
    /// Run this configuration.
    New {
        /// The configuration.
        config: Config,
        /// What proposed it: `sampler`, `index` and, in a chain, `stage` are set.
        origin: Origin,
    },
    /// Run the configuration of trial `from` on from its files, up to `resource`.
    Continue {
        /// The number of the trial to go on from.
        from: u32,
        /// How far to run it, in the schedule's unit.
        resource: u64,
    },
    /// Nothing until a running trial has finished.
    Wait,
    /// Nothing ever again.
    Done,
}

/// An algorithm that proposes configurations.
pub trait Sampler: std::fmt::Debug + Send + Sync {
    /// The next configuration, given all trials so far in the order of their numbers.
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion;

    /// Whether it answers `Done` after finitely many proposals over `space`, whatever the trials give.
    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool;
}

/// The seed as samplers take it: the one given, or one that follows from the study's UID.
pub fn seed(given: Option<i64>, uid: &str) -> u64 {
    given.map_or_else(
        || {
            let digest = Sha256::digest(uid.as_bytes());
            digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
        },
        i64::cast_unsigned,
    )
}

/// A sampler's settings, which make the sampler. Each sampler implements it in its own file.
trait Settings {
    /// The sampler over `space`, which names itself `name`.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, paths below the sampler's field.
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors>;

    /// Whether the settings go with how the study treats duplicates.
    ///
    /// # Errors
    /// What does not, paths below the sampler's field.
    fn suits(&self, _: Duplicates) -> Result<(), FieldErrors> {
        Ok(())
    }
}

/// The sampler as trials' origins name it.
#[derive(Clone, Copy, Debug)]
struct Name {
    /// As in the study's spec.
    sampler: &'static str,
    /// Its place from 0 in a chain.
    stage: Option<u32>,
}

impl Name {
    /// Whether this sampler proposed a trial of that origin.
    fn proposed(self, origin: &Origin) -> bool {
        origin.stage == self.stage && origin.request.is_none() && origin.sampler.as_deref() == Some(self.sampler)
    }

    /// This sampler's own next position: one past the greatest that the history has, so that what others proposed skips none.
    fn next_index(self, history: &[Observation<'_>]) -> u64 {
        history
            .iter()
            .filter(|trial| self.proposed(trial.origin))
            .filter_map(|trial| trial.origin.index)
            .max()
            .map_or(0, |index| index.saturating_add(1))
    }

    /// The proposal of `config` at that position.
    fn proposal(self, config: Config, index: u64) -> Suggestion {
        Suggestion::New {
            config,
            origin: Origin {
                sampler: Some(self.sampler.to_owned()),
                stage: self.stage,
                index: Some(index),
                ..Origin::default()
            },
        }
    }
}
