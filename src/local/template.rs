//! An Argo WorkflowTemplate as a process of this machine: which of its templates runs, what it declares, and what to run for given arguments.
//!
//! Only `container` and `script` templates are processes; everything else is for a cluster, and is said to be. Pure: what is to be
//! written, fetched and run comes out as data.

mod artifact;
mod environment;
mod find;
mod invocation;
mod parameters;
mod paths;
mod substitute;
#[cfg(test)]
mod tests;
mod unsupported;

use std::{collections::BTreeMap, path::PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use artifact::{Archive, Input, InputSource, Output};
pub use parameters::Declared;

use crate::api::FieldErrors;

/// A template that runs as a process: the entrypoint of a WorkflowTemplate, checked.
#[derive(Clone, Debug)]
pub struct Template {
    /// What the workflow-level `spec` declares.
    workflow: parameters::Level,
    /// What the entrypoint declares.
    inputs: parameters::Level,
    /// The entrypoint's name.
    name: String,
    /// Where the entrypoint stands, e.g. `spec.templates[2]`.
    path: String,
    body: Body,
    artifacts: artifact::Artifacts,
    warnings: Vec<String>,
}

/// What runs.
#[derive(Clone, Debug)]
struct Body {
    /// `container` or `script`.
    kind: &'static str,
    command: Vec<String>,
    args: Vec<String>,
    env: Vec<environment::Variable>,
    working_dir: Option<String>,
    /// Of a script.
    source: Option<String>,
}

/// What Argo would know of the Workflow that runs a trial.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkflowFacts {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its priority.
    pub priority: i32,
}

/// A process to run, the files that it needs before and those that it leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// A script's file and what is to be in it.
    pub script: Option<(PathBuf, String)>,
    /// Environment variables, in order, each name once.
    pub env: Vec<(String, String)>,
    /// The folder to run in, where the template names one that lies in an artifact.
    pub working_dir: Option<PathBuf>,
    /// The artifacts to fetch before.
    pub inputs: Vec<Input>,
    /// The artifacts to keep after success.
    pub outputs: Vec<Output>,
}

impl Template {
    /// The name of the template that runs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the template says and a process on this machine does not heed, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Reads `value`, which stands at `path`, as a `T`; its default where there is none.
fn read<T: DeserializeOwned + Default>(value: Option<&Value>, path: &str, errors: &mut FieldErrors) -> T {
    match value {
        None | Some(Value::Null) => T::default(),
        Some(value) => T::deserialize(value).unwrap_or_else(|error| {
            errors.push(path, format!("cannot be read: {error}"));
            T::default()
        }),
    }
}

/// Whether there is anything in `value` at `key`.
fn has(value: &Value, key: &str) -> bool {
    match value.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(_) => true,
    }
}

/// The one of `names` that is most like `name`, where one is like it.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

/// Names for a message: `` `a`, `b` ``.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
