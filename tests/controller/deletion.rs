//! Studies and trials that a person deletes while they run.

use hyperstudy::api::{HyperparameterStudy, HyperparameterTrial};
use kube::api::DeleteParams;
use serde_json::json;

use crate::support::{
    argo::{End, Happened, Play},
    lab::{Lab, garbage_collector},
};

async fn runs(lab: &Lab, workflow: &str) {
    lab.until_workflow(workflow, "runs", |o| {
        o.is_some_and(|o| o.data["status"]["phase"] == "Running")
    })
    .await;
}

#[tokio::test]
async fn a_deleted_study_takes_its_trials_and_workflows_along() {
    garbage_collector().await;
    for (parameters, on_delete) in [
        (DeleteParams::background(), "Retain"),
        (DeleteParams::foreground(), "Retain"),
        (DeleteParams::background(), "Delete"),
    ] {
        let lab = Lab::start("delete-study").await;
        lab.argo.play("train", |job| match job.number {
            1 => Play::loss(0.5),
            _ => Play::loss(0.6).ending(End::Hang),
        });
        lab.bucket.write("runs/s-other/1/metrics.json", b"{}").await.unwrap();
        let _controller = lab.controller();
        lab.create_study(
            "s",
            &json!({"spec": {"parallelism": 2, "budget": {"trials": 100}, "storage": {"onDelete": on_delete}}}),
        )
        .await;
        runs(&lab, "s-2-1").await;
        runs(&lab, "s-3-1").await;
        lab.studies().delete("s", &parameters).await.unwrap();
        lab.gone::<HyperparameterStudy>("s").await;
        for number in 1..=3 {
            lab.gone::<HyperparameterTrial>(&format!("s-{number}")).await;
            lab.until_workflow(&format!("s-{number}-1"), "is gone", |o| o.is_none())
                .await;
        }
        assert_eq!(lab.argo.journal().created_names().len(), 3);
        let is_empty = lab.bucket.below("runs/s/").await.is_empty();
        assert_eq!(is_empty, on_delete == "Delete");
        assert_eq!(lab.bucket.below("runs/s-other/").await.len(), 1);
        // The same name is free for another study, which starts from the beginning.
        if on_delete == "Delete" {
            lab.create_study("t", &json!({"spec": {"budget": {"trials": 1}}})).await;
            lab.finished("t").await;
        }
    }
}

#[tokio::test]
async fn a_deleted_trial_is_stopped_and_its_number_stays_used() {
    garbage_collector().await;
    let lab = Lab::start("delete-trial").await;
    lab.argo.play("train", |job| match job.number {
        2 => Play::nothing().ending(End::Hang),
        _ => Play::loss(0.5),
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"budget": {"trials": 4}}})).await;
    runs(&lab, "s-2-1").await;
    lab.trials().delete("s-2", &DeleteParams::background()).await.unwrap();
    lab.gone::<HyperparameterTrial>("s-2").await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.last_number, status.trials.succeeded), (4, 3));
    let stopped = lab.argo.journal().which(|h| matches!(h, Happened::Shutdown(_)));
    assert_eq!(stopped, ["s-2-1"]);
    assert_eq!(lab.argo.journal().created_names(), ["s-1-1", "s-2-1", "s-3-1", "s-4-1"]);
    lab.until_workflow("s-2-1", "is gone", |o| o.is_none()).await;
}

/// Deleted together with all that is in it; what holds a trial must not hold the namespace for ever.
#[tokio::test]
async fn a_namespace_that_goes_is_not_held() {
    use k8s_openapi::api::core::v1::Namespace;
    garbage_collector().await;
    let lab = Lab::start("delete-namespace").await;
    lab.argo.play("train", |_| Play::nothing().ending(End::Hang));
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"parallelism": 2}})).await;
    runs(&lab, "s-1-1").await;
    runs(&lab, "s-2-1").await;
    let namespaces: kube::Api<Namespace> = kube::Api::all(lab.client.clone());
    namespaces
        .delete(&lab.namespace, &DeleteParams::default())
        .await
        .unwrap();
    for number in 1..=2 {
        lab.gone::<HyperparameterTrial>(&format!("s-{number}")).await;
    }
    lab.gone::<HyperparameterStudy>("s").await;
}

#[tokio::test]
async fn a_study_that_makes_no_sense_can_be_deleted() {
    let lab = Lab::start("delete-unusable").await;
    let _controller = lab.controller();
    let storage = json!({"onDelete": "Delete"});
    lab.create_study("s", &json!({"spec": {"suspend": true, "storage": storage}}))
        .await;
    let is_held = |s: &HyperparameterStudy| s.metadata.finalizers.as_ref().is_some_and(|f| !f.is_empty());
    lab.until("s", "is held", is_held).await;
    let arguments = json!([{"name": "x", "value": "${parameters.nonesuch}"}]);
    lab.change_study("s", &json!({"trial": {"arguments": {"parameters": arguments}}}))
        .await;
    lab.condition("s", "Ready", "False", "InvalidSpec").await;
    lab.studies().delete("s", &DeleteParams::default()).await.unwrap();
    lab.gone::<HyperparameterStudy>("s").await;
}

#[tokio::test]
async fn a_folder_that_another_study_took_over_does_not_go() {
    let lab = Lab::start("taken-over").await;
    let _controller = lab.controller();
    let storage = json!({"onDelete": "Delete"});
    lab.create_study("s", &json!({"spec": {"storage": storage}})).await;
    lab.finished("s").await;
    let owner = json!({"uid": "another", "name": "another"}).to_string();
    lab.bucket.write("runs/s/.owner", owner.as_bytes()).await.unwrap();
    let files = lab.bucket.below("runs/s/").await;
    lab.studies().delete("s", &DeleteParams::default()).await.unwrap();
    lab.gone::<HyperparameterStudy>("s").await;
    assert_eq!(lab.bucket.below("runs/s/").await, files);
}
