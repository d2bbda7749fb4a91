//! Objects: those that tests are made of, and how they are created and changed.

use std::fmt::Debug;

use kube::{Api, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::support::argo::Play;

/// A run that gives `(x - 0.3)²` and leaves a model.
pub fn parabola(x: f64) -> Play {
    Play::loss((x - 0.3).powi(2)).file("model.bin", vec![7; 100])
}

/// A WorkflowTemplate that takes `x` and `output_key`.
pub fn template(name: &str) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": name},
        "spec": {
            "entrypoint": "main",
            "arguments": {"parameters": [{"name": "x"}, {"name": "output_key"}]},
            "templates": [{
                "name": "main",
                "container": {"image": "train", "command": ["train"], "args": ["{{workflow.parameters.x}}"]},
                "outputs": {"artifacts": [
                    {"name": "metrics", "path": "/tmp/metrics.json", "archive": {"none": {}},
                     "s3": {"key": "{{workflow.parameters.output_key}}/metrics.json"}},
                    {"name": "model", "path": "/tmp/model.bin", "archive": {"none": {}},
                     "s3": {"key": "{{workflow.parameters.output_key}}/model.bin"}},
                ]},
            }],
        },
    })
}

/// Creates an object.
pub async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap()
}

/// Creates an object, or gives the one of its name.
pub async fn create_or_get<K>(api: &Api<K>, object: Value) -> K
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    match api.get_opt(&name).await.unwrap() {
        Some(found) => found,
        None => create(api, object).await,
    }
}

/// Creates an object or changes it by a merge patch.
pub(super) async fn apply<K>(api: &Api<K>, object: Value)
where
    K: Resource + Clone + Debug + Serialize + DeserializeOwned,
{
    let name = object["metadata"]["name"].as_str().unwrap();
    if api.get_opt(name).await.unwrap().is_some() {
        change(api, name, &object).await;
    } else {
        create(api, object).await;
    }
}

/// Changes an object by a merge patch.
pub async fn change<K>(api: &Api<K>, name: &str, patch: &Value) -> K
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    api.patch(name, &Default::default(), &kube::api::Patch::Merge(patch))
        .await
        .unwrap()
}

/// A JSON merge patch, as RFC 7386 has it.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}
