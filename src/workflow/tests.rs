#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ends;
mod manifests;
mod metrics;
mod properties;
mod reached;
mod templates;
mod values;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::{FieldErrors, StudySpec},
    study::{Identity, Study},
};

/// A study's spec with `change` made in it, by JSON pointer.
fn spec(change: &Value) -> Value {
    let mut spec = json!({
        "objectives": [{"metric": "loss", "goal": "Minimize"}],
        "parameters": [
            {"name": "lr", "double": {"min": 1e-7, "max": 0.1, "scale": "Log"}},
            {"name": "units", "int": {"min": 8, "max": 64}},
            {"name": "optimizer", "categorical": {"values": ["adam", "sgd"], "weights": [1e9, 1]}},
            {"name": "momentum", "double": {"min": 0, "max": 0.99}, "when": "parameters.optimizer == \"sgd\""}
        ],
        "algorithm": {"sampler": {"random": {}}},
        "budget": {"trials": 10},
        "trial": {"workflowTemplateRef": {"name": "ffnn"}},
        "storage": {"outputPath": "s3://ml-data/runs"}
    });
    for (path, value) in change.as_object().unwrap() {
        let (parent, name) = path.rsplit_once('/').unwrap();
        match (spec.pointer_mut(parent).unwrap(), name.parse::<usize>()) {
            (Value::Array(items), Ok(index)) => items[index] = value.clone(),
            (parent, _) => parent[name] = value.clone(),
        }
    }
    spec
}

fn compile(spec: Value) -> Result<Study, FieldErrors> {
    let spec: StudySpec = serde_json::from_value(spec).unwrap();
    let identity = Identity {
        name: "molding".into(),
        namespace: "ml".into(),
        uid: "0f0e".into(),
        generation: 1,
        created: Timestamp::UNIX_EPOCH,
        deleting: false,
    };
    Study::compile(identity, spec, &[])
}

fn study(change: &Value) -> Study {
    compile(spec(change)).unwrap()
}
