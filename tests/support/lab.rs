//! A cluster for one test: a namespace on a real API server, a bucket on a real S3 server, a stand-in for Argo, and the controller.

mod garbage;
mod objects;
mod wait;

use std::sync::atomic::{AtomicU32, Ordering};

use hyperstudy::api::{HyperparameterStudy, HyperparameterTrial};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Namespace, Secret},
};
use kube::{
    Api, Client, Resource,
    api::{DynamicObject, PostParams},
};
use serde_json::{Value, json};

use super::{
    apiserver::{ApiServer, User},
    argo::Argo,
    audit::{self, Write},
    bucket::Bucket,
    controller::Controller,
    crds,
    versitygw::{KEYS, Versitygw},
};

pub use garbage::garbage_collector;
use objects::apply;
pub use objects::{change, create, create_or_get, merge, parabola, template};
pub use wait::PATIENCE;

/// The Secret with the credentials of the S3 server.
pub const SECRET: &str = "s3-credentials";

/// A cluster for one test.
pub struct Lab {
    /// The test's namespace, which is also its bucket's name.
    pub namespace: String,
    /// An administrator's client.
    pub client: Client,
    /// The bucket that the namespace's artifact repository names.
    pub bucket: Bucket,
    /// What plays Argo in the namespace.
    pub argo: Argo,
    servers: Servers,
    s3_port: u16,
    keys: [&'static str; 2],
}

/// Servers of a test's own in the place of those that it shares with others, for what would disturb the others.
#[derive(Default)]
pub struct Servers {
    /// The API server.
    pub api: Option<ApiServer>,
    /// The S3 server.
    pub s3: Option<Versitygw>,
}

impl Servers {
    fn api(&self) -> &ApiServer {
        self.api.as_ref().unwrap_or_else(|| ApiServer::shared())
    }

    fn s3(&self) -> &Versitygw {
        self.s3.as_ref().unwrap_or_else(|| Versitygw::shared())
    }
}

impl Lab {
    /// A cluster with everything in place: credentials, artifact repository, bucket, and the template `train`, whose loss is `(x - 0.3)²`.
    pub async fn start(name: &str) -> Self {
        let lab = Self::bare(name).await;
        lab.furnish().await;
        lab
    }

    /// The same on these servers.
    pub async fn on(name: &str, servers: Servers) -> Self {
        let lab = Self::with(name, None, servers).await;
        lab.furnish().await;
        lab
    }

    /// The same, where studies reach the S3 server through another port, and by these keys.
    pub async fn through(name: &str, servers: Servers, s3_port: u16, keys: [&'static str; 2]) -> Self {
        let mut lab = Self::with(name, None, servers).await;
        (lab.s3_port, lab.keys) = (s3_port, keys);
        lab.furnish().await;
        lab
    }

    /// Puts everything in its place.
    pub async fn furnish(&self) {
        self.bucket.create().await;
        self.credentials(self.keys[1]).await;
        self.repository().await;
        self.template().await;
    }

    /// Creates the template `train`, whose loss is `(x - 0.3)²`.
    pub async fn template(&self) {
        self.create_dynamic(&crds::templates(), &template("train")).await;
        self.argo.play("train", |job| parabola(job.number("x")));
    }

    /// A namespace and what plays Argo in it; no bucket, no credentials, no artifact repository, no template.
    pub async fn bare(name: &str) -> Self {
        Self::with_instance(name, None).await
    }

    /// The same, whose Argo takes only Workflows with this instance id.
    pub async fn with_instance(name: &str, instance: Option<&str>) -> Self {
        Self::with(name, instance, Servers::default()).await
    }

    async fn with(name: &str, instance: Option<&str>, servers: Servers) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = servers.api();
        let client = server.client();
        if servers.api.is_some() {
            crds::all(&client).await;
        } else {
            crds::ours(&client).await;
            crds::argo(&client).await;
        }
        let s3_port = servers.s3().port;
        let bucket = Bucket::at(s3_port, &namespace);
        let argo = Argo::start(&server.client_of(User::Argo), &namespace, &bucket, instance);
        let object = json!({"metadata": {"name": namespace}});
        let namespaces: Api<Namespace> = Api::all(client.clone());
        create(&namespaces, object).await;
        Self {
            namespace,
            client,
            bucket,
            argo,
            servers,
            s3_port,
            keys: KEYS,
        }
    }

    /// The API server.
    pub fn api_server(&self) -> &ApiServer {
        self.servers.api()
    }

    /// The S3 server.
    pub fn s3_server(&self) -> &Versitygw {
        self.servers.s3()
    }

    /// Objects of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The studies.
    pub fn studies(&self) -> Api<HyperparameterStudy> {
        self.api()
    }

    /// The trials.
    pub fn trials(&self) -> Api<HyperparameterTrial> {
        self.api()
    }

    /// The Workflows.
    pub fn workflows(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &crds::workflows())
    }

    /// The WorkflowTemplates.
    pub fn templates(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &crds::templates())
    }

    /// Creates or replaces the Secret, with this secret key.
    pub async fn credentials(&self, secret_key: &str) {
        let object =
            json!({"metadata": {"name": SECRET}, "stringData": {"accessKey": self.keys[0], "secretKey": secret_key}});
        apply(&self.api::<Secret>(), object).await;
    }

    /// Creates the default artifact repository of the namespace.
    pub async fn repository(&self) {
        let object = json!({
            "metadata": {
                "name": "artifact-repositories",
                "annotations": {"workflows.argoproj.io/default-artifact-repository": "default"},
            },
            "data": {"default": json!({"s3": self.s3()}).to_string()},
        });
        apply(&self.api::<ConfigMap>(), object).await;
    }

    /// The S3 server as an artifact repository names it.
    pub fn s3(&self) -> Value {
        json!({
            "endpoint": self.s3_address(), "bucket": self.bucket.name, "region": "us-east-1", "insecure": true,
            "accessKeySecret": {"name": SECRET, "key": "accessKey"},
            "secretKeySecret": {"name": SECRET, "key": "secretKey"},
        })
    }

    /// The S3 server's host and port.
    pub fn s3_address(&self) -> String {
        format!("127.0.0.1:{}", self.s3_port)
    }

    /// Starts a controller for this namespace alone.
    pub fn controller(&self) -> Controller {
        self.controller_with(&[])
    }

    /// The same with more flags, or with others in place of the usual ones, as `--name=value`.
    pub fn controller_with(&self, more: &[&str]) -> Controller {
        self.controller_in(&[], more)
    }

    /// The same, with these variables in its environment, each as `NAME=value`.
    pub fn controller_in(&self, variables: &[String], more: &[&str]) -> Controller {
        let usual = [
            ("--namespace", self.namespace.clone()),
            ("--lease-namespace", self.namespace.clone()),
            // A holder that is killed and started again goes on at once.
            ("--identity", "test".to_owned()),
            ("--argo-namespace", self.namespace.clone()),
            ("--allow-endpoint", self.s3_address()),
        ];
        let is_given = |name: &str| more.iter().any(|flag| flag.starts_with(&format!("{name}=")));
        let usual = usual.into_iter().filter(|(name, _)| !is_given(name));
        let mut flags: Vec<String> = usual.map(|(name, value)| format!("{name}={value}")).collect();
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        Controller::spawn(self.api_server(), variables, &flags)
    }

    /// The smallest study: three trials of `train`, `x` from 0 to 1, with `change` merged in.
    pub fn study(&self, name: &str, change: &Value) -> Value {
        let mut study = json!({
            "apiVersion": "hyperstudy.dev/v1alpha1",
            "kind": "HyperparameterStudy",
            "metadata": {"name": name},
            "spec": {
                "objectives": [{"metric": "loss", "goal": "Minimize"}],
                "parameters": [{"name": "x", "double": {"min": 0, "max": 1}}],
                "algorithm": {"sampler": {"random": {}}, "seed": 1},
                "budget": {"trials": 3},
                "trial": {"workflowTemplateRef": {"name": "train"}},
                "storage": {"outputPath": format!("s3://{}/runs", self.bucket.name)},
            },
        });
        merge(&mut study, change);
        study
    }

    /// Creates the smallest study with `change` merged in.
    pub async fn create_study(&self, name: &str, change: &Value) -> HyperparameterStudy {
        create(&self.studies(), self.study(name, change)).await
    }

    /// Creates an object of a kind that there is no type for.
    pub async fn create_dynamic(&self, kind: &kube::api::ApiResource, object: &Value) -> DynamicObject {
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), &self.namespace, kind);
        let object = serde_json::from_value(object.clone()).unwrap();
        api.create(&PostParams::default(), &object).await.unwrap()
    }

    /// Changes a study's spec by a merge patch.
    pub async fn change_study(&self, name: &str, spec: &Value) -> HyperparameterStudy {
        change(&self.studies(), name, &json!({"spec": spec})).await
    }

    /// The trials of a study by their numbers.
    pub async fn trials_of(&self, study: &str) -> Vec<HyperparameterTrial> {
        let mut trials = self.trials().list(&Default::default()).await.unwrap().items;
        trials.retain(|t| t.spec.study_ref.name == study && t.spec.number.is_some());
        trials.sort_by_key(|t| t.spec.number);
        trials
    }

    /// What the controller wrote in this namespace.
    pub fn writes(&self) -> Vec<Write> {
        audit::writes(self.api_server().audit(), User::Controller, &self.namespace)
    }

    /// A study's folder in the bucket, with a slash at its end.
    pub fn folder(&self, study: &str) -> String {
        format!("runs/{study}/")
    }

    /// The rows of a study's table, each by its columns' names.
    pub async fn rows(&self, study: &str) -> Vec<std::collections::BTreeMap<String, String>> {
        let text = self
            .bucket
            .text(&format!("{}study_results.csv", self.folder(study)))
            .await;
        csv::Reader::from_reader(text.as_bytes())
            .deserialize()
            .map(Result::unwrap)
            .collect()
    }
}

impl Drop for Lab {
    /// What must never happen fails a test whatever else it looks at.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let violations = self.argo.journal().violations();
            assert!(violations.is_empty(), "{violations:#?}");
        }
    }
}
