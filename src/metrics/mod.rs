//! Metrics files: bytes in, values out, and a typed reason for everything that can be wrong with them.
//!
//! Pure: no clients, no clocks.

use std::collections::BTreeMap;

use crate::api::{FieldErrors, Goal};

/// The largest metrics file that is read, in bytes (after unpacking).
pub const MAX_BYTES: usize = 16 << 20;

/// One report of a trial: the numbers it gave together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// `epochs` where the file has it, else the report's place from 1.
    pub iteration: f64,
    /// Every number by its name; may be NaN or infinite.
    pub metrics: BTreeMap<String, f64>,
}

/// The compiled objective of a study.
#[derive(Debug)]
pub struct Objective {
    /// Whether less or more is better.
    pub goal: Goal,
}

/// What a metrics file says about its trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The objective's value, finite, as the file has it (not negated).
    pub objective: f64,
    /// The iteration of the report that gave it.
    pub iteration: f64,
    /// The finite numbers of that report, at most 64, the first by name.
    pub metrics: BTreeMap<String, f64>,
    /// All reports where there are several, in order, each with its objective (NaN where it has none); empty where there is one.
    pub reports: Vec<(f64, Report)>,
}

/// Why a metrics file gives no objective. The variant's name is the reason that users see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    /// There is none.
    #[error("no metrics file at {0}: the trial has to write it before it ends")]
    MetricsMissing(String),
}

impl MetricsError {
    /// The variant's name.
    pub fn reason(&self) -> &'static str {
        todo!()
    }
}

impl Objective {
    /// Compiles an objective; the paths of errors are below the objective.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn compile(_spec: &crate::api::Objective) -> Result<Self, FieldErrors> {
        todo!()
    }

    /// The key with which less is better: the value itself, or its negation where the goal is to maximize.
    pub fn loss(&self, value: f64) -> f64 {
        match self.goal {
            Goal::Minimize => value,
            Goal::Maximize => -value,
        }
    }

    /// Whether `value` reaches the target, where there is one.
    pub fn is_reached(&self, _value: f64) -> bool {
        todo!()
    }

    /// Reads a metrics file.
    ///
    /// # Errors
    /// The reason why it gives no objective.
    pub fn read(&self, _file: &[u8]) -> Result<Reading, MetricsError> {
        todo!()
    }
}
