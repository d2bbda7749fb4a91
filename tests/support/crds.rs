//! The kinds on the API server: ours as `crds/` has them, and as much of Argo's as it takes to store their objects.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{ApiResource, Patch, PatchParams},
};
use serde_json::json;
use tokio::sync::OnceCell;

/// Applies `crds/` as it stands in the repository to the server of this test program, once.
pub async fn ours(client: &Client) {
    static APPLIED: OnceCell<()> = OnceCell::const_new();
    APPLIED.get_or_init(|| apply_ours(client)).await;
}

/// Applies Argo's kinds without their schemas, once. A Workflow's status is no subresource, as in Argo.
pub async fn argo(client: &Client) {
    static APPLIED: OnceCell<()> = OnceCell::const_new();
    APPLIED.get_or_init(|| apply_argo(client)).await;
}

/// Applies both to a server of a test's own.
pub async fn all(client: &Client) {
    apply_ours(client).await;
    apply_argo(client).await;
}

async fn apply_ours(client: &Client) {
    for file in ["hyperparameterstudies.yaml", "hyperparametertrials.yaml"] {
        let text = std::fs::read_to_string(format!("{}/crds/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        apply(client, &serde_saphyr::from_str(&text).unwrap()).await;
    }
}

async fn apply_argo(client: &Client) {
    for kind in [WORKFLOW, TEMPLATE, CLUSTER_TEMPLATE] {
        apply(client, &minimal(kind)).await;
    }
}

const WORKFLOW: &str = "Workflow";
const TEMPLATE: &str = "WorkflowTemplate";
const CLUSTER_TEMPLATE: &str = "ClusterWorkflowTemplate";

/// Workflows, as a resource that `Api<DynamicObject>` takes.
pub fn workflows() -> ApiResource {
    resource(WORKFLOW)
}

/// WorkflowTemplates.
pub fn templates() -> ApiResource {
    resource(TEMPLATE)
}

/// ClusterWorkflowTemplates.
pub fn cluster_templates() -> ApiResource {
    resource(CLUSTER_TEMPLATE)
}

fn resource(kind: &str) -> ApiResource {
    ApiResource {
        group: "argoproj.io".into(),
        version: "v1alpha1".into(),
        api_version: "argoproj.io/v1alpha1".into(),
        kind: kind.into(),
        plural: plural(kind),
    }
}

fn plural(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

fn minimal(kind: &str) -> CustomResourceDefinition {
    let plural = plural(kind);
    let scope = if kind == CLUSTER_TEMPLATE {
        "Cluster"
    } else {
        "Namespaced"
    };
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"type": "object", "required": ["metadata", "spec"], "properties": {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "x-kubernetes-map-type": "atomic"},
        "status": open,
    }});
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.argoproj.io")},
        "spec": {
            "group": "argoproj.io",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
            "scope": scope,
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    });
    serde_json::from_value(crd).unwrap()
}

/// Applies a definition and waits until its objects can be asked for.
async fn apply(client: &Client, crd: &CustomResourceDefinition) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = crd.metadata.name.as_deref().unwrap();
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(crd))
        .await
        .unwrap();
    loop {
        let status = api.get(name).await.unwrap().status;
        let conditions = status.and_then(|s| s.conditions).unwrap_or_default();
        let holds = |kind: &str| conditions.iter().any(|c| c.type_ == kind && c.status == "True");
        assert!(!holds("NonStructuralSchema"), "{conditions:?}");
        if holds("Established") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Established a moment before it is served.
    let served = format!(
        "/apis/{}/{}/{}",
        crd.spec.group, crd.spec.versions[0].name, crd.spec.names.plural
    );
    let ask = || http::Request::get(&served).body(Vec::new()).unwrap();
    while client.request_text(ask()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
