//! What the two forms of the installation consist of.

use std::fs;

use serde_json::{Value, json};

use crate::support::tools;

/// The objects in a YAML text.
fn parse(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap_or_else(|e| panic!("{e}"))
}

/// What `kubectl apply -k manifests/` applies.
pub fn manifests() -> Vec<Value> {
    parse(&tools::run("kustomize", &["build", "manifests"]).unwrap())
}

/// What `helm install` of the chart in `charts/` applies, or why it does not.
pub fn chart(release: &str, namespace: &str, values: &Value) -> Result<Vec<Value>, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.json");
    fs::write(&file, values.to_string()).unwrap();
    let arguments = [
        "template",
        release,
        "charts/hyperstudy",
        "--include-crds",
        "--namespace",
        namespace,
        "--values",
        file.to_str().unwrap(),
    ];
    tools::run("helm", &arguments).map(|yaml| parse(&yaml))
}

/// The object of this kind and name.
pub fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    let is_it = |o: &&Value| o["kind"] == kind && o["metadata"]["name"] == name;
    objects.iter().find(is_it)
}

/// Values that set everything.
pub fn all_values() -> Value {
    json!({
        "image": {"repository": "registry.example:5000/ml/hyperstudy", "tag": "1.2.3", "pullPolicy": "Always", "pullSecrets": ["registry"]},
        "replicas": 2,
        "scope": "namespace",
        "namespace": "served",
        "clusterWorkflowTemplates": true,
        "argo": {"namespace": "argo-system", "configMap": "argo-config", "artifactRepositories": ["repositories", "others"], "instanceId": "second"},
        "admissionPolicy": {"enabled": true},
        "userRoles": {"enabled": true},
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}},
        "extraArgs": ["--allow-endpoint=minio:9000", "--allow-ambient-credentials=served=s3://bucket/runs"],
        "extraEnv": [
            {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
            {"name": "AWS_REGION", "valueFrom": {"configMapKeyRef": {"name": "aws", "key": "region", "optional": true}}}
        ],
        "podSecurity": {"runAsUser": 1000700000, "runAsGroup": 1000700001},
        "resources": {"requests": {"cpu": 0.5, "memory": "1Gi"}, "limits": {"cpu": 2, "memory": "2Gi"}},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 1,
            "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "hyperstudy"}}}
        }]}}
    })
}
