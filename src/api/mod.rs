//! What users write and read: the two kinds, everything in them, and the checks on them.
//!
//! The documentation of every field here becomes `kubectl explain`; `crds/` is generated from
//! these types by `hyperstudy crd`.

mod algorithm;
pub mod check;
mod duration;
mod error;
mod history;
mod parameter;
mod rules;
pub mod schema;
mod storage;
mod study;
mod study_status;
mod trial;
mod trial_template;

pub use algorithm::*;
pub use duration::Duration;
pub use error::{FieldError, FieldErrors, sentence};
pub use history::History;
pub use parameter::*;
pub use storage::*;
pub use study::*;
pub use study_status::*;
pub use trial::*;
pub use trial_template::*;

use std::collections::BTreeMap;

/// A configuration as users see it: each active parameter's value by its name, in alphabetical order.
pub type ParameterMap = BTreeMap<String, serde_json::Value>;

/// The default of a count that is at least 1.
fn one() -> u32 {
    1
}

/// Whether a field need not be written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
