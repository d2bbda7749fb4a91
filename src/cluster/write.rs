//! What the controller asks of the API server beyond watching: each call bounded in time, its failure told apart by what to do about it.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions},
    core::{DeserializeGuard, NamespaceResourceScope, PartialObjectMeta, Request},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Workflow, cache::Version};
use crate::{
    api::{HyperparameterStudy, HyperparameterTrial, StudyStatus, TrialStatus},
    study::Study,
    workflow::{self, COMPLETED_LABEL, STUDY_LABEL, STUDY_UID_LABEL},
};

/// Under which name our fields are kept apart from others'.
const MANAGER: &str = "hyperstudy";
/// Argo's label on pods that names their Workflow.
const WORKFLOW_LABEL: &str = "workflows.argoproj.io/workflow";
/// How long one call may take. What one that took longer has done shows in the watch.
const CALL: Duration = Duration::from_secs(10);

/// Why a call did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Somebody else has changed the object in between.
    #[error("the object has changed in between")]
    Conflict,
    /// An object of that name is there already.
    #[error("an object of that name is there already")]
    AlreadyExists,
    /// The name is another's, which is said.
    #[error("{0}")]
    Taken(String),
    /// The object is not there.
    #[error("the object is not there")]
    NotFound,
    /// The object is not one that the API server takes.
    #[error("the API server does not take it: {0}")]
    Invalid(String),
    /// The API server does not allow it.
    #[error("the API server does not allow it: {0}")]
    Forbidden(String),
    /// The API server does not answer in time, or not now.
    #[error("the API server does not answer: {0}")]
    Unavailable(String),
}

impl CallError {
    /// One word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Conflict => "Conflict",
            Self::AlreadyExists => "AlreadyExists",
            Self::Taken(_) => "NameTaken",
            Self::NotFound => "NotFound",
            Self::Invalid(_) => "Invalid",
            Self::Forbidden(_) => "Forbidden",
            Self::Unavailable(_) => "Unavailable",
        }
    }
}

impl From<kube::Error> for CallError {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = &error else {
            return Self::Unavailable(error.to_string());
        };
        if status.message.contains("field not declared in schema") {
            let what =
                "the CustomResourceDefinitions in the cluster are older than this program: apply those of its version";
            return Self::Invalid(format!("{what} ({})", status.message));
        }
        match (status.code, status.reason.as_str()) {
            (409, "AlreadyExists") => Self::AlreadyExists,
            (409, _) => Self::Conflict,
            // Only where it names the object: a server that does not serve the kind at the moment, or something on the way to it,
            // says 404 as well, and nothing is gone then.
            (404, "NotFound") if status.details.as_ref().is_some_and(|d| !d.name.is_empty()) => Self::NotFound,
            (400 | 413 | 422, _) => Self::Invalid(status.message.clone()),
            (401 | 403, _) => Self::Forbidden(status.message.clone()),
            _ => Self::Unavailable(status.message.clone()),
        }
    }
}

/// The API server, for writes.
#[derive(Clone)]
pub struct Writer {
    client: Client,
}

impl Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    /// A writer through `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The client below.
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates an object.
    ///
    /// # Errors
    /// What the API server says.
    async fn create<K>(&self, namespace: &str, object: &K) -> Result<K, CallError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + DeserializeOwned + Clone + Debug,
    {
        let parameters = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        bounded(self.api::<K>(namespace).create(&parameters, object)).await
    }

    /// Creates a numbered trial.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn create_trial(
        &self,
        namespace: &str,
        trial: &HyperparameterTrial,
    ) -> Result<HyperparameterTrial, CallError> {
        self.create(namespace, trial).await
    }

    /// Creates a Workflow.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn create_workflow(&self, namespace: &str, workflow: &Workflow) -> Result<Workflow, CallError> {
        self.create(namespace, workflow).await
    }

    /// Writes a study's status, if the study is still at `version`.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn study_status(
        &self,
        namespace: &str,
        name: &str,
        version: &Version,
        status: &StudyStatus,
    ) -> Result<HyperparameterStudy, CallError> {
        self.status(namespace, name, version, status).await
    }

    /// Writes a trial's or a request's status, if it is still at `version`.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn trial_status(
        &self,
        namespace: &str,
        name: &str,
        version: &Version,
        status: &TrialStatus,
    ) -> Result<HyperparameterTrial, CallError> {
        self.status(namespace, name, version, status).await
    }

    async fn status<K>(
        &self,
        namespace: &str,
        name: &str,
        version: &Version,
        status: impl Serialize + Debug,
    ) -> Result<K, CallError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let object = json!({
            "apiVersion": K::api_version(&()),
            "kind": K::kind(&()),
            "metadata": {"name": name, "resourceVersion": version.0},
            "status": status,
        });
        let parameters = PatchParams::apply(MANAGER).force();
        let api = self.api::<K>(namespace);
        let request = Request::new(api.resource_url())
            .patch_subresource("status", name, &parameters, &Patch::Apply(&object))
            .map_err(|error| CallError::Invalid(error.to_string()))?;
        bounded(self.client.request(request.map(as_yaml))).await
    }

    /// Sets or removes a finalizer of ours, the others' staying, of the object with that UID: another one of its name is `NotFound`.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn set_finalizer<K>(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        finalizer: &str,
        is_wanted: bool,
    ) -> Result<K, CallError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + DeserializeOwned + Clone + Debug,
    {
        let api = self.api::<K>(namespace);
        let object = bounded(api.get_metadata(name)).await?;
        if object.metadata.uid.as_deref() != Some(uid) {
            return Err(CallError::NotFound);
        }
        let mut finalizers = object.metadata.finalizers.unwrap_or_default();
        finalizers.retain(|f| f != finalizer);
        if is_wanted {
            finalizers.push(finalizer.to_owned());
        }
        // A merge replaces the whole list: the version keeps it from dropping what others have set since.
        let change =
            json!({"metadata": {"finalizers": finalizers, "resourceVersion": object.metadata.resource_version}});
        bounded(api.patch(name, &PatchParams::default(), &Patch::Merge(&change))).await
    }

    /// Ends the Workflow of that name and UID.
    ///
    /// # Errors
    /// [`CallError::Conflict`] where another one has the name by now; what else the API server says.
    pub async fn terminate(&self, namespace: &str, name: &str, uid: &str) -> Result<Workflow, CallError> {
        // A Workflow that waits for a lock ignores `Stop`.
        let change = json!({"metadata": {"uid": uid}, "spec": {"shutdown": "Terminate"}});
        self.change_workflow(namespace, name, &change).await
    }

    /// Changes a Workflow. `change` bears its UID.
    async fn change_workflow(&self, namespace: &str, name: &str, change: &Value) -> Result<Workflow, CallError> {
        let api = self.api::<Workflow>(namespace);
        match bounded(api.patch(name, &PatchParams::default(), &Patch::Merge(change))).await {
            // What bears another UID is taken for an attempt to change it.
            Err(CallError::Invalid(message)) if message.contains("metadata.uid") => Err(CallError::Conflict),
            other => other,
        }
    }

    /// Sets labels of the Workflow of that name and UID.
    ///
    /// # Errors
    /// As of [`Self::terminate`].
    pub async fn label_workflow(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        labels: &BTreeMap<String, String>,
    ) -> Result<Workflow, CallError> {
        let change = json!({"metadata": {"uid": uid, "labels": labels}});
        self.change_workflow(namespace, name, &change).await
    }

    /// A trial as it is now, even where it cannot be read; `None` where there is none.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn any_trial(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<DeserializeGuard<HyperparameterTrial>>, CallError> {
        let api = self.api::<DeserializeGuard<HyperparameterTrial>>(namespace);
        found(bounded(api.get(name)).await)
    }

    /// Deletes a study, if it is still the one with that UID and version.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn delete_study(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        version: &Version,
    ) -> Result<(), CallError> {
        let parameters = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: Some(version.0.clone()),
        });
        let api = self.api::<HyperparameterStudy>(namespace);
        bounded(api.delete(name, &parameters)).await.map(|_| ())
    }

    /// A Workflow as it is now; `None` where there is none.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn workflow(&self, namespace: &str, name: &str) -> Result<Option<Workflow>, CallError> {
        found(bounded(self.api::<Workflow>(namespace).get(name)).await)
    }

    /// A study as it is now; `None` where there is none.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn study(&self, namespace: &str, name: &str) -> Result<Option<HyperparameterStudy>, CallError> {
        found(bounded(self.api::<HyperparameterStudy>(namespace).get(name)).await)
    }

    /// A trial as it is now; `None` where there is none.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn trial(&self, namespace: &str, name: &str) -> Result<Option<HyperparameterTrial>, CallError> {
        found(bounded(self.api::<HyperparameterTrial>(namespace).get(name)).await)
    }

    /// A Workflow of another study of that name that is not over; `None` where there is none. What it writes would be among the study's own files.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn workflow_left(&self, study: &Study) -> Result<Option<String>, CallError> {
        let wanted = format!(
            "{STUDY_LABEL}={},{STUDY_UID_LABEL}!={},{COMPLETED_LABEL}!=true",
            study.name, study.uid
        );
        let api = self.api::<Workflow>(&study.namespace);
        let found = bounded(api.list_metadata(&ListParams::default().labels(&wanted).limit(1))).await?;
        Ok(found.items.first().map(ResourceExt::name_any))
    }

    /// A pod of a Workflow that has the name of one that the study's trials will have; `None` where there is none, or it cannot be told. Argo takes
    /// such a pod for the new Workflow's own.
    pub async fn pods_left(&self, study: &Study) -> Option<String> {
        let api = self.api::<Pod>(&study.namespace);
        let found = bounded(api.list_metadata(&ListParams::default().labels(WORKFLOW_LABEL))).await;
        let is_ours = |pod: &PartialObjectMeta<Pod>| {
            let rest = pod
                .labels()
                .get(WORKFLOW_LABEL)?
                .strip_prefix(&study.name)?
                .strip_prefix('-')?;
            let (number, attempt) = rest.split_once('-')?;
            (number.parse::<u32>().is_ok() && attempt.parse::<u32>().is_ok()).then(|| pod.name_any())
        };
        found.ok()?.items.iter().find_map(is_ours)
    }

    /// Why a pod ended, one word, where it is still there and says so.
    pub async fn pod_reason(&self, namespace: &str, name: &str) -> Option<String> {
        let pod = bounded(self.api::<Pod>(namespace).get_opt(name)).await.ok()??;
        workflow::pod_reason(&serde_json::to_value(pod).ok()?)
    }
}

/// JSON in which nothing is that YAML does not allow: an apply is read as YAML, and a message or a metric's name may hold what a program printed.
fn as_yaml(json: Vec<u8>) -> Vec<u8> {
    let is_printable = |c: char| !matches!(c, '\u{7f}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    match str::from_utf8(&json) {
        Ok(text) if !text.chars().all(is_printable) => {
            // Such characters stand in strings only.
            let mut escaped = String::with_capacity(text.len() + 64);
            for c in text.chars() {
                match is_printable(c) {
                    true => escaped.push(c),
                    false => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
                }
            }
            escaped.into_bytes()
        }
        _ => json,
    }
}

/// `None` for an object that is not there.
fn found<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(CallError::NotFound) => Ok(None),
        Err(other) => Err(other),
    }
}

async fn bounded<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, CallError> {
    match tokio::time::timeout(CALL, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(CallError::Unavailable(format!("no answer within {} s", CALL.as_secs()))),
    }
}

/// What of a Workflow is judged, as JSON.
pub fn as_value(workflow: &Workflow) -> Value {
    serde_json::to_value(workflow).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_does_not_allow_is_escaped() {
        for text in [
            "plain",
            "ä€😀 \"quoted\" \\ \n",
            "\u{7f}\u{85}\u{9f}",
            "\u{feff}a\u{fffe}\u{ffff}",
        ] {
            let json = as_yaml(serde_json::to_vec(&json!({ "a": text })).unwrap_or_default());
            let read: Value = serde_json::from_slice(&json).unwrap_or_default();
            assert_eq!(read, json!({ "a": text }));
            assert!(!json.contains(&0x7f), "{text:?}");
        }
        let plain = as_yaml(b"{\"a\":\"\xc2\x85\"}".to_vec());
        assert_eq!(plain, b"{\"a\":\"\\u0085\"}");
    }
}
