//! Trials that do not end well: failed, vanished, slow, preempted, with metrics files that are wrong.

use std::time::Duration;

use hyperstudy::api::{StudyPhase, TrialPhase, TrialStatus};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::{
    argo::{End, Happened, Job, Play},
    lab::{Lab, change},
};

fn fails(message: &str) -> Play {
    Play::nothing().ending(End::Fail(message.into()))
}

/// A study of one trial whose attempts do what `script` says; how the trial ended, and the cluster.
async fn one(name: &str, spec: Value, script: impl Fn(&Job) -> Play + Send + Sync + 'static) -> (TrialStatus, Lab) {
    let lab = Lab::start(name).await;
    lab.argo.play("train", script);
    let controller = lab.controller();
    let mut change = json!({"spec": {"budget": {"trials": 1}}});
    crate::support::lab::merge(&mut change["spec"], &spec);
    lab.create_study("s", &change).await;
    lab.finished("s").await;
    drop(controller);
    let trial = lab.trials().get("s-1").await.unwrap();
    (trial.status.unwrap(), lab)
}

#[tokio::test]
async fn a_failed_trial_is_one_failed_trial() {
    let lab = Lab::start("failing").await;
    lab.argo.play("train", |job| match job.number {
        2 => fails("Error (exit code 1): no luck"),
        _ => Play::loss(job.number("x")),
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"budget": {"trials": 4}}})).await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!(status.phase, StudyPhase::Succeeded);
    assert_eq!((status.trials.succeeded, status.trials.failed), (3, 1));
    let trial = lab.trials().get("s-2").await.unwrap().status.unwrap();
    assert_eq!((trial.phase, trial.attempt), (TrialPhase::Failed, 1));
    assert!(trial.message.unwrap().contains("no luck"));
    assert_eq!(trial.objectives, [0.0; 0]);
    let rows = lab.rows("s").await;
    let statuses: Vec<&str> = rows.iter().map(|r| r["Status"].as_str()).collect();
    assert_eq!(statuses, ["COMPLETED", "FAILED", "COMPLETED", "COMPLETED"]);
}

#[tokio::test]
async fn a_failed_attempt_is_tried_again_as_often_as_allowed() {
    let limit = json!({"retries": {"limit": 2}});
    let third = |job: &Job| {
        if job.attempt == 3 {
            Play::loss(0.5)
        } else {
            fails("no luck")
        }
    };
    let (trial, lab) = one("retried", limit.clone(), third).await;
    assert_eq!(
        (trial.phase, trial.attempt, trial.failures),
        (TrialPhase::Succeeded, 3, 2)
    );
    assert_eq!(lab.argo.journal().created_names(), ["s-1-1", "s-1-2", "s-1-3"]);
    let (trial, _lab) = one("retried", limit, |_| fails("no luck")).await;
    assert_eq!((trial.phase, trial.attempt, trial.failures), (TrialPhase::Failed, 3, 3));
}

#[tokio::test]
async fn too_many_failed_trials_fail_the_study_and_end_what_runs() {
    let lab = Lab::start("too-many").await;
    lab.argo.play("train", |job| match job.number {
        1 => Play::nothing().ending(End::Hang),
        2 => Play::loss(0.1),
        _ => fails("no luck"),
    });
    let _controller = lab.controller();
    lab.create_study(
        "s",
        &json!({"spec": {"parallelism": 2, "budget": {"trials": 50, "failedTrials": 2}}}),
    )
    .await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!(status.phase, StudyPhase::Failed);
    lab.condition("s", "Failed", "True", "TooManyFailedTrials").await;
    assert_eq!((status.trials.total, status.trials.stopped), (4, 1));
    assert_eq!(status.best.unwrap().number, 2);
}

#[tokio::test]
async fn a_metrics_file_that_is_wrong_says_how_and_is_not_tried_again() {
    let cases: [(&str, &[u8]); 7] = [
        ("MetricsMissing", b""),
        ("MetricMissing", br#"{"accuracy": 1}"#),
        ("MetricWrongType", br#"{"loss": "low"}"#),
        ("MetricNotFinite", br#"{"loss": NaN}"#),
        ("MetricsNotJson", b"{loss"),
        ("MetricsNotObject", b"[1, 2]"),
        ("MetricsNotJson", b"\xff\xfe"),
    ];
    let lab = Lab::start("bad-metrics").await;
    lab.argo
        .play("train", move |job| match cases.get(job.number as usize - 1) {
            Some((_, b"")) => Play::nothing(),
            Some((_, content)) => Play::nothing().file("metrics.json", *content),
            None => Play::loss(job.number("x")),
        });
    let _controller = lab.controller();
    lab.create_study(
        "s",
        &json!({"spec": {"parallelism": 3, "budget": {"trials": 10}, "retries": {"limit": 3}}}),
    )
    .await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.trials.succeeded, status.trials.failed), (3, 7));
    for (trial, (reason, _)) in lab.trials_of("s").await.iter().zip(cases) {
        let status = trial.status.as_ref().unwrap();
        assert_eq!((status.reason.as_deref(), status.attempt), (Some(reason), 1));
        assert!(status.message.is_some());
    }
}

#[tokio::test]
async fn a_vanished_workflow_is_looked_for_in_s3() {
    // It left nothing: lost, and tried again.
    let vanishes = |job: &Job| match job.attempt {
        1 => Play::nothing().ending(End::Vanish),
        _ => Play::loss(0.5),
    };
    let (trial, _lab) = one("vanished", json!({"retries": {"limit": 1}}), vanishes).await;
    assert_eq!(
        (trial.phase, trial.attempt, trial.failures),
        (TrialPhase::Succeeded, 2, 1)
    );
    let (trial, _lab) = one("vanished", json!({}), vanishes).await;
    assert_eq!(
        (trial.phase, trial.reason.as_deref()),
        (TrialPhase::Failed, Some("Lost"))
    );
    // It left its metrics: that counts, and nothing is run again.
    for end in [End::Vanish, End::VanishDone] {
        let (trial, _lab) = one("vanished", json!({"retries": {"limit": 1}}), move |_| {
            Play::loss(0.25).ending(end.clone())
        })
        .await;
        assert_eq!((trial.phase, trial.attempt), (TrialPhase::Succeeded, 1));
        assert_eq!(trial.objectives, [0.25]);
    }
}

#[tokio::test]
async fn a_workflow_that_a_person_deletes_is_run_again_under_another_name() {
    let lab = Lab::start("deleted-workflow").await;
    lab.argo.play("train", |job| match job.attempt {
        1 => Play::nothing().ending(End::Hang),
        _ => Play::loss(0.5),
    });
    let _controller = lab.controller();
    lab.create_study(
        "s",
        &json!({"spec": {"budget": {"trials": 1}, "retries": {"limit": 1}}}),
    )
    .await;
    lab.until_trial("s-1", "runs", |t| {
        t.status.as_ref().is_some_and(|s| s.phase == TrialPhase::Running)
    })
    .await;
    lab.workflows().delete("s-1-1", &DeleteParams::default()).await.unwrap();
    lab.finished("s").await;
    assert_eq!(lab.argo.journal().created_names(), ["s-1-1", "s-1-2"]);
    let trial = lab.trials().get("s-1").await.unwrap().status.unwrap();
    assert_eq!((trial.phase, trial.failures), (TrialPhase::Succeeded, 1));
}

#[tokio::test]
async fn a_slow_attempt_is_ended_and_may_be_tried_again() {
    let spec = json!({"trial": {"timeout": "1s"}, "retries": {"limit": 1}});
    let slow = |_: &Job| Play::nothing().ending(End::Hang);
    let (trial, _lab) = one("slow", spec.clone(), slow).await;
    assert_eq!((trial.phase, trial.attempt), (TrialPhase::Failed, 2));
    assert_eq!(trial.reason.as_deref(), Some("TimedOut"));
    let second = |job: &Job| match job.attempt {
        1 => Play::nothing().ending(End::Hang),
        _ => Play::loss(1.0),
    };
    let (trial, _lab) = one("slow", spec, second).await;
    assert_eq!(
        (trial.phase, trial.attempt, trial.failures),
        (TrialPhase::Succeeded, 2, 1)
    );
}

#[tokio::test]
async fn preemption_costs_no_retry() {
    let ends = |job: &Job| match job.attempt {
        1 => Play::nothing().ending(End::Error("pod deleted".into())),
        2 => fails("Pod was terminated in response to imminent node shutdown."),
        3 => fails("The node was low on resource: memory. Threshold quantity: 100Mi, available: 5Mi. "),
        _ => Play::loss(0.5),
    };
    let (trial, _lab) = one("preempted", json!({}), ends).await;
    assert_eq!((trial.phase, trial.attempt), (TrialPhase::Succeeded, 4));
    assert_eq!((trial.preemptions, trial.failures), (3, 0));
}

#[tokio::test]
async fn a_workflow_that_a_person_stops_counts_as_stopped() {
    let lab = Lab::start("stopped-outside").await;
    lab.argo.play("train", |job| match job.number {
        1 => Play::loss(0.5).ending(End::Hang),
        _ => Play::loss(0.6),
    });
    let _controller = lab.controller();
    lab.create_study(
        "s",
        &json!({"spec": {"budget": {"trials": 2}, "retries": {"limit": 3}}}),
    )
    .await;
    lab.until_workflow("s-1-1", "runs", |o| {
        o.is_some_and(|o| o.data["status"]["phase"] == "Running")
    })
    .await;
    crate::support::lab::change(&lab.workflows(), "s-1-1", &json!({"spec": {"shutdown": "Stop"}})).await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.trials.stopped, status.trials.succeeded), (1, 1));
    assert_eq!(status.best.unwrap().number, 1);
    let trial = lab.trials().get("s-1").await.unwrap().status.unwrap();
    assert_eq!((trial.attempt, trial.reason.as_deref()), (1, Some("StoppedOutside")));
}

#[tokio::test]
async fn one_trial_is_stopped_or_ends_before_that() {
    let lab = Lab::start("stop-one").await;
    lab.argo.play("train", |job| match job.number {
        1 => Play::loss(0.5).ending(End::Hang),
        // The stop comes too late.
        2 => Play::loss(0.6).running(Duration::from_secs(2)).ending(End::Deaf),
        _ => Play::loss(0.7),
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"parallelism": 2}})).await;
    for name in ["s-1", "s-2"] {
        lab.until_workflow(&format!("{name}-1"), "runs", |o| {
            o.is_some_and(|o| o.data["status"]["phase"] == "Running")
        })
        .await;
        crate::support::lab::change(&lab.trials(), name, &json!({"spec": {"stop": true}})).await;
    }
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.trials.stopped, status.trials.succeeded), (1, 2));
    let trial = lab.trials().get("s-1").await.unwrap().status.unwrap();
    assert_eq!(trial.phase, TrialPhase::Stopped);
    assert_eq!(
        (trial.reason.as_deref(), trial.objectives[0]),
        (Some("StoppedByUser"), 0.5)
    );
    let mut stops = lab.argo.journal().which(|h| matches!(h, Happened::Shutdown(_)));
    stops.sort();
    assert_eq!(stops, ["s-1-1", "s-2-1"]);
}

#[tokio::test]
async fn metrics_may_come_from_the_workflows_outputs() {
    let lab = Lab::start("outputs").await;
    lab.argo.play("train", |job| match job.number {
        1 => Play::nothing().output("loss", "0.5").output("note", "text"),
        2 => Play::nothing().global("loss", "0.25"),
        _ => Play::nothing().output("other", "1"),
    });
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"trial": {"metrics": {"workflowOutputs": {}}}}}))
        .await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.trials.succeeded, status.trials.failed), (2, 1));
    let best = status.best.unwrap();
    assert_eq!((best.number, best.objectives[0]), (2, 0.25));
    let trial = lab.trials().get("s-3").await.unwrap().status.unwrap();
    assert_eq!(trial.reason.as_deref(), Some("MetricMissing"));
}

#[tokio::test]
async fn a_workflow_that_loses_its_labels_gets_them_back() {
    let lab = Lab::start("labels").await;
    lab.argo
        .play("train", |_| Play::loss(0.5).running(Duration::from_secs(3)));
    let _controller = lab.controller();
    lab.create_study("s", &json!({"spec": {"budget": {"trials": 1}}})).await;
    lab.until_workflow("s-1-1", "is there", |o| o.is_some()).await;
    let none = json!({"metadata": {"labels": {"hyperstudy.dev/study": null, "hyperstudy.dev/study-uid": null}}});
    change(&lab.workflows(), "s-1-1", &none).await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!((status.phase, status.trials.succeeded), (StudyPhase::Succeeded, 1));
}

#[tokio::test]
async fn what_a_program_printed_does_not_keep_it_from_being_recorded() {
    let (status, _lab) = one("control", json!({}), |_| {
        Play::metrics(&json!({"loss": 0.5, "a\u{7f}b\u{85}": 1.0, "\u{feff}": 2.0}))
    })
    .await;
    assert_eq!(status.phase, TrialPhase::Succeeded);
    assert_eq!(status.metrics.len(), 3);
    let long = "k".repeat(1100);
    let (status, _lab) = one("long-key", json!({}), move |_| {
        Play::metrics(&json!({"loss": 0.5, long.as_str(): 1.0}))
    })
    .await;
    assert_eq!((status.phase, status.metrics.len()), (TrialPhase::Succeeded, 1));
    let (status, _lab) = one("control-message", json!({}), |_| fails("exit\u{9b}31m code 1")).await;
    assert_eq!(status.phase, TrialPhase::Failed);
}
