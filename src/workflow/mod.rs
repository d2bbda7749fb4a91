//! Argo Workflows: a trial's attempt as one, what a Workflow's state means, what a study needs of a WorkflowTemplate. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    api::FieldErrors,
    study::{Failure, RunState, Study, Trial},
};

/// The label on our Workflows that names the study.
pub const STUDY_LABEL: &str = "hyperstudy.dev/study";
/// The label on our Workflows that holds the study's UID.
pub const STUDY_UID_LABEL: &str = "hyperstudy.dev/study-uid";
/// The label on our Workflows that holds the trial's number.
pub const TRIAL_LABEL: &str = "hyperstudy.dev/trial";
/// The label on our Workflows that holds the attempt.
pub const ATTEMPT_LABEL: &str = "hyperstudy.dev/attempt";

/// The object that owns a Workflow: the trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// What a study has to know of its WorkflowTemplate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {}

impl Template {
    /// Checks a template against a study. `others` are the templates that it refers to, by kind and name.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn check(
        study: &Study,
        template: &Value,
        others: &BTreeMap<(String, String), Value>,
    ) -> Result<Self, FieldErrors> {
        let _ = (study, template, others);
        todo!()
    }

    /// The `artifactRepositoryRef` that it declares.
    pub fn repository(&self) -> Option<&Value> {
        todo!()
    }
}

/// The Workflow of a trial's attempt. `instance_id` is that of the Argo installation, where it has one.
///
/// # Errors
/// An argument that cannot be rendered for this trial.
pub fn manifest(
    study: &Study,
    template: &Template,
    trial: &Trial,
    attempt: u32,
    owner: &Owner,
    instance_id: Option<&str>,
) -> Result<Value, String> {
    let _ = (study, template, trial, attempt, owner, instance_id);
    todo!()
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
    let _ = labels;
    todo!()
}

/// How a whole Workflow stands, and why. `pod_reasons` are those of its pods that could be read (`Preempting`, `Evicted`, ...).
pub fn state(workflow: &Value, pod_reasons: &[String]) -> RunState {
    let _ = (workflow, pod_reasons, Failure::Failed);
    todo!()
}

/// The output parameters of a Workflow as a metrics file: a JSON object of those that are numbers.
pub fn outputs(workflow: &Value) -> Vec<u8> {
    let _ = workflow;
    todo!()
}

/// The pods that failed in a Workflow: those whose reasons [`state`] may want.
pub fn failed_pods(workflow: &Value) -> Vec<String> {
    let _ = workflow;
    todo!()
}
