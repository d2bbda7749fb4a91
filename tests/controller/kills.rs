//! The controller ends at any moment, and another goes on.

use std::time::Duration;

use hyperstudy::api::{HyperparameterStudy, TrialPhase};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::{
    support::{argo::Play, lab::Lab},
    undisturbed,
};

/// How many studies have their controllers killed, each by dice of its own, and how often each.
const STUDIES: u64 = 4;
const KILLS: usize = 25;

/// How many trials each has: more than can be over after the last kill.
const TRIALS: u32 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_the_result_is_the_same() {
    // At the same time, as most of it is waiting.
    let studies = (0..STUDIES).map(killed);
    futures::future::join_all(studies).await;
}

async fn killed(seed: u64) {
    let lab = Lab::start("killed").await;
    undisturbed::begin(&lab, TRIALS).await;
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
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
    undisturbed::ends_alike(&lab, TRIALS).await;
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
