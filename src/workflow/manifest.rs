//! The Workflow of a trial's attempt.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Map, Value, json};

use super::{
    ATTEMPT_LABEL, INSTANCE_LABEL, Owner, STUDY_LABEL, STUDY_UID_LABEL, TRIAL_LABEL, Template, passed::passed,
};
use crate::study::{Study, Trial};

/// The longest time in seconds that Kubernetes takes, some 68 years.
const LONGEST: u64 = i32::MAX.unsigned_abs() as u64;

/// The Workflow of a trial's attempt. `instance_id` is that of the Argo installation, where it has one; a label of the study's own that
/// says the same counts more.
///
/// Beside `workflowTemplateRef` it sets only what an Argo that allows nothing but references lets anybody set.
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
    let spec = &study.spec.trial;
    let reference = spec
        .workflow_template_ref
        .as_ref()
        .ok_or("spec.trial.workflowTemplateRef: is missing: name the WorkflowTemplate that each trial runs")?;
    let facts = study.trial_facts(trial.number, attempt, trial.continues);
    let passed = passed(study, &template.accepted, &trial.parameters, &facts).map_err(|errors| errors.to_string())?;
    let parameters: Vec<Value> = passed
        .into_iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();

    let mut workflow_ref = Map::new();
    workflow_ref.insert("name".to_owned(), json!(reference.name));
    if reference.cluster_scope {
        workflow_ref.insert("clusterScope".to_owned(), json!(true));
    }
    let mut workflow = Map::new();
    let mut set = |name: &str, value: Value| workflow.insert(name.to_owned(), value);
    set("workflowTemplateRef", Value::Object(workflow_ref));
    if let Some(entrypoint) = &spec.entrypoint {
        set("entrypoint", json!(entrypoint));
    }
    if !parameters.is_empty() {
        set("arguments", json!({"parameters": parameters}));
    }
    if let Some(timeout) = spec.timeout {
        set("activeDeadlineSeconds", json!(seconds(timeout.0).max(1)));
    }
    if spec.priority != 0 {
        set("priority", json!(spec.priority));
    }
    let ttl = seconds(spec.workflow_ttl.0);
    set("ttlStrategy", json!({"secondsAfterCompletion": ttl}));
    // The study decides which files stay.
    set("artifactGC", json!({"strategy": "Never"}));

    let mut metadata = json!({
        "name": study.run_name(trial.number, attempt),
        "namespace": study.namespace,
        "labels": labels(study, trial.number, attempt, instance_id),
        "ownerReferences": [{
            "apiVersion": "hyperstudy.dev/v1alpha1",
            "kind": "HyperparameterTrial",
            "name": owner.name,
            "uid": owner.uid,
            "controller": true,
            "blockOwnerDeletion": false,
        }],
    });
    if !spec.metadata.annotations.is_empty() {
        metadata["annotations"] = json!(spec.metadata.annotations);
    }
    Ok(json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": metadata,
        "spec": workflow,
    }))
}

/// The labels by which a study's Workflows are watched.
pub fn watch_labels(study: &Study) -> BTreeMap<String, String> {
    [(STUDY_LABEL, &study.name), (STUDY_UID_LABEL, &study.uid)]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .into()
}

fn labels(study: &Study, number: u32, attempt: u32, instance_id: Option<&str>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    if let Some(id) = instance_id {
        labels.insert(INSTANCE_LABEL.to_owned(), id.to_owned());
    }
    labels.extend(study.spec.trial.metadata.labels.clone());
    labels.extend(watch_labels(study));
    labels.insert(TRIAL_LABEL.to_owned(), number.to_string());
    labels.insert(ATTEMPT_LABEL.to_owned(), attempt.to_string());
    labels
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u64 {
    let up = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    up.min(LONGEST)
}
