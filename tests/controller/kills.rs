//! The controller ends at any moment, and another goes on.

use std::time::Duration;

use hyperstudy::api::{HyperparameterStudy, TrialPhase};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::support::{
    argo::{End, Job, Play},
    lab::Lab,
};

/// How often the controller is killed.
const KILLS: usize = 30;

/// How many trials the study has: more than can be over after the last kill.
const TRIALS: u32 = 60;

/// A study whose every trial has a fate of its own, which depends on its number and attempt alone.
fn fate(job: &Job) -> Play {
    let play = Play::loss((job.number("x") - 0.3).powi(2)).running(Duration::from_millis(60));
    match (job.number % 10, job.attempt) {
        (3, _) => play.ending(End::Fail("no luck".into())),
        (5, 1) => play.ending(End::Error("pod deleted".into())),
        (7, 1) => Play::nothing().ending(End::Vanish),
        (9, _) => Play::nothing().file("metrics.json", "{loss"),
        _ => play,
    }
}

fn spec() -> Value {
    json!({"spec": {
        "budget": {"trials": TRIALS},
        "retries": {"limit": 1},
        "storage": {"strategy": "Best", "keepTop": 2},
        "algorithm": {"sampler": {"random": null, "chain": [
            {"sampler": {"sobol": {}}, "trials": 30}, {"sampler": {"random": {}}},
        ]}},
    }})
}

/// What came out, but for times.
async fn outcome(lab: &Lab) -> Value {
    let status = lab.finished("s").await.status.unwrap();
    let trials = lab.trials_of("s").await;
    let trial = |t: &hyperstudy::api::HyperparameterTrial| {
        let status = t.status.as_ref().unwrap();
        json!({
            "parameters": t.spec.parameters, "origin": t.spec.origin, "phase": status.phase, "attempt": status.attempt,
            "failures": status.failures, "preemptions": status.preemptions, "objectives": status.objectives,
            "reason": status.reason, "files": status.files,
        })
    };
    // One that vanishes before anybody could record that it was there cannot be told from one that never was: it is created again.
    let vanishes = |name: &str| name.ends_with("7-1");
    lab.argo.journal().excuse(vanishes);
    let mut workflows = lab.argo.journal().created_names();
    workflows.dedup_by(|name, before| name == before && vanishes(name));
    let mut best = serde_json::to_value(&status.best).unwrap();
    best.as_object_mut().unwrap().remove("outputPath");
    json!({
        "phase": status.phase, "counts": status.trials, "best": best, "top": status.top,
        "trials": trials.iter().map(trial).collect::<Vec<_>>(),
        "rows": lab.rows("s").await,
        "workflows": workflows,
        "files": lab.bucket.below("runs/s/").await,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_the_result_is_the_same() {
    let undisturbed = Lab::start("undisturbed").await;
    undisturbed.argo.play("train", fate);
    let controller = undisturbed.controller();
    undisturbed.create_study("s", &spec()).await;
    let expected = outcome(&undisturbed).await;
    drop(controller);

    let lab = Lab::start("killed").await;
    lab.argo.play("train", fate);
    lab.create_study("s", &spec()).await;
    let mut dice = ChaCha8Rng::seed_from_u64(4);
    for _ in 0..KILLS {
        let controller = lab.controller();
        // Up to two Workflows later, and then at any moment of what follows.
        lab.argo.journal().happens(dice.random_range(0..6)).await;
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..100))).await;
        controller.kill();
    }
    let before = lab.studies().get("s").await.unwrap().status.unwrap();
    assert!(!before.phase.is_finished(), "it was over before the last kill");
    assert!(
        before.last_number > 10,
        "only {} trials before the last kill",
        before.last_number
    );
    let _controller = lab.controller();
    let found = outcome(&lab).await;
    assert_same(&expected, &found);
}

fn assert_same(expected: &Value, found: &Value) {
    for (name, expected) in expected.as_object().unwrap() {
        assert_eq!(&found[name], expected, "{name}");
    }
}

fn runs(study: &HyperparameterStudy) -> bool {
    study.status.as_ref().is_some_and(|s| s.trials.succeeded > 0)
}

#[tokio::test]
async fn another_controller_takes_over_when_one_is_stopped() {
    let lab = Lab::start("takeover").await;
    lab.argo.play("train", |job| {
        Play::loss(job.number("x")).running(Duration::from_millis(300))
    });
    lab.create_study("s", &json!({"spec": {"budget": {"trials": 12}, "parallelism": 2}}))
        .await;
    let mut first = lab.controller_with(&["--identity=first"]);
    first.ready().await;
    let second = lab.controller_with(&["--identity=second"]);
    lab.until("s", "runs", runs).await;
    let (status, log) = first.stop();
    assert!(status.success(), "{status}:\n{log}");
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!(status.trials.succeeded, 12);
    assert_eq!(lab.argo.journal().most_active("s"), 2);
    drop(second);
    for trial in lab.trials_of("s").await {
        let status = trial.status.unwrap();
        assert_eq!((status.phase, status.attempt), (TrialPhase::Succeeded, 1));
    }
}
