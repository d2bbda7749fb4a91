//! What a Workflow of ours must look like, more strictly than Argo itself asks.

use std::collections::HashSet;

use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

/// The fields of a spec that `templateReferencing: Strict` lets stand beside `workflowTemplateRef`.
const STRICT: [&str; 14] = [
    "workflowTemplateRef",
    "arguments",
    "entrypoint",
    "shutdown",
    "suspend",
    "activeDeadlineSeconds",
    "priority",
    "ttlStrategy",
    "podGC",
    "volumeClaimGC",
    "archiveLogs",
    "workflowMetadata",
    "metrics",
    "artifactGC",
];

/// The longest name that the label on a Workflow's pods takes.
const LONGEST: usize = 63;

/// Everything that is wrong with a Workflow of a study.
pub(super) fn violations(object: &DynamicObject) -> Vec<String> {
    let mut found = Vec::new();
    let name = object.name_any();
    let labels = object.labels();
    let label = |name: &str| labels.get(&format!("hyperstudy.dev/{name}")).map_or("", String::as_str);
    if name.len() > LONGEST {
        found.push(format!("its name has {} characters", name.len()));
    }
    let trial = format!("{}-{}", label("study"), label("trial"));
    if name != format!("{trial}-{}", label("attempt")) {
        found.push(format!("its name is not that of its labels: {labels:?}"));
    }
    if label("study-uid").is_empty() {
        found.push("it does not say which study it belongs to".to_owned());
    }
    match object.owner_references() {
        [owner] if owner.kind == "HyperparameterTrial" && owner.name == trial => {}
        owners => found.push(format!("its owner is not its trial: {owners:?}")),
    }
    if !object.data["status"].is_null() {
        found.push("it comes with a status".to_owned());
    }
    spec(&object.data["spec"], &mut found);
    found
}

fn spec(spec: &Value, found: &mut Vec<String>) {
    let fields = spec.as_object().into_iter().flatten();
    for (field, value) in fields {
        let is_right = match field.as_str() {
            "workflowTemplateRef" => reference(value),
            "entrypoint" => value.is_string(),
            "shutdown" => value == "Stop" || value == "Terminate",
            "suspend" => value.is_boolean(),
            "activeDeadlineSeconds" => value.as_i64().is_some_and(|s| s > 0),
            "priority" => value.as_i64().is_some_and(|p| i32::try_from(p).is_ok()),
            "ttlStrategy" => value.as_object().is_some_and(|t| t.values().all(Value::is_u64)),
            "arguments" => continue,
            "artifactGC" => value["serviceAccountName"].is_null() && value["strategy"].is_string(),
            other => STRICT.contains(&other),
        };
        if !is_right {
            found.push(format!("Argo would refuse spec.{field}: {value}"));
        }
    }
    if spec["workflowTemplateRef"].is_null() {
        found.push("it has no workflowTemplateRef".to_owned());
    }
    let mut names = HashSet::new();
    let parameters = &spec["arguments"]["parameters"];
    if !parameters.is_null() && !parameters.is_array() {
        found.push(format!("its arguments are no list: {parameters}"));
    }
    for parameter in parameters.as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let is_name = !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c));
        if !is_name || !parameter["value"].is_string() {
            found.push(format!("Argo would refuse the argument {parameter}"));
        }
        if !names.insert(name) {
            found.push(format!("the argument `{name}` stands twice"));
        }
    }
}

fn reference(value: &Value) -> bool {
    let fields = value.as_object().into_iter().flatten();
    let known = |(name, value): (&String, &Value)| match name.as_str() {
        "name" => value.as_str().is_some_and(|name| !name.is_empty()),
        "clusterScope" => value.is_boolean(),
        _ => false,
    };
    !value["name"].is_null() && fields.into_iter().all(known)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn workflow(change: &Value) -> DynamicObject {
        let mut object = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
            "metadata": {
                "name": "s-1-2",
                "labels": {
                    "hyperstudy.dev/study": "s", "hyperstudy.dev/study-uid": "u",
                    "hyperstudy.dev/trial": "1", "hyperstudy.dev/attempt": "2",
                },
                "ownerReferences": [{"apiVersion": "x", "kind": "HyperparameterTrial", "name": "s-1", "uid": "t"}],
            },
            "spec": {
                "workflowTemplateRef": {"name": "train"},
                "arguments": {"parameters": [{"name": "x", "value": "1"}]},
                "activeDeadlineSeconds": 5, "ttlStrategy": {"secondsAfterCompletion": 3600},
                "artifactGC": {"strategy": "Never"},
            },
        });
        super::super::super::lab::merge(&mut object, change);
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn finds_what_argo_would_refuse() {
        assert_eq!(violations(&workflow(&json!({}))), [""; 0]);
        for change in [
            json!({"metadata": {"name": "other"}}),
            json!({"metadata": {"labels": {"hyperstudy.dev/attempt": "3"}}}),
            json!({"metadata": {"labels": {"hyperstudy.dev/study-uid": null}}}),
            json!({"metadata": {"ownerReferences": null}}),
            json!({"status": {"phase": "Running"}}),
            json!({"spec": {"workflowTemplateRef": null}}),
            json!({"spec": {"serviceAccountName": "x"}}),
            json!({"spec": {"activeDeadlineSeconds": "5"}}),
            json!({"spec": {"priority": "high"}}),
            json!({"spec": {"arguments": {"parameters": [{"name": "x", "value": 1}]}}}),
            json!({"spec": {"arguments": {"parameters": [{"name": "a.b", "value": "1"}]}}}),
            json!({"spec": {"arguments": {"parameters": [{"name": "x", "value": "1"}, {"name": "x", "value": "2"}]}}}),
        ] {
            assert!(!violations(&workflow(&change)).is_empty(), "{change}");
        }
    }
}
