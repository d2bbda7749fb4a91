//! The API server with the two kinds in it, spoken to in plain JSON.

use kube::{
    Api, Client, Error,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::Value;

use crate::support::{apiserver::ApiServer, crds};

/// One kind in the `default` namespace.
pub struct Cluster {
    client: Client,
    api: Api<DynamicObject>,
    plural: &'static str,
}

impl Cluster {
    /// The studies.
    pub async fn studies() -> Self {
        Self::of("HyperparameterStudy", "hyperparameterstudies").await
    }

    /// The trials.
    pub async fn trials() -> Self {
        Self::of("HyperparameterTrial", "hyperparametertrials").await
    }

    async fn of(kind: &str, plural: &'static str) -> Self {
        let client = ApiServer::shared().client();
        crds::ours(&client).await;
        let gvk = GroupVersionKind::gvk("hyperstudy.dev", "v1alpha1", kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
        let api = Api::namespaced_with(client.clone(), "default", &resource);
        Self { client, api, plural }
    }

    /// Creates an object; gives it as it is stored.
    pub async fn create(&self, object: &Value, dry_run: bool) -> Result<Value, Error> {
        let created = self.api.create(&params(dry_run), &dynamic(object)).await?;
        Ok(serde_json::to_value(created).unwrap())
    }

    /// Puts an object in place of the one of its name.
    pub async fn replace(&self, object: &Value, dry_run: bool) -> Result<Value, Error> {
        let replaced = self
            .api
            .replace(name(object), &params(dry_run), &dynamic(object))
            .await?;
        Ok(serde_json::to_value(replaced).unwrap())
    }

    /// Writes an object's status.
    pub async fn status(&self, object: &Value) -> Result<Value, Error> {
        let patch = serde_json::json!({"status": object["status"]});
        let patched = self
            .api
            .patch_status(name(object), &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        Ok(serde_json::to_value(patched).unwrap())
    }

    /// Lets a study start.
    pub async fn started(&self, object: &Value) -> Value {
        let mut object = object.clone();
        object["status"] = serde_json::json!({"startTime": "2026-01-01T00:00:00Z"});
        self.status(&object).await.unwrap()
    }

    /// What `kubectl get -o wide` shows of an object: the columns' names and its row.
    pub async fn row(&self, name: &str) -> (Vec<String>, Vec<Value>) {
        let request = http::Request::get(format!(
            "/apis/hyperstudy.dev/v1alpha1/namespaces/default/{}/{name}",
            self.plural
        ))
        .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())
        .unwrap();
        let table: Value = self.client.request(request).await.unwrap();
        let columns = table["columnDefinitions"].as_array().unwrap().iter();
        let columns = columns
            .map(|column| column["name"].as_str().unwrap().to_owned())
            .collect();
        let cells = table["rows"][0]["cells"].as_array().unwrap().iter().cloned();
        (columns, cells.map(crate::cases::loose).collect())
    }
}

fn params(dry_run: bool) -> PostParams {
    PostParams {
        dry_run,
        field_manager: None,
    }
}

fn dynamic(object: &Value) -> DynamicObject {
    serde_json::from_value(object.clone()).unwrap()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}
