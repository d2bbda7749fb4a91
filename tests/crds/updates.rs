//! Changes of a study that is there.

use serde_json::{Value, json};

/// Makes the study one with something in every place that changes.
pub fn full(name: &str) -> Value {
    json!({
        "/metadata/name": name,
        "/spec/parameters/-": {"name": "loss", "constant": {"a": 1}},
        "/spec/constraints": ["parameters.lr > 0.01", "parameters.units > 8"],
        "/spec/algorithm/sampler": {"chain": [{"sampler": {"list": [{"lr": 0.1}]}}, {"sampler": {"random": {}}}]},
        "/spec/history": {"from": ["s3://ml-data/runs/earlier", {"study": "earlier"}]},
        "/spec/trial/arguments": {"parameters": [{"name": "a", "value": "1"}]},
        "/spec/storage": {"outputPath": "s3://ml-data/runs", "strategy": "Best", "keepTop": 2}
    })
}

/// What may change only before the start, and the group it is in.
pub fn locked() -> Vec<(Value, &'static str)> {
    vec![
        (json!({"/spec/objectives/0/goal": "Maximize"}), "objectives"),
        (json!({"/spec/objectives/0/target": 0.1}), "objectives"),
        (json!({"/spec/parameters/0/double/max": 0.2}), "parameters"),
        (json!({"/spec/parameters/0/default": 0.05}), "parameters"),
        // What is untyped.
        (json!({"/spec/parameters/2/constant": {"a": 2}}), "parameters"),
        (json!({"/spec/parameters/2/constant": {"b": 1}}), "parameters"),
        (
            json!({"/spec/parameters/-": {"name": "more", "constant": 1}}),
            "parameters",
        ),
        // The order, which numbers the dimensions.
        (
            json!({"/spec/parameters/0": {"name": "units", "int": {"min": 8, "max": 64, "step": 8}}, "/spec/parameters/1": {"name": "lr", "double": {"min": 1e-7, "max": 0.1, "scale": "Log"}}}),
            "parameters",
        ),
        (json!({"/spec/constraints": null}), "constraints"),
        (json!({"/spec/constraints/0": "true"}), "constraints"),
        (json!({"/spec/algorithm/seed": 8}), "algorithm"),
        (
            json!({"/spec/algorithm/sampler/chain/0/sampler/list/0": {"lr": 0.2}}),
            "algorithm",
        ),
        (
            json!({"/spec/algorithm/sampler/chain/0/sampler/list/0": {"units": 8}}),
            "algorithm",
        ),
        (json!({"/spec/history": null}), "history"),
        (json!({"/spec/history/from/0": "s3://ml-data/runs/other"}), "history"),
        (json!({"/spec/history/from/1": {"study": "other"}}), "history"),
        (json!({"/spec/history/from/-": {"study": "other"}}), "history"),
        (json!({"/spec/trial/workflowTemplateRef/name": "other"}), "trial"),
        (json!({"/spec/trial/timeout": "1h"}), "trial"),
        (json!({"/spec/trial/arguments/parameters/0/value": "2"}), "trial"),
        (json!({"/spec/storage/outputPath": "s3://ml-data/other"}), "storage"),
        (json!({"/spec/storage/inputPath": "s3://ml-data/in"}), "storage"),
        (
            json!({"/spec/storage/strategy": "Keep", "/spec/storage/keepTop": 1}),
            "storage",
        ),
        (json!({"/spec/storage/onConflict": "Overwrite"}), "storage"),
        (json!({"/spec/storage/onDelete": "Delete"}), "storage"),
        (json!({"/spec/trial/workflowTTL": "2h"}), "trial"),
        (json!({"/spec/trial/metrics": {"workflowOutputs": {}}}), "trial"),
        (json!({"/spec/storage/s3": {"endpoint": "minio:9000"}}), "storage"),
    ]
}

/// Gives the study an S3 server of its own.
pub fn with_server() -> Value {
    json!({"/spec/storage/s3": {"endpoint": "minio:9000", "insecure": true, "accessKeySecret": {"name": "a", "key": "k"}}})
}

/// What of it may change only before the start.
pub fn locked_with_server() -> Vec<Value> {
    vec![
        json!({"/spec/storage/s3/endpoint": "minio:9001"}),
        json!({"/spec/storage/s3": null}),
        json!({"/spec/storage/s3": null, "/spec/storage/artifactRepositoryRef": {"key": "other"}}),
    ]
}

/// What of it may always change: where the credentials come from.
pub fn free_with_server() -> Vec<Value> {
    vec![
        json!({"/spec/storage/s3/accessKeySecret/name": "b", "/spec/storage/s3/secretKeySecret": {"name": "b", "key": "s"}}),
        json!({"/spec/storage/s3/accessKeySecret": null, "/spec/storage/s3/useSDKCreds": true}),
        json!({"/spec/storage/s3/sessionTokenSecret": {"name": "b", "key": "t"}, "/spec/storage/s3/caSecret": {"name": "ca", "key": "pem"}}),
        // How the server is spoken to.
        json!({"/spec/storage/s3/insecure": null, "/spec/storage/s3/region": "eu-central-1", "/spec/storage/s3/addressingStyle": "Path"}),
        json!({"/spec/storage/s3/encryptionOptions": {"enableEncryption": true}}),
    ]
}

/// What may always change.
pub fn free() -> Vec<Value> {
    vec![
        json!({"/spec/budget/trials": 1000}),
        json!({"/spec/budget": {"duration": "6h"}}),
        json!({"/spec/parallelism": 5}),
        json!({"/spec/retries": {"limit": 3}}),
        json!({"/spec/suspend": true}),
        json!({"/spec/shutdown": "Terminate"}),
        json!({"/spec/storage/keepTop": 5}),
        json!({"/spec/ttlAfterFinished": "1h"}),
        json!({"/spec/startDeadline": "1h"}),
        json!({"/metadata/labels": {"a": "b"}}),
        // Defaults, written out or not.
        json!({"/spec/trial/workflowTemplateRef/clusterScope": false, "/spec/trial/priority": 0, "/spec/algorithm/duplicates": "Avoid"}),
        json!({"/spec/trial/workflowTemplateRef/clusterScope": null, "/spec/parameters/1/int/scale": null, "/spec/trial/metrics": null}),
        json!({"/spec/trial/workflowTTL": "1h"}),
        json!({"/spec/trial/workflowTTL": null}),
        // Which repository of Argo gives the credentials.
        json!({"/spec/storage/artifactRepositoryRef": {}}),
        json!({"/spec/storage/artifactRepositoryRef": {"configMap": "repositories", "key": "molding"}}),
    ]
}
