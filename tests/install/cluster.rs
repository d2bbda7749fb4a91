//! The API server with the manifests installed in it, and with people who may do this and that.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;
use k8s_openapi::{
    api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Error,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{objects, support::apiserver::ApiServer};

/// The controller of the manifests, as the API server names it.
pub const CONTROLLER: &str = "system:serviceaccount:hyperstudy:hyperstudy";

/// An administrator's client, once the manifests and the people are there, and the policies hold.
pub async fn installed() -> Client {
    static INSTALLED: OnceCell<bool> = OnceCell::const_new();
    let client = ApiServer::shared().client();
    // What fails for the first test is not waited for by every other.
    let installing = || AssertUnwindSafe(install(&client)).catch_unwind();
    let is_there = *INSTALLED.get_or_init(async || installing().await.is_ok()).await;
    assert!(is_there, "the manifests are not installed: another test says why");
    client
}

/// Somebody's client.
pub fn someone(user: &str) -> Client {
    ApiServer::shared().client_as(user)
}

async fn install(client: &Client) {
    for object in objects::manifests() {
        apply(client, &object, false).await.unwrap();
        if object["kind"] == "CustomResourceDefinition" {
            established(client, object["metadata"]["name"].as_str().unwrap()).await;
        }
    }
    for namespace in ["ml", "argo", "elsewhere"] {
        apply(client, &named("v1", "Namespace", namespace), false)
            .await
            .unwrap();
    }
    for (user, namespace, role) in [
        ("viewer", "ml", "hyperstudy-view"),
        ("editor", "ml", "hyperstudy-edit"),
        ("author", "ml", "hyperstudy-edit"),
        ("author", "ml", "argo-edit"),
        ("stranger", "ml", "hyperstudy-edit"),
        ("stranger", "elsewhere", "argo-edit"),
    ] {
        bind(client, user, namespace, role).await;
    }
    // What Argo itself brings for its users.
    let mut argo = named("rbac.authorization.k8s.io/v1", "ClusterRole", "argo-edit");
    argo["rules"] = json!([{"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create", "get"]}]);
    apply(client, &argo, false).await.unwrap();
    // The server's own view of roles and policies follows a moment later.
    for (user, namespace, verb, group, resource) in [
        ("stranger", "elsewhere", "create", "argoproj.io", "workflows"),
        (CONTROLLER, "ml", "get", "", "secrets"),
        (CONTROLLER, "ml", "get", "argoproj.io", "clusterworkflowtemplates"),
        (CONTROLLER, "hyperstudy", "create", "coordination.k8s.io", "leases"),
    ] {
        until(async || may(&someone(user), namespace, verb, group, resource).await).await;
    }
    let words = ["needs a role in ml", "only the controller"];
    let editor = someone("editor");
    let refused = async |client, object: &Value, words| match create(client, object, true).await {
        Err(Error::Api(status)) if status.code == 403 => status.message.contains(words),
        Err(e) => panic!("{e}"),
        Ok(_) => false,
    };
    until(async || refused(&editor, &study("waiting"), words[0]).await).await;
    until(async || refused(client, &trial("waiting", Some(1)), words[1]).await).await;
}

/// Waits for a condition.
pub async fn until(condition: impl AsyncFn() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap();
}

pub async fn established(client: &Client, name: &str) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let plural = name.split('.').next().unwrap();
    let served = format!("/apis/hyperstudy.dev/v1alpha1/{plural}");
    until(async || {
        let conditions = api.get(name).await.unwrap().status.and_then(|s| s.conditions);
        let is = conditions
            .unwrap_or_default()
            .iter()
            .any(|c| c.type_ == "Established" && c.status == "True");
        let request = http::Request::get(&served).body(Vec::new()).unwrap();
        is && client.request_text(request).await.is_ok()
    })
    .await;
}

/// An object with a name and nothing else.
pub fn named(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

pub async fn bind(client: &Client, user: &str, namespace: &str, role: &str) {
    let mut binding = named("rbac.authorization.k8s.io/v1", "RoleBinding", &format!("{user}-{role}"));
    binding["metadata"]["namespace"] = json!(namespace);
    binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role});
    binding["subjects"] = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]);
    apply(client, &binding, false).await.unwrap();
}

/// A good study.
pub fn study(name: &str) -> Value {
    json!({
        "apiVersion": "hyperstudy.dev/v1alpha1",
        "kind": "HyperparameterStudy",
        "metadata": {"name": name, "namespace": "ml"},
        "spec": {
            "objectives": [{"metric": "loss", "goal": "Minimize"}],
            "algorithm": {"sampler": {"random": {}}},
            "parameters": [{"name": "lr", "double": {"min": 0.001, "max": 1}}],
            "budget": {"trials": 3},
            "trial": {"workflowTemplateRef": {"name": "train"}},
            "storage": {"artifactRepositoryRef": {}, "outputPath": "s3://bucket/runs"}
        }
    })
}

/// A trial of a study with a number, or without one: a request.
pub fn trial(study: &str, number: Option<u32>) -> Value {
    let mut trial = json!({
        "apiVersion": "hyperstudy.dev/v1alpha1",
        "kind": "HyperparameterTrial",
        "metadata": {"generateName": format!("{study}-wish-"), "namespace": "ml"},
        "spec": {"studyRef": {"name": study}, "parameters": {"lr": 0.5}}
    });
    if let Some(number) = number {
        trial["metadata"] = json!({"name": format!("{study}-{number}"), "namespace": "ml"});
        trial["spec"]["number"] = json!(number);
        trial["spec"]["origin"] = json!({"sampler": "random", "index": 0});
    }
    trial
}

/// The API of an object's kind, in its namespace.
pub fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let gvk = GroupVersionKind::gvk(group, version, kind);
    let resource = match kind {
        "HyperparameterStudy" => ApiResource::from_gvk_with_plural(&gvk, "hyperparameterstudies"),
        _ => ApiResource::from_gvk(&gvk),
    };
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// Creates an object.
pub async fn create(client: &Client, object: &Value, dry_run: bool) -> Result<DynamicObject, Error> {
    let params = PostParams {
        dry_run,
        field_manager: None,
    };
    let dynamic = serde_json::from_value(object.clone()).unwrap();
    api(client, object).create(&params, &dynamic).await
}

/// Applies an object on the server's side, as strictly as that can be done.
pub async fn apply(client: &Client, object: &Value, dry_run: bool) -> Result<DynamicObject, Error> {
    let params = PatchParams {
        dry_run,
        ..PatchParams::apply("test").force().validation_strict()
    };
    let name = object["metadata"]["name"].as_str().unwrap();
    api(client, object).patch(name, &params, &Patch::Apply(object)).await
}

/// Whether the owner of this client may do something, as the API server says. `resource` may be `kind/subresource`, and `kind:name`.
pub async fn may(client: &Client, namespace: &str, verb: &str, group: &str, resource: &str) -> bool {
    let (resource, name) = resource.split_once(':').unwrap_or((resource, ""));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let some = |s: &str| Some(s.to_owned()).filter(|s| !s.is_empty());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: some(namespace),
                verb: some(verb),
                group: some(group),
                resource: some(resource),
                subresource: some(subresource),
                name: some(name),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::all(client.clone())
        .create(&PostParams::default(), &review)
        .await
        .unwrap();
    answer.status.unwrap().allowed
}
