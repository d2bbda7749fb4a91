//! The least that anybody would do: the writes of a trial, one after another, as many trials at a time as the studies have, and nothing else.

use std::time::Instant;

use futures::{StreamExt, stream};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::support::{
    apiserver::{ApiServer, User},
    crds,
    lab::Lab,
};

/// Trials a second. The objects are those of a study that has run, under other names.
pub async fn rate(lab: &Lab, study: &str, trials: usize, at_once: usize) -> f64 {
    let like = format!("{study}-1");
    let trial = serde_json::to_value(lab.trials().get(&like).await.unwrap()).unwrap();
    let workflow = serde_json::to_value(lab.workflows().get(&format!("{like}-1")).await.unwrap()).unwrap();
    let space = Lab::bare("bare").await;
    let bare = Bare {
        trials: space.trials().into_client(),
        namespace: space.namespace.clone(),
        argo: Api::namespaced_with(
            ApiServer::shared().client_of(User::Argo),
            &space.namespace,
            &crds::workflows(),
        ),
        trial,
        workflow,
    };
    let start = Instant::now();
    stream::iter(1..=trials)
        .map(|number| bare.one(number))
        .buffer_unordered(at_once)
        .for_each(|()| async {})
        .await;
    #[allow(clippy::cast_precision_loss)]
    let rate = trials as f64 / start.elapsed().as_secs_f64();
    rate
}

struct Bare {
    trials: Client,
    namespace: String,
    argo: Api<DynamicObject>,
    trial: Value,
    workflow: Value,
}

impl Bare {
    async fn one(&self, number: usize) {
        let trials = Api::<hyperstudy::api::HyperparameterTrial>::namespaced(self.trials.clone(), &self.namespace);
        let workflows = Api::<DynamicObject>::namespaced_with(self.trials.clone(), &self.namespace, &crds::workflows());
        let params = PostParams::default();
        let (name, run) = (format!("b-{number}"), format!("b-{number}-1"));

        let mut trial = renamed(&self.trial, &name);
        trial["spec"]["studyRef"]["name"] = json!("b");
        trial["spec"]["number"] = json!(number);
        let created = trials
            .create(&params, &serde_json::from_value(trial).unwrap())
            .await
            .unwrap();
        // None of the stand-in's: it would play it.
        let mut workflow = renamed(&self.workflow, &run);
        workflow["metadata"]["labels"] = json!({"bare/study": "b", "bare/trial": number.to_string()});
        let object = serde_json::from_value(workflow).unwrap();
        workflows.create(&params, &object).await.unwrap();

        let mut running = self.trial["status"].clone();
        running["phase"] = json!("Running");
        let version = created.metadata.resource_version;
        let version = status(&trials, &name, version, &running).await;
        let done =
            json!({"metadata": {"labels": self.workflow["metadata"]["labels"]}, "status": self.workflow["status"]});
        let mut done = done;
        done["metadata"]["labels"] =
            json!({"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Succeeded"});
        let patch = Patch::Merge(done);
        self.argo.patch(&run, &PatchParams::default(), &patch).await.unwrap();
        status(&trials, &name, version, &self.trial["status"]).await;
    }
}

async fn status(
    trials: &Api<hyperstudy::api::HyperparameterTrial>,
    name: &str,
    version: Option<String>,
    status: &Value,
) -> Option<String> {
    let object = json!({
        "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterTrial",
        "metadata": {"name": name, "resourceVersion": version}, "status": status,
    });
    let params = PatchParams::apply("bare").force();
    let written = trials
        .patch_status(name, &params, &Patch::Apply(&object))
        .await
        .unwrap();
    written.metadata.resource_version
}

/// An object as it was before it was created, under another name, owned by nobody.
fn renamed(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object["metadata"] = json!({"name": name, "labels": object["metadata"]["labels"]});
    object.as_object_mut().unwrap().remove("status");
    object
}
