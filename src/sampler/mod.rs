//! Samplers: from the history of a study, the next configuration.
//!
//! Pure. A sampler keeps nothing between calls: the same context and history give the same answer, whoever asks and however often.

use crate::{
    api::{Duplicates, Origin},
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
    /// The number that the proposed trial will have. It was never used before, so random choices that depend on it are fresh.
    pub number: u32,
}

/// One trial of the study, as samplers see it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// Its number.
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
#[derive(Clone, Debug)]
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

/// The sampler that `spec` describes, its settings checked against the space.
/// With `defaults` first where the space has them and the sampler is not `grid` or `list`.
///
/// # Errors
/// Everything that is wrong, paths below `sampler`.
pub fn compile(_spec: &crate::api::Sampler, _space: &Space) -> Result<Box<dyn Sampler>, crate::api::FieldErrors> {
    todo!()
}

/// The seed as samplers take it: the one given, or one that follows from the study's UID.
pub fn seed(_given: Option<i64>, _uid: &str) -> u64 {
    todo!()
}
