//! Metrics files: bytes in, values out, and a typed reason for everything that can be wrong with them.
//!
//! A file is one JSON object of numbers, one whose values are lists with an entry for each iteration (as Keras histories are), or JSON
//! Lines with an object for each report; plain, or packed as Argo packs an artifact. See [`Objective::read`].
//!
//! Pure: no clients, no clocks.

mod error;
mod json;
mod objective;
mod reports;
#[cfg(test)]
mod tests;
mod unpack;

use std::collections::BTreeMap;

pub use error::MetricsError;
pub use objective::Objective;

/// The largest metrics file that is read, in bytes (after unpacking).
pub const MAX_BYTES: usize = 16 << 20;

/// How many values a metrics file has at most: numbers, keys and reports. It bounds the memory that a file takes.
pub const MAX_VALUES: usize = 1 << 20;

/// One report of a trial: the numbers it gave together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// `epochs` where the file has it, else the report's place from 1.
    pub iteration: f64,
    /// Every number by its name; may be NaN or infinite.
    pub metrics: BTreeMap<String, f64>,
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
