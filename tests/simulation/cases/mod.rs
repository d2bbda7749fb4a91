//! What is tried in the world.

mod alike;
mod bad_input;
mod buckets;
mod lab;
mod lives;
mod objects;
mod planted;
mod seeds;
mod singles;
mod stand_in;
mod steps;
mod studies;
mod troubles;
mod watches;

use kube::{
    Api,
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use crate::{
    cluster::Kind,
    world::{NAMESPACE, World},
};

/// The objects of a kind, as a client that knows nothing of them sees them.
pub fn dynamic(world: &World, plural: &str) -> Api<DynamicObject> {
    let kind = Kind::plural(plural);
    let known = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
    let resource = ApiResource::from_gvk_with_plural(&known, kind.plural);
    Api::namespaced_with(world.cluster.client(NAMESPACE), NAMESPACE, &resource)
}

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
