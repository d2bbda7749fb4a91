//! Argo Workflows: a trial's attempt as one, what a Workflow's state means, what a study needs of a WorkflowTemplate.
//!
//! Pure, and without Argo's types: templates and Workflows are JSON that others wrote, of which only what matters here is read, and
//! in which nothing is taken for granted.

mod artifacts;
mod declared;
mod failures;
mod manifest;
mod nodes;
mod outputs;
mod passed;
mod reach;
mod state;
mod template;
#[cfg(test)]
mod tests;

pub use failures::pods_to_read;
pub use manifest::{manifest, watch_labels};
pub use outputs::outputs;
pub use state::{blames_template, pod_reason, state, without_template};
pub use template::{Template, TemplateKey};

use std::collections::BTreeMap;

use serde_json::Value;

/// The label on our Workflows that names the study.
pub const STUDY_LABEL: &str = "hyperstudy.dev/study";
/// The label on our Workflows that holds the study's UID.
pub const STUDY_UID_LABEL: &str = "hyperstudy.dev/study-uid";
/// The label on our Workflows that holds the trial's number.
pub const TRIAL_LABEL: &str = "hyperstudy.dev/trial";
/// The label on our Workflows that holds the attempt.
pub const ATTEMPT_LABEL: &str = "hyperstudy.dev/attempt";

/// Argo's label that says whether it is done with a Workflow; a phase is final only with it.
/// Argo's label that says whether a Workflow is over.
pub const COMPLETED_LABEL: &str = "workflows.argoproj.io/completed";
/// Argo's label that holds a Workflow's phase.
const PHASE_LABEL: &str = "workflows.argoproj.io/phase";
/// Argo's label that says which installation of it looks after a Workflow.
const INSTANCE_LABEL: &str = "workflows.argoproj.io/controller-instanceid";

/// The object that owns a Workflow: the trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// How a Workflow stands as far as its labels say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not over.
    Active,
    /// Over, and it succeeded.
    Succeeded,
    /// Over, and it did not succeed: why stands in its status.
    Unsuccessful,
}

/// What the labels of a Workflow say.
pub fn seen(labels: &BTreeMap<String, String>) -> Seen {
    let label = |name: &str| labels.get(name).map(String::as_str);
    match (label(COMPLETED_LABEL), label(PHASE_LABEL)) {
        (Some("true"), Some("Succeeded")) => Seen::Succeeded,
        (Some("true"), _) => Seen::Unsuccessful,
        // A Workflow that a person has Argo retry keeps its old phase.
        _ => Seen::Active,
    }
}

/// Whether the labels of a Workflow say that Argo has begun to run it. Before, it may wait for its turn.
pub fn is_running(labels: &BTreeMap<String, String>) -> bool {
    labels.get(PHASE_LABEL).is_some_and(|phase| phase == "Running") && seen(labels) == Seen::Active
}

/// The text at `key`, empty where there is none.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The items of the list at `key`; none where there is no list.
fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What is at `key`, where it is anything but null.
fn at<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|value| !value.is_null())
}

/// Names for a message: `` `a`, `b` ``.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
