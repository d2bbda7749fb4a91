//! What users write and read: the two kinds, everything in them, and the checks on them.
//!
//! The documentation of every field here becomes `kubectl explain`; `crds/` is generated from
//! these types by `hyperstudy crd`.

mod duration;
mod error;
mod study;
mod study_status;
mod trial;

pub use duration::Duration;
pub use error::{FieldError, FieldErrors};
pub use study::*;
pub use study_status::*;
pub use trial::*;

use std::collections::BTreeMap;

/// A configuration as users see it: each active parameter's value by its name, in alphabetical order.
pub type ParameterMap = BTreeMap<String, serde_json::Value>;
