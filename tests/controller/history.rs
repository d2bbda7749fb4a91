//! A study that starts from what an earlier one found.

use std::time::Duration;

use hyperstudy::api::{HyperparameterStudy, StudyPhase};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::support::{
    lab::{Lab, parabola},
    versitygw::KEYS,
};

/// A study over other bounds with one parameter more, and this history.
fn later(from: &Value) -> Value {
    json!({"spec": {
        "parameters": [
            {"name": "x", "double": {"min": 0.25, "max": 0.9}},
            {"name": "depth", "int": {"min": 1, "max": 5}, "default": 3},
        ],
        "history": {"from": from},
        "trial": {"workflowTemplateRef": {"name": "train"}, "arguments": {"parameters": [{"name": "x", "value": "${parameters.x}"}]}},
    }})
}

/// A table of four trials, the best of which lies outside of the later study's space.
const TABLE: &str = "Trial-ID,Status,Iteration,x,Objective,loss\n\
    1,COMPLETED,1,0.1,0.001,0.001\n2,COMPLETED,1,0.5,0.04,0.04\n3,COMPLETED,1,0.31,0.01,0.01\n4,FAILED,,0.8,,\n";

fn ready(study: &HyperparameterStudy) -> String {
    let conditions = study.status.as_ref().map(|status| status.conditions.as_slice());
    let ready = conditions.unwrap_or_default().iter().find(|c| c.type_ == "Ready");
    ready.map_or_else(String::new, |c| format!("{} {}: {}", c.status, c.reason, c.message))
}

/// Every trial's number, what proposed it, and its `x`.
async fn made(lab: &Lab, study: &str) -> Vec<(u32, String, f64)> {
    let trials = lab.trials_of(study).await;
    let of = |t: &hyperstudy::api::HyperparameterTrial| {
        let origin = t.spec.origin.as_ref().and_then(|o| o.sampler.clone());
        (
            t.spec.number.unwrap(),
            origin.unwrap_or_default(),
            t.spec.parameters["x"].as_f64().unwrap(),
        )
    };
    trials.iter().map(of).collect()
}

#[tokio::test]
async fn a_table_in_s3_is_read_once_and_may_go_then() {
    let lab = Lab::start("history-table").await;
    lab.bucket
        .write("old/study_results.csv", TABLE.as_bytes())
        .await
        .unwrap();
    lab.argo.play("train", |job| {
        parabola(job.number("x")).running(Duration::from_millis(700))
    });
    let controller = lab.controller();
    let from = json!([format!("s3://{}/old", lab.bucket.name)]);
    let mut study = later(&from);
    study["spec"]["budget"] = json!({"trials": 5});
    lab.create_study("s", &study).await;
    let begun = lab
        .until("s", "has begun", |s| {
            s.status.as_ref().is_some_and(|s| s.trials.total > 0)
        })
        .await;
    let told = format!(
        "history: 3 of 4 trials from s3://{}/old/study_results.csv (1 lies outside the space)",
        lab.bucket.name
    );
    assert!(ready(&begun).ends_with(&told), "{}", ready(&begun));
    // It goes, and the controller begins anew.
    lab.bucket.delete("old/study_results.csv").await;
    drop(controller);
    let _controller = lab.controller();
    let status = lab.finished("s").await;
    assert!(ready(&status).ends_with(&told), "{}", ready(&status));
    assert_eq!(status.status.unwrap().phase, StudyPhase::Succeeded);
    let made = made(&lab, "s").await;
    assert_eq!(made[0], (1, "history".to_owned(), 0.31));
    assert_eq!(made[1].1, "random");
    assert_eq!(made.len(), 5);
    assert!(lab.bucket.read("runs/s/1/metrics.json").await.is_some());
    let record: Value = serde_json::from_str(&lab.bucket.text("runs/s/history.json").await).unwrap();
    assert_eq!(record["results"].as_array().unwrap().len(), 3);
    assert_eq!(
        record["results"][1],
        json!({"objective": 0.01, "parameters": {"depth": 3, "x": 0.31}})
    );
    // The folder goes with nothing left that is not the study's own.
    assert_eq!(lab.rows("s").await.len(), 5);
}

#[tokio::test]
async fn a_study_of_the_same_namespace_is_read_from_its_trials() {
    let lab = Lab::start("history-study").await;
    let _controller = lab.controller();
    lab.create_study("a", &json!({"spec": {"budget": {"trials": 6}}})).await;
    let first = lab.finished("a").await;
    // Where its files are does not matter.
    lab.bucket.delete("runs/a/study_results.csv").await;
    let inside = made(&lab, "a")
        .await
        .into_iter()
        .filter(|(_, _, x)| (0.25..=0.9).contains(x));
    let best = inside
        .min_by(|a, b| (a.2 - 0.3).abs().total_cmp(&(b.2 - 0.3).abs()))
        .unwrap();
    lab.create_study("b", &later(&json!([{"study": "a"}]))).await;
    lab.until("b", "has begun", |s| {
        s.status.as_ref().is_some_and(|s| s.trials.total > 0)
    })
    .await;
    lab.studies().delete("a", &DeleteParams::default()).await.unwrap();
    let second = lab.finished("b").await;
    assert!(
        ready(&second).contains("of 6 trials from the study `a`"),
        "{}",
        ready(&second)
    );
    let made = made(&lab, "b").await;
    assert_eq!((made[0].1.as_str(), made[0].2), ("history", best.2));
    let objective = |s: &HyperparameterStudy| s.status.as_ref().unwrap().best.as_ref().unwrap().objectives[0];
    if (0.25..=0.9).contains(&best.2) && objective(&first) == (best.2 - 0.3).powi(2) {
        assert!(objective(&second) <= objective(&first));
    }
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_said_and_waited_for() {
    let lab = Lab::start("history-wait").await;
    let _controller = lab.controller();
    let table = format!("s3://{}/old/study_results.csv", lab.bucket.name);
    lab.create_study("s", &later(&json!([{"study": "none"}, table]))).await;
    let waits = |says: &'static str| {
        let lab = &lab;
        async move {
            let study = lab.until("s", says, |s| ready(s).contains(says)).await;
            assert_eq!(study.status.unwrap().phase, StudyPhase::Pending);
            assert!(lab.trials_of("s").await.is_empty());
        }
    };
    waits("False HistoryUnreadable: spec.history.from[0]: there is no study `none` in the namespace").await;
    // It may be mended in the study ...
    lab.change_study("s", &json!({"history": {"from": ["results.csv"]}}))
        .await;
    waits("False InvalidSpec: spec.history.from[0]: `results.csv` is no address in S3").await;
    lab.change_study("s", &json!({"history": {"from": [table]}})).await;
    waits("False HistoryUnreadable: spec.history.from[0]: there is no s3://").await;
    lab.bucket.write("old/study_results.csv", b"<html>").await.unwrap();
    waits("cannot be used: its line 1 has no column `Objective`").await;
    // ... or where it is.
    lab.bucket
        .write("old/study_results.csv", TABLE.as_bytes())
        .await
        .unwrap();
    let study = lab.finished("s").await;
    assert_eq!(study.status.unwrap().phase, StudyPhase::Succeeded);
    assert_eq!(made(&lab, "s").await[0], (1, "history".to_owned(), 0.31));
}

#[tokio::test]
async fn the_controllers_own_credentials_read_only_what_a_flag_allows() {
    let lab = Lab::start("history-own").await;
    let bucket = &lab.bucket.name;
    for folder in ["runs/old", "elsewhere/old"] {
        let key = format!("{folder}/study_results.csv");
        lab.bucket.write(&key, TABLE.as_bytes()).await.unwrap();
    }
    let keys = [
        format!("AWS_ACCESS_KEY_ID={}", KEYS[0]),
        format!("AWS_SECRET_ACCESS_KEY={}", KEYS[1]),
    ];
    let rule = format!("--allow-ambient-credentials={}=s3://{bucket}/runs", lab.namespace);
    let _controller = lab.controller_in(&keys, &[&rule]);
    let mut study = later(&json!([format!("s3://{bucket}/elsewhere/old")]));
    let s3 = json!({"endpoint": lab.s3_address(), "region": "us-east-1", "insecure": true, "useSDKCreds": true});
    study["spec"]["storage"] = json!({"s3": s3});
    lab.create_study("s", &study).await;
    let words = "False HistoryUnreadable: spec.history.from[0]: credentials of hyperstudy's own, which this study uses, do not serve";
    lab.until("s", words, |s| ready(s).contains(words)).await;
    assert!(lab.trials_of("s").await.is_empty());
    lab.change_study("s", &json!({"history": {"from": [format!("s3://{bucket}/runs/old")]}}))
        .await;
    let study = lab.finished("s").await;
    assert_eq!(study.status.unwrap().phase, StudyPhase::Succeeded);
    assert_eq!(made(&lab, "s").await[0].1, "history");
}

#[tokio::test]
async fn a_study_that_waits_for_its_history_in_vain_fails_at_its_deadline() {
    let lab = Lab::start("history-late").await;
    let _controller = lab.controller();
    let mut study = later(&json!([{"study": "none"}]));
    study["spec"]["startDeadline"] = json!("4s");
    lab.create_study("s", &study).await;
    let status = lab.finished("s").await.status.unwrap();
    assert_eq!(status.phase, StudyPhase::Failed);
    lab.condition("s", "Failed", "True", "StartDeadlineExceeded").await;
}
