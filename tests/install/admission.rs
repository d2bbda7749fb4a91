//! The admission policies on a real API server: a study can do nothing that its author could not do by creating a Workflow.

use kube::{
    Client, Error,
    api::{DeleteParams, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::cluster::{CONTROLLER, api, apply, create, installed, someone, study, trial};

/// What an author without the right to run Workflows reads.
const NO_WORKFLOWS: &str = "needs a role in ml that allows `create` for `workflows` of `argoproj.io`";
const NOT_YOURS: &str =
    "only the controller (system:serviceaccount:hyperstudy:hyperstudy) sets `number`, `origin` and `continues`";
/// What RBAC says, before any policy is asked.
const NO_ROLE: &str = "cannot ";

/// Objects that are there, made by an author and the controller, for one test.
async fn there(name: &str) -> (Value, Value) {
    installed().await;
    let (study, trial) = (study(name), trial(name, Some(1)));
    create(&someone("author"), &study, false).await.unwrap();
    create(&someone(CONTROLLER), &trial, false).await.unwrap();
    (study, trial)
}

async fn patch(client: &Client, object: &Value, change: &Value) -> Result<DynamicObject, Error> {
    let name = object["metadata"]["name"].as_str().unwrap();
    api(client, object)
        .patch(name, &PatchParams::default(), &Patch::Merge(change))
        .await
}

/// Whether an answer is as expected: taken, or refused with these words.
fn judge(what: &str, answer: Result<DynamicObject, Error>, refusal: Option<&str>) {
    match (answer, refusal) {
        (Ok(_), None) => {}
        (Err(Error::Api(status)), Some(words)) => {
            assert_eq!(status.code, 403, "{what}: {status:?}");
            assert!(
                status.message.contains(words),
                "{what}: {} does not say {words:?}",
                status.message
            );
        }
        (answer, refusal) => panic!("{what}: {answer:?} is to be refused with {refusal:?}"),
    }
}

#[tokio::test]
async fn studies_are_created_by_those_who_may_create_workflows_there() {
    installed().await;
    for (user, refusal) in [
        ("author", None),
        ("editor", Some(NO_WORKFLOWS)),
        ("stranger", Some(NO_WORKFLOWS)),
        ("viewer", Some(NO_ROLE)),
        ("nobody", Some(NO_ROLE)),
        // The controller creates no studies.
        (CONTROLLER, Some(NO_ROLE)),
        ("system:serviceaccount:ml:default", Some(NO_ROLE)),
    ] {
        judge(user, create(&someone(user), &study("created"), true).await, refusal);
        let applied = apply(&someone(user), &study("applied"), true).await;
        judge(&format!("{user} by apply"), applied, refusal);
    }
}

#[tokio::test]
async fn studies_are_changed_by_those_who_may_create_workflows_there() {
    let (study, _) = there("changing").await;
    let spec = [
        json!({"spec": {"parallelism": 3}}),
        json!({"spec": {"trial": {"workflowTemplateRef": {"name": "other"}}}}),
        json!({"spec": {"parameters": [{"name": "lr", "double": {"min": 0.001, "max": 1}, "default": 0.25}]}}),
        json!({"spec": {"parallelism": 2}, "metadata": {"labels": {"a": "b"}}}),
    ];
    for change in spec {
        judge(
            "editor",
            patch(&someone("editor"), &study, &change).await,
            Some(NO_WORKFLOWS),
        );
        judge(
            "viewer",
            patch(&someone("viewer"), &study, &change).await,
            Some(NO_ROLE),
        );
        judge("author", patch(&someone("author"), &study, &change).await, None);
    }
    // What is not the spec runs nothing.
    let label = json!({"metadata": {"labels": {"team": "molding"}, "annotations": {"why": "because"}}});
    judge("editor", patch(&someone("editor"), &study, &label).await, None);
    // The same spec once more changes nothing.
    let same = json!({"spec": {"parallelism": 2}});
    judge("editor", patch(&someone("editor"), &study, &same).await, None);
}

#[tokio::test]
async fn the_controller_and_the_garbage_collector_are_not_disturbed() {
    let (study, trial) = there("disturbed").await;
    let controller = someone(CONTROLLER);
    let collector = someone("system:serviceaccount:kube-system:generic-garbage-collector");
    for (object, finalizer) in [(&study, "hyperstudy.dev/study"), (&trial, "hyperstudy.dev/trial")] {
        let kind = object["kind"].as_str().unwrap();
        let finalizers = |all: &[&str]| json!({"metadata": {"finalizers": all}});
        judge(kind, patch(&controller, object, &finalizers(&[finalizer])).await, None);
        let name = object["metadata"]["name"].as_str().unwrap();
        let status = json!({
            "apiVersion": object["apiVersion"], "kind": kind, "metadata": {"name": name}, "status": {"phase": "Running"}
        });
        let manager = PatchParams::apply("hyperstudy").force();
        let written = api(&controller, object)
            .patch_status(name, &manager, &Patch::Apply(&status))
            .await;
        judge(kind, written, None);
        for user in ["author", "editor", "viewer"] {
            let status = json!({"status": {"phase": "Succeeded"}});
            let params = PatchParams::default();
            let forged = api(&someone(user), object)
                .patch_status(name, &params, &Patch::Merge(&status))
                .await;
            judge(user, forged, Some(NO_ROLE));
        }
        // It removes finalizers of its own and owners that are gone, and deletes.
        let owners = json!({"metadata": {"ownerReferences": [], "finalizers": [finalizer, "example.dev/other"]}});
        judge(kind, patch(&collector, object, &owners).await, None);
        judge(kind, patch(&collector, object, &finalizers(&[finalizer])).await, None);
        api(&collector, object)
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
        judge(kind, patch(&controller, object, &finalizers(&[])).await, None);
        let gone = api(&controller, object).get_opt(name).await.unwrap();
        assert!(gone.is_none(), "{gone:?}");
    }
}

#[tokio::test]
async fn only_the_controller_numbers_trials() {
    installed().await;
    let wish = trial("numbered", None);
    let with = |field: &str, value: Value| {
        let mut wish = wish.clone();
        wish["spec"][field] = value;
        wish
    };
    for (user, object, refusal) in [
        (CONTROLLER, trial("numbered", Some(1)), None),
        ("author", wish.clone(), None),
        ("editor", wish.clone(), Some(NO_WORKFLOWS)),
        ("stranger", wish.clone(), Some(NO_WORKFLOWS)),
        ("viewer", wish.clone(), Some(NO_ROLE)),
        ("author", trial("numbered", Some(1)), Some(NOT_YOURS)),
        ("author", with("origin", json!({"sampler": "random"})), Some(NOT_YOURS)),
        ("author", with("origin", json!({})), Some(NOT_YOURS)),
        ("author", with("continues", json!(1)), Some(NOT_YOURS)),
        // Of another namespace, and of another name.
        ("system:serviceaccount:ml:hyperstudy", wish.clone(), Some(NO_ROLE)),
    ] {
        let what = format!("{user}: {}", object["spec"]);
        judge(&what, create(&someone(user), &object, true).await, refusal);
    }
    // Not even an administrator, by mistake.
    let client = installed().await;
    judge(
        "administrator",
        create(&client, &trial("numbered", Some(1)), true).await,
        Some(NOT_YOURS),
    );
    judge("administrator", create(&client, &wish, true).await, None);
}

#[tokio::test]
async fn a_trial_is_stopped_by_those_who_may_create_workflows_and_nothing_else_of_it_changes() {
    let (_, trial) = there("stopped").await;
    let stop = json!({"spec": {"stop": true}});
    judge(
        "editor",
        patch(&someone("editor"), &trial, &stop).await,
        Some(NO_WORKFLOWS),
    );
    for parameters in [json!({"lr": 0.9}), json!({"more": 1}), json!({"lr": null}), json!(null)] {
        let change = json!({"spec": {"stop": true, "parameters": parameters}});
        let refusal = Some("the parameters of a trial cannot be changed");
        judge("author", patch(&someone("author"), &trial, &change).await, refusal);
    }
    judge("author", patch(&someone("author"), &trial, &stop).await, None);
}

/// `kubectl delete` is what the role says, and no policy's matter.
#[tokio::test]
async fn studies_are_deleted_by_those_who_may_delete_them() {
    let (study, trial) = there("deleted").await;
    for object in [&trial, &study] {
        let name = object["metadata"]["name"].as_str().unwrap();
        let delete = async |user| api(&someone(user), object).delete(name, &DeleteParams::default()).await;
        assert!(delete("viewer").await.unwrap_err().to_string().contains(NO_ROLE));
        delete("editor").await.unwrap();
    }
}
