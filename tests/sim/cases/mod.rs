//! What is tried in the world.

mod alike;
mod objects;

use serde_json::{Value, json};

/// A study that the rules take.
pub fn study(name: &str) -> Value {
    json!({
        "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy", "metadata": {"name": name},
        "spec": {
            "objectives": [{"metric": "loss", "goal": "Minimize"}],
            "parameters": [{"name": "lr", "double": {"min": 0.001, "max": 1.0}}],
            "algorithm": {"sampler": {"random": {}}, "seed": 1},
            "budget": {"trials": 12},
            "trial": {"workflowTemplateRef": {"name": "fit"}},
            "storage": {"outputPath": "s3://data/runs"},
        },
    })
}

/// A trial that the rules take.
pub fn trial(study: &str, number: u32) -> Value {
    json!({
        "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterTrial",
        "metadata": {"name": format!("{study}-{number}")},
        "spec": {"studyRef": {"name": study}, "number": number, "parameters": {"lr": 0.1}},
    })
}

/// A Workflow with labels.
pub fn workflow(name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": name, "labels": labels}, "spec": {"entrypoint": "main"},
    })
}
