//! A study with trials of many fates, and what comes of it where nothing disturbs it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use hyperstudy::api::HyperparameterTrial;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use crate::support::{
    argo::{End, Job, Play},
    lab::Lab,
};

/// How every trial goes, which depends on its number and attempt alone.
pub fn fate(job: &Job) -> Play {
    let play = Play::loss((job.number("x") - 0.3).powi(2)).running(Duration::from_millis(60));
    match (job.number % 10, job.attempt) {
        (3, _) => play.ending(End::Fail("no luck".into())),
        (5, 1) => play.ending(End::Error("pod deleted".into())),
        (7, 1) => Play::nothing().ending(End::Vanish),
        (9, _) => Play::nothing().file("metrics.json", "{loss"),
        _ => play,
    }
}

/// Creates the study `s` of so many trials.
pub async fn begin(lab: &Lab, trials: u32) {
    lab.argo.play("train", fate);
    let spec = json!({"spec": {
        "budget": {"trials": trials},
        "retries": {"limit": 1},
        "storage": {"strategy": "Best", "keepTop": 2},
        "algorithm": {"sampler": {"random": null, "chain": [
            {"sampler": {"sobol": {}}, "trials": trials / 2}, {"sampler": {"random": {}}},
        ]}},
    }});
    lab.create_study("s", &spec).await;
}

/// Waits for the end of the study, and asserts that what came out is what comes out where nothing disturbs it.
pub async fn ends_alike(lab: &Lab, trials: u32) {
    let found = outcome(lab).await;
    let expected = expected(trials).await;
    for (name, expected) in expected.as_object().unwrap() {
        assert_eq!(&found[name], expected, "{name}");
    }
}

/// What comes out undisturbed, found out once for each number of trials.
async fn expected(trials: u32) -> Value {
    static KNOWN: OnceCell<Mutex<HashMap<u32, Arc<OnceCell<Value>>>>> = OnceCell::const_new();
    let known = KNOWN.get_or_init(async || Mutex::default()).await;
    let cell = known.lock().await.entry(trials).or_default().clone();
    let run = async || {
        let lab = Lab::start("undisturbed").await;
        let _controller = lab.controller();
        begin(&lab, trials).await;
        outcome(&lab).await
    };
    cell.get_or_init(run).await.clone()
}

/// What came out, but for times.
async fn outcome(lab: &Lab) -> Value {
    let status = lab.finished("s").await.status.unwrap();
    let trials = lab.trials_of("s").await;
    let trial = |t: &HyperparameterTrial| {
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
