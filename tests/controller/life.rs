//! What a person can ask of a study while it lives.

use std::time::Duration;

use hyperstudy::api::{HyperparameterStudy, HyperparameterTrial, StudyPhase, TrialPhase};
use jiff::Timestamp;
use kube::{Resource, ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use crate::support::{
    argo::{End, Happened, Play},
    crds,
    lab::{Lab, change, create, garbage_collector},
};

/// Waits until a trial's Workflow runs.
async fn runs(lab: &Lab, workflow: &str) {
    let is_running = |o: Option<&DynamicObject>| o.is_some_and(|o| o.data["status"]["phase"] == "Running");
    lab.until_workflow(workflow, "runs", is_running).await;
}

fn phase(study: &HyperparameterStudy) -> Option<StudyPhase> {
    study.status.as_ref().map(|s| s.phase)
}

#[tokio::test]
async fn a_study_is_suspended_and_goes_on() {
    let lab = Lab::start("suspend").await;
    lab.argo.play("train", |job| {
        Play::loss(job.number("x")).running(Duration::from_secs(1))
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"suspend": true}})).await;
    lab.condition("s", "Suspended", "True", "Suspended").await;
    assert_eq!(lab.argo.journal().created_names(), [""; 0]);
    lab.change_study("s", &json!({"suspend": false})).await;
    runs(&lab, "s-1-1").await;
    lab.change_study("s", &json!({"suspend": true})).await;
    // What runs finishes.
    let quiet = |s: &HyperparameterStudy| {
        let status = s.status.as_ref();
        status.is_some_and(|s| s.phase == StudyPhase::Suspended && s.trials.running == 0 && s.trials.succeeded == 1)
    };
    lab.until("s", "is suspended and quiet", quiet).await;
    assert_eq!(lab.argo.journal().created_names(), ["s-1-1"]);
    assert_eq!(
        lab.argo.journal().which(|h| matches!(h, Happened::Shutdown(_))),
        [""; 0]
    );
    lab.change_study("s", &json!({"suspend": false})).await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.phase, status.trials.succeeded), (StudyPhase::Succeeded, 3));
}

#[tokio::test]
async fn shutdown_stop_lets_finish_what_runs() {
    let lab = Lab::start("stop").await;
    lab.argo.play("train", |job| {
        Play::loss(job.number("x")).running(Duration::from_secs(1))
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"parallelism": 2, "budget": {"trials": 100}}}))
        .await;
    runs(&lab, "s-1-1").await;
    runs(&lab, "s-2-1").await;
    lab.change_study("s", &json!({"shutdown": "Stop"})).await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!(
        (status.phase, status.trials.succeeded, status.trials.total),
        (StudyPhase::Succeeded, 2, 2)
    );
    lab.condition("s", "Complete", "True", "Stopped").await;
    assert_eq!(
        lab.argo.journal().which(|h| matches!(h, Happened::Shutdown(_))),
        [""; 0]
    );
}

#[tokio::test]
async fn shutdown_terminate_ends_what_runs() {
    let lab = Lab::start("terminate").await;
    lab.argo.play("train", |job| match job.number {
        1 => Play::loss(0.5),
        2 => Play::nothing().ending(End::Hang),
        // It waits for a lock: only `Terminate` is heard.
        _ => Play::nothing().pending(Duration::from_secs(3600)),
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"parallelism": 2, "budget": {"trials": 100}}}))
        .await;
    runs(&lab, "s-2-1").await;
    lab.until_workflow("s-3-1", "waits", |o| {
        o.is_some_and(|o| o.data["status"]["phase"] == "Pending")
    })
    .await;
    lab.change_study("s", &json!({"shutdown": "Terminate"})).await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.phase, status.trials.stopped), (StudyPhase::Succeeded, 2));
    lab.condition("s", "Complete", "True", "Terminated").await;
    assert_eq!(status.best.unwrap().number, 1);
}

#[tokio::test]
async fn a_target_that_is_reached_ends_the_study() {
    let lab = Lab::start("target").await;
    lab.argo.play("train", |job| match job.number {
        1 => Play::nothing().ending(End::Hang),
        3 => Play::loss(0.001),
        _ => Play::loss(0.5),
    });
    let _controller = lab.controller();
    let objective = json!([{"metric": "loss", "goal": "Minimize", "target": 0.01}]);
    lab.create_study(
        "s",
        &json!({"spec": {"objectives": objective, "parallelism": 2, "budget": {"trials": 100}}}),
    )
    .await;
    let status = lab.finished("s").await.status.unwrap();
    lab.condition("s", "Complete", "True", "TargetReached").await;
    assert_eq!(status.best.unwrap().number, 3);
    let first = lab.trials().get("s-1").await.unwrap().status.unwrap();
    assert_eq!(
        (first.phase, first.reason.as_deref()),
        (TrialPhase::Stopped, Some("TargetReached"))
    );
}

#[tokio::test]
async fn a_duration_that_is_over_ends_the_study() {
    let lab = Lab::start("duration").await;
    lab.argo.play("train", |_| Play::loss(0.5).ending(End::Hang));
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"budget": {"trials": null, "duration": "2s"}}}))
        .await;
    let status = lab.finished("s").await.status.unwrap();
    lab.condition("s", "Complete", "True", "DurationOver").await;
    // What it had reported counts.
    assert_eq!((status.phase, status.trials.stopped), (StudyPhase::Succeeded, 1));
}

/// Queues a configuration.
async fn request(lab: &Lab, parameters: Value) -> String {
    let trial = json!({
        "metadata": {"generateName": "mine-"},
        "spec": {"studyRef": {"name": "s"}, "parameters": parameters},
    });
    create(&lab.trials(), trial).await.name_any()
}

fn has(wanted: TrialPhase) -> impl Fn(&HyperparameterTrial) -> bool {
    move |trial| trial.status.as_ref().is_some_and(|s| s.phase == wanted)
}

#[tokio::test]
async fn a_person_asks_for_configurations() {
    let lab = Lab::start("requests").await;
    lab.argo.play("train", |job| {
        let time = if job.number == 1 { 1500 } else { 0 };
        Play::loss(job.number("x")).running(Duration::from_millis(time))
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"budget": {"trials": 4}}})).await;
    runs(&lab, "s-1-1").await;
    let first = request(&lab, json!({"x": 0.125})).await;
    let outside = request(&lab, json!({"x": 2})).await;
    let unknown = request(&lab, json!({"x": 0.5, "y": 1})).await;
    let second = request(&lab, json!({"x": 0.0625})).await;
    lab.finished("s").await;
    let mut numbers = Vec::new();
    for (name, x) in [(first, 0.125), (second, 0.0625)] {
        let admitted = lab.until_trial(&name, "is admitted", has(TrialPhase::Admitted)).await;
        let number = admitted.status.unwrap().number.unwrap();
        let trial = lab.trials().get(&format!("s-{number}")).await.unwrap();
        assert_eq!(trial.spec.parameters["x"], json!(x));
        assert_eq!(trial.spec.origin.unwrap().request.unwrap().name, name);
        assert_eq!(trial.status.unwrap().phase, TrialPhase::Succeeded);
        numbers.push(number);
    }
    // Both go before what the sampler proposes, oldest first where the clock tells.
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3]);
    for name in [outside, unknown] {
        let rejected = lab.until_trial(&name, "is rejected", has(TrialPhase::Rejected)).await;
        let status = rejected.status.unwrap();
        assert!(status.reason.is_some() && status.message.is_some_and(|m| !m.is_empty()));
    }
    assert_eq!(lab.trials_of("s").await.len(), 4);
    let late = request(&lab, json!({"x": 0.25})).await;
    let rejected = lab.until_trial(&late, "is rejected", has(TrialPhase::Rejected)).await;
    assert_eq!(rejected.status.unwrap().reason.as_deref(), Some("StudyFinished"));
}

#[tokio::test]
async fn a_raised_budget_opens_a_study_again() {
    let lab = Lab::start("reopen").await;
    let _controller = lab.controller();
    lab.create_study(
        "s",
        &json!({"spec": {"budget": {"trials": 2}, "storage": {"strategy": "Best"}}}),
    )
    .await;
    let first = lab.finished("s").await.status.unwrap();
    assert_eq!(first.trials.total, 2);
    let changed = lab.change_study("s", &json!({"budget": {"trials": 5}})).await;
    let again = lab
        .until("s", "is finished again", |s| {
            let status = s.status.as_ref().unwrap();
            status.observed_generation == changed.metadata.generation && status.phase.is_finished()
        })
        .await;
    let status = again.status.unwrap();
    assert_eq!((status.phase, status.trials.succeeded), (StudyPhase::Succeeded, 5));
    assert_eq!(lab.rows("s").await.len(), 5);
    assert!(status.completion_time > first.completion_time);
}

#[tokio::test]
async fn a_finished_study_goes_when_its_time_is_over() {
    garbage_collector().await;
    let lab = Lab::start("ttl").await;
    let _controller = lab.controller();
    lab.create_study(
        "s",
        &json!({"spec": {"ttlAfterFinished": "2s", "trial": {"workflowTTL": "1s"}}}),
    )
    .await;
    lab.until_workflow("s-1-1", "is gone", |o| o.is_none()).await;
    lab.finished("s").await;
    lab.gone::<HyperparameterStudy>("s").await;
    for number in 1..=3 {
        lab.gone::<HyperparameterTrial>(&format!("s-{number}")).await;
    }
    assert!(!lab.bucket.below("runs/s/1/").await.is_empty());
}

#[tokio::test]
async fn a_study_that_cannot_start_in_time_fails() {
    let lab = Lab::start("deadline").await;
    let _controller = lab.controller();
    let trial = json!({"workflowTemplateRef": {"name": "missing"}});
    lab.create_study("s", &json!({"spec": {"startDeadline": "2s", "trial": trial}}))
        .await;
    assert_eq!(phase(&lab.finished("s").await), Some(StudyPhase::Failed));
    lab.condition("s", "Failed", "True", "StartDeadlineExceeded").await;
}

#[tokio::test]
async fn a_study_stops_with_the_workflow_that_owns_it() {
    let lab = Lab::start("owned").await;
    lab.argo.play("train", |job| match job.number {
        1 => Play::loss(0.5),
        _ => Play::nothing().ending(End::Hang),
    });
    let owner = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "pipeline"},
        "spec": {"entrypoint": "main"}, "status": {"phase": "Running"},
    });
    let owner = lab.create_dynamic(&crds::workflows(), &owner).await;
    let reference = json!([{
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "pipeline", "uid": owner.meta().uid,
    }]);
    let _controller = lab.controller();
    lab.create_study(
        "s",
        &json!({"metadata": {"ownerReferences": reference}, "spec": {"ttlAfterFinished": "1h"}}),
    )
    .await;
    runs(&lab, "s-2-1").await;
    let over = json!({
        "metadata": {"labels": {"workflows.argoproj.io/phase": "Failed", "workflows.argoproj.io/completed": "true"}},
        "status": {"phase": "Failed", "finishedAt": Timestamp::now().to_string()},
    });
    change(&lab.workflows(), "pipeline", &over).await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.phase, status.trials.stopped), (StudyPhase::Succeeded, 1));
    lab.condition("s", "Complete", "True", "OwnerFinished").await;
}
