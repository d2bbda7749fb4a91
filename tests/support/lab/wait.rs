//! Waiting, by watching, until something holds; where it never does, the whole of the namespace is shown.

use std::{fmt::Debug, time::Duration};

use hyperstudy::api::{HyperparameterStudy, HyperparameterTrial};
use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Resource, api::DynamicObject, runtime::wait::await_condition};
use serde::de::DeserializeOwned;

use super::Lab;

/// How long anything awaited may take, on a machine that is busy building.
pub const PATIENCE: Duration = Duration::from_secs(120);

impl Lab {
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
    let waiting = async {
        loop {
            match await_condition(api.clone(), name, &holds).await {
                Ok(found) => return found,
                // The API server may be one that a test stops.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let found = tokio::time::timeout(patience, waiting).await;
    found.map_err(|_| format!("{name}: waited in vain until it {what}"))
}
