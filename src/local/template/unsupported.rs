//! What a template may say that a process on this machine cannot do, or does not heed.

use serde_json::Value;

use super::has;
use crate::api::FieldErrors;

const NEEDS_A_CLUSTER: &str = "needs a cluster: `hyperstudy run` starts the main process only";

/// Notes what cannot be left out without changing what the template does.
pub(super) fn check(template: &Value, container: &Value, path: &str, body_path: &str, errors: &mut FieldErrors) {
    if has(template, "initContainers") {
        errors.push(format!("{path}.initContainers"), NEEDS_A_CLUSTER);
    }
    if template.get("daemon") == Some(&Value::Bool(true)) {
        errors.push(format!("{path}.daemon"), NEEDS_A_CLUSTER);
    }
    if has(container, "volumeDevices") {
        errors.push(format!("{body_path}.volumeDevices"), NEEDS_A_CLUSTER);
    }
}

/// What is left out.
pub(super) fn warnings(spec: &Value, template: &Value, container: &Value, path: &str, body_path: &str) -> Vec<String> {
    let of_spec = [
        ("templateDefaults", "is not heeded on this machine"),
        ("onExit", "is not run on this machine"),
        ("hooks", "are not run on this machine"),
        ("podSpecPatch", "is not heeded on this machine"),
        ("synchronization", "is not heeded on this machine"),
        (
            "activeDeadlineSeconds",
            "is not heeded on this machine: the study's `trial.timeout` is",
        ),
    ];
    let of_template = [
        ("sidecars", "are not started on this machine"),
        (
            "retryStrategy",
            "is not heeded on this machine: the study's `retries` are",
        ),
        ("podSpecPatch", "is not heeded on this machine"),
        ("synchronization", "is not heeded on this machine"),
        ("memoize", "is not heeded on this machine"),
        ("hooks", "are not run on this machine"),
        (
            "timeout",
            "is not heeded on this machine: the study's `trial.timeout` is",
        ),
        (
            "activeDeadlineSeconds",
            "is not heeded on this machine: the study's `trial.timeout` is",
        ),
    ];
    let of_container = [
        ("resources", "do not limit a process on this machine"),
        (
            "volumeMounts",
            "are not mounted on this machine: the process sees the folders of this machine at these paths",
        ),
        (
            "workingDir",
            "is heeded on this machine only where it lies in an artifact: else the process runs in the caller's folder",
        ),
        ("lifecycle", "is not heeded on this machine"),
    ];
    let of = |value: &Value, path: &str, fields: &[(&str, &str)]| -> Vec<String> {
        fields
            .iter()
            .filter(|(field, _)| has(value, field))
            .map(|(field, message)| format!("{path}.{field}: {message}"))
            .collect()
    };
    let mut all = of(spec, "spec", &of_spec);
    all.extend(of(template, path, &of_template));
    all.extend(of(container, body_path, &of_container));
    all
}
