//! The stand-in for Argo itself: what it writes is what Argo writes.

use std::time::Duration;

use futures::StreamExt;
use kube::{
    ResourceExt,
    api::{DeleteParams, DynamicObject},
};
use serde_json::{Value, json};

use crate::support::{
    argo::{End, Happened, Play},
    crds,
    lab::{Lab, merge, parabola, template},
};

const LONG: Duration = Duration::from_secs(3600);
const MANY: u32 = 300;

fn workflow(number: u32, change: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": format!("s-{number}-1"),
            "labels": {
                "hyperstudy.dev/study": "s", "hyperstudy.dev/study-uid": "u",
                "hyperstudy.dev/trial": number.to_string(), "hyperstudy.dev/attempt": "1",
            },
            "ownerReferences": [{
                "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterTrial", "name": format!("s-{number}"), "uid": "t",
            }],
        },
        "spec": {
            "workflowTemplateRef": {"name": "train"},
            "arguments": {"parameters": [
                {"name": "x", "value": "0.5"}, {"name": "output_key", "value": format!("runs/s/{number}")},
            ]},
        },
    });
    merge(&mut object, change);
    object
}

/// Creates the trial that owns a Workflow: what has no owner is garbage.
async fn own(lab: &Lab, number: u32, object: &mut Value) {
    let trial = json!({
        "metadata": {"name": format!("s-{number}")},
        "spec": {"studyRef": {"name": "s"}, "number": number, "parameters": {}},
    });
    let trial = crate::support::lab::create_or_get(&lab.trials(), trial).await;
    object["metadata"]["ownerReferences"][0]["uid"] = json!(trial.uid());
}

async fn create(lab: &Lab, number: u32, change: &Value) -> String {
    let mut object = workflow(number, change);
    own(lab, number, &mut object).await;
    let object = object;
    lab.create_dynamic(&crds::workflows(), &object).await.name_any()
}

fn is_over(object: Option<&DynamicObject>) -> bool {
    object.is_some_and(|o| {
        o.labels()
            .get("workflows.argoproj.io/completed")
            .is_some_and(|c| c == "true")
    })
}

/// Waits until a Workflow is over; its phase and message.
async fn outcome(lab: &Lab, name: &str) -> (String, String) {
    lab.until_workflow(name, "is over", is_over).await;
    let object = lab.workflows().get(name).await.unwrap();
    let status = &object.data["status"];
    let phase = status["phase"].as_str().unwrap();
    assert_eq!(object.labels()["workflows.argoproj.io/phase"], phase);
    (
        phase.to_owned(),
        status["message"].as_str().unwrap_or_default().to_owned(),
    )
}

fn failed(message: &str) -> (String, String) {
    ("Failed".to_owned(), message.to_owned())
}

#[tokio::test]
async fn a_workflow_succeeds_and_leaves_its_files() {
    let lab = Lab::start("succeeds").await;
    lab.argo.play("train", |job| {
        parabola(job.number("x")).output("loss", "0.04").global("all", "1")
    });
    let name = create(
        &lab,
        1,
        &json!({"spec": {"ttlStrategy": {"secondsAfterCompletion": 1}}}),
    )
    .await;
    assert_eq!(outcome(&lab, &name).await.0, "Succeeded");
    assert_eq!(lab.bucket.below("runs/s/1/").await, ["metrics.json", "model.bin"]);
    let metrics: Value = serde_json::from_str(&lab.bucket.text("runs/s/1/metrics.json").await).unwrap();
    assert!((metrics["loss"].as_f64().unwrap() - 0.04).abs() < 1e-12);
    let status = lab.workflows().get(&name).await.unwrap().data["status"].clone();
    let output = json!([{"name": "loss", "value": "0.04"}]);
    assert_eq!(status["nodes"][&name]["outputs"]["parameters"], output);
    assert_eq!(status["outputs"]["parameters"][0]["name"], "all");
    lab.until_workflow(&name, "is gone", |o| o.is_none()).await;
    let saw = |what: Happened| lab.argo.journal().which(|h| *h == what);
    assert_eq!(saw(Happened::Running), [name.as_str()]);
    assert_eq!(saw(Happened::Completed("Succeeded".into())), [name.as_str()]);
}

#[tokio::test]
async fn workflows_end_in_every_other_way() {
    let lab = Lab::start("ends").await;
    lab.argo.play("train", |job| match job.number {
        1 => Play::nothing().ending(End::Fail("no luck".into())),
        2 => Play::nothing().ending(End::Error("pod deleted".into())),
        3 => Play::nothing().ending(End::Hang),
        4 | 5 => Play::loss(1.0).ending(End::Hang),
        6 => Play::loss(1.0).pending(LONG),
        7 => Play::loss(1.0).running(Duration::from_millis(300)).ending(End::Deaf),
        8 => Play::nothing().ending(End::Vanish),
        9 => Play::loss(1.0).ending(End::VanishDone),
        10 => Play::nothing().ending(End::Ignored),
        _ => Play::nothing().ending(End::Hang),
    });
    let plain = json!({});
    let name = create(&lab, 1, &plain).await;
    assert_eq!(outcome(&lab, &name).await, failed("no luck"));
    let name = create(&lab, 2, &plain).await;
    assert_eq!(outcome(&lab, &name).await, ("Error".into(), "pod deleted".into()));
    let name = create(&lab, 3, &json!({"spec": {"activeDeadlineSeconds": 1}})).await;
    let late = "Pod was active on the node longer than the specified deadline";
    assert_eq!(outcome(&lab, &name).await, failed(late));

    let stop = |strategy: &str| json!({"spec": {"shutdown": strategy}});
    for (number, strategy) in [(4, "Stop"), (5, "Terminate"), (6, "Terminate")] {
        let name = create(&lab, number, &plain).await;
        crate::support::lab::change(&lab.workflows(), &name, &stop(strategy)).await;
        assert_eq!(
            outcome(&lab, &name).await,
            failed(&format!("Stopped with strategy '{strategy}'"))
        );
    }
    assert_eq!(lab.bucket.below("runs/s/4/").await, ["metrics.json"]);
    let name = create(&lab, 7, &stop("Stop")).await;
    assert_eq!(outcome(&lab, &name).await.0, "Succeeded");

    for (number, files) in [(8, 0), (9, 1)] {
        let name = create(&lab, number, &plain).await;
        lab.until_workflow(&name, "is gone", |o| o.is_none()).await;
        assert_eq!(lab.bucket.below(&format!("runs/s/{number}/")).await.len(), files);
    }
    let ignored = create(&lab, 10, &plain).await;
    let deleted = create(&lab, 11, &plain).await;
    lab.until_workflow(&deleted, "runs", |o| {
        o.is_some_and(|o| o.data["status"]["phase"] == "Running")
    })
    .await;
    lab.workflows()
        .delete(&deleted, &DeleteParams::default())
        .await
        .unwrap();
    lab.until_workflow(&deleted, "is gone", |o| o.is_none()).await;
    assert_eq!(lab.workflows().get(&ignored).await.unwrap().data["status"], Value::Null);
}

#[tokio::test]
async fn templates_are_looked_up() {
    let lab = Lab::start("templates").await;
    let name = create(&lab, 1, &json!({"spec": {"workflowTemplateRef": {"name": "other"}}})).await;
    let missing = "workflowtemplates.argoproj.io \"other\" not found";
    assert_eq!(outcome(&lab, &name).await, ("Error".into(), missing.into()));
    let mut other = template("other");
    other["spec"]["arguments"]["parameters"][0]["value"] = json!("0.25");
    lab.create_dynamic(&crds::templates(), &other).await;
    lab.argo.play("other", |job| Play::loss(job.number("x")));
    let arguments = json!({"parameters": [{"name": "output_key", "value": "runs/s/2"}]});
    let change = json!({"spec": {"workflowTemplateRef": {"name": "other"}, "arguments": arguments}});
    let name = create(&lab, 2, &change).await;
    assert_eq!(outcome(&lab, &name).await.0, "Succeeded");
    assert_eq!(lab.bucket.text("runs/s/2/metrics.json").await, r#"{"loss":0.25}"#);
    let name = create(&lab, 3, &json!({"spec": {"arguments": {"parameters": []}}})).await;
    assert!(
        outcome(&lab, &name)
            .await
            .1
            .starts_with("invalid spec: spec.arguments.x")
    );
}

#[tokio::test]
async fn what_must_never_happen_is_noted() {
    let lab = Lab::start("violations").await;
    lab.argo.play("train", |_| Play::nothing().ending(End::Hang));
    lab.bucket.write("runs/s/1/old.json", b"{}").await.unwrap();
    let name = create(&lab, 1, &json!({"spec": {"serviceAccountName": "x"}})).await;
    lab.until_workflow(&name, "runs", |o| {
        o.is_some_and(|o| o.data["status"]["phase"] == "Running")
    })
    .await;
    let again = json!({"metadata": {"name": "s-1-2", "labels": {"hyperstudy.dev/attempt": "2"}}});
    create(&lab, 1, &again).await;
    lab.until_workflow("s-1-2", "runs", |o| {
        o.is_some_and(|o| o.data["status"]["phase"] == "Running")
    })
    .await;
    let violations = lab.argo.journal().violations().join("\n");
    for part in [
        "spec.serviceAccountName",
        "old.json",
        "s-1-1 of the same trial is not over",
    ] {
        assert!(violations.contains(part), "{part}: {violations}");
    }
    assert_eq!(lab.argo.journal().most_active("s"), 1);
    lab.argo.journal().forgive();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_plays_many() {
    let lab = Lab::start("many-workflows").await;
    lab.argo.play("train", |job| Play::loss(job.number("x")).brisk());
    let plain = json!({});
    let calls = (1..=MANY).map(|number| create(&lab, number, &plain));
    futures::stream::iter(calls)
        .buffer_unordered(16)
        .for_each(|_| async {})
        .await;
    for number in 1..=MANY {
        lab.until_workflow(&format!("s-{number}-1"), "is over", is_over).await;
    }
    assert_eq!(lab.argo.journal().created_names().len(), MANY as usize);
}
