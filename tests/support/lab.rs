//! A cluster for one test: a namespace on a real API server, a bucket on a real S3 server, a stand-in for Argo, and the controller.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use hyperstudy::api::{HyperparameterStudy, HyperparameterTrial};
use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{ConfigMap, Namespace, Secret},
};
use kube::{
    Api, Client, Resource,
    api::{DynamicObject, PostParams},
    runtime::wait::await_condition,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{
    apiserver::{ApiServer, User},
    argo::{Argo, Play},
    audit::{self, Write},
    bucket::Bucket,
    controller::Controller,
    crds,
    programs::{self, Running},
    versitygw::{KEYS, Versitygw},
};

/// How long anything awaited may take, on a machine that is busy building.
pub const PATIENCE: Duration = Duration::from_secs(120);

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
    s3_port: u16,
}

impl Lab {
    /// A cluster with everything in place: credentials, artifact repository, bucket, and the template `train`, whose loss is `(x - 0.3)²`.
    pub async fn start(name: &str) -> Self {
        let lab = Self::bare(name).await;
        lab.furnish().await;
        lab
    }

    /// Puts everything in its place.
    pub async fn furnish(&self) {
        self.bucket.create().await;
        self.credentials(KEYS[1]).await;
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
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let namespace = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = ApiServer::shared();
        let client = server.client();
        crds::ours(&client).await;
        crds::argo(&client).await;
        let s3_port = Versitygw::shared().port;
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
            s3_port,
        }
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
            json!({"metadata": {"name": SECRET}, "stringData": {"accessKey": KEYS[0], "secretKey": secret_key}});
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
        Controller::spawn(&flags)
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

    /// Waits until something holds of a study, and gives it.
    pub async fn until(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&HyperparameterStudy) -> bool,
    ) -> HyperparameterStudy {
        self.until_within(PATIENCE, name, what, holds).await
    }

    /// The same, for as long as `patience`.
    pub async fn until_within(
        &self,
        patience: Duration,
        name: &str,
        what: &str,
        holds: impl Fn(&HyperparameterStudy) -> bool,
    ) -> HyperparameterStudy {
        let holds = |s: Option<&HyperparameterStudy>| s.is_some_and(&holds);
        match until(patience, self.studies(), name, what, holds).await {
            Ok(study) => study.unwrap(),
            Err(problem) => panic!("{problem}\n{}", self.picture().await),
        }
    }

    /// Waits until a study is finished, and gives it.
    pub async fn finished(&self, name: &str) -> HyperparameterStudy {
        self.until(name, "is finished", |s| {
            s.status.as_ref().is_some_and(|s| s.phase.is_finished())
        })
        .await
    }

    /// Waits until a condition of a study has this status and reason, and gives its message.
    pub async fn condition(&self, name: &str, kind: &str, status: &str, reason: &str) -> String {
        let find = |s: &HyperparameterStudy| {
            let conditions = &s.status.as_ref()?.conditions;
            let found = conditions
                .iter()
                .find(|c| c.type_ == kind && c.status == status && c.reason == reason);
            found.map(|c| c.message.clone())
        };
        let what = format!("has {kind}={status} for the reason {reason}");
        let study = self.until(name, &what, |s| find(s).is_some()).await;
        find(&study).unwrap()
    }

    /// Waits until something holds of a trial, and gives it.
    pub async fn until_trial(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&HyperparameterTrial) -> bool,
    ) -> HyperparameterTrial {
        let found = until(
            PATIENCE,
            self.trials(),
            name,
            what,
            |t: Option<&HyperparameterTrial>| t.is_some_and(&holds),
        )
        .await;
        match found {
            Ok(trial) => trial.unwrap(),
            Err(problem) => panic!("{problem}\n{}", self.picture().await),
        }
    }

    /// Waits until something holds of a Workflow, or, given `None`, of its absence.
    pub async fn until_workflow(&self, name: &str, what: &str, holds: impl Fn(Option<&DynamicObject>) -> bool) {
        let api = self.workflows();
        let watching = tokio::time::timeout(PATIENCE, async {
            use futures::TryStreamExt;
            let config = kube::runtime::watcher::Config::default().fields(&format!("metadata.name={name}"));
            let mut changes = std::pin::pin!(kube::runtime::watcher(api, config));
            let mut current = None;
            while let Some(event) = changes.try_next().await.unwrap() {
                use kube::runtime::watcher::Event;
                match event {
                    Event::Init => {
                        current = None;
                        continue;
                    }
                    Event::InitApply(object) => {
                        current = Some(object);
                        continue;
                    }
                    Event::Apply(object) => current = Some(object),
                    Event::Delete(_) => current = None,
                    Event::InitDone => {}
                }
                if holds(current.as_ref()) {
                    return;
                }
            }
        });
        if watching.await.is_err() {
            panic!("{name}: waited in vain until it {what}\n{}", self.picture().await);
        }
    }

    /// Waits until an object is gone.
    pub async fn gone<K>(&self, name: &str)
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Send + 'static,
        K::DynamicType: Default,
    {
        let found = until(PATIENCE, self.api::<K>(), name, "is gone", |found: Option<&K>| {
            found.is_none()
        })
        .await;
        if let Err(problem) = found {
            panic!("{problem}\n{}", self.picture().await);
        }
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
        audit::writes(ApiServer::shared().audit(), User::Controller, &self.namespace)
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

    /// What stands in the namespace, for a test that fails.
    async fn picture(&self) -> String {
        let mut lines = Vec::new();
        for study in self.studies().list(&Default::default()).await.unwrap() {
            lines.push(format!("{:?}: {:#?}", study.metadata.name, study.status));
        }
        for trial in self.trials().list(&Default::default()).await.unwrap() {
            lines.push(format!("{:?}: {:?}", trial.metadata.name, trial.status));
        }
        for event in self.argo.journal().events() {
            lines.push(format!("{} {:?}", event.workflow, event.happened));
        }
        lines.push(format!("violations: {:#?}", self.argo.journal().violations()));
        lines.join("\n")
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

/// Kubernetes' own controllers, as far as tests need them: the garbage collector, and what empties deleted namespaces. Started once for a test program.
pub async fn garbage_collector() {
    static STARTED: OnceCell<Running> = OnceCell::const_new();
    let start = async || {
        let server = ApiServer::shared();
        // It learns of kinds that come later only after half a minute.
        let client = server.client();
        crds::ours(&client).await;
        crds::argo(&client).await;
        let own = programs::own_folder().unwrap();
        let kubeconfig = own.join("kubeconfig");
        std::fs::write(&kubeconfig, server.kubeconfig(User::Kubernetes)).unwrap();
        let arguments = [
            format!("--kubeconfig={}", kubeconfig.display()),
            "--leader-elect=false".to_owned(),
            "--controllers=garbage-collector-controller,namespace-controller".to_owned(),
            "--secure-port=0".to_owned(),
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
        ];
        Running::start(&programs::server("kube-controller-manager"), &arguments, &own).unwrap()
    };
    STARTED.get_or_init(start).await;
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
async fn apply<K>(api: &Api<K>, object: Value)
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

/// Waits until something holds of an object, for as long as `patience`.
async fn until<K>(
    patience: Duration,
    api: Api<K>,
    name: &str,
    what: &str,
    holds: impl Fn(Option<&K>) -> bool,
) -> Result<Option<K>, String>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    match tokio::time::timeout(patience, await_condition(api, name, holds)).await {
        Ok(found) => found.map_err(|e| format!("{name}: {e}")),
        Err(_) => Err(format!("{name}: waited in vain until it {what}")),
    }
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
