//! Events on a real API server, as `kubectl` asks for them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use hyperstudy::{
    api::{HyperparameterStudy, StudyStatus},
    cluster::events::{Note, NoteType, Outcomes, Recorder, study_events},
};
use jiff::Timestamp;
use k8s_openapi::api::{core::v1::Event, events::v1::Event as NewEvent};
use kube::{
    Api, Client, Resource,
    api::{ListParams, ObjectMeta},
};
use serde_json::{Value, json};
use support::apiserver::ApiServer;

/// A study that the API server need not know: events speak of anything.
fn study(name: &str) -> HyperparameterStudy {
    let spec = json!({
        "objectives": [{"metric": "loss", "goal": "Minimize"}],
        "parameters": [{"name": "lr", "double": {"min": 0, "max": 1}}],
        "algorithm": {"sampler": {"sobol": {}}},
        "trial": {"workflowTemplateRef": {"name": "fit"}},
        "storage": {"outputPath": "s3://b/runs"},
    });
    let mut study = HyperparameterStudy::new(name, serde_json::from_value(spec).unwrap());
    study.metadata = ObjectMeta {
        namespace: Some("default".to_owned()),
        uid: Some(format!("uid-of-{name}")),
        ..study.metadata
    };
    study
}

/// Publishes, and waits until all is published.
async fn publish(client: &Client, study: &HyperparameterStudy, notes: Vec<Note>) -> Outcomes {
    let outcomes = Outcomes::default();
    let (recorder, task) = Recorder::new(
        client.clone(),
        "hyperstudy-controller-0",
        outcomes.clone(),
        Timestamp::now,
    );
    let task = tokio::spawn(task);
    notes
        .into_iter()
        .for_each(|note| recorder.note(&study.object_ref(&()), note));
    drop(recorder);
    tokio::time::timeout(Duration::from_secs(60), task)
        .await
        .unwrap()
        .unwrap();
    outcomes
}

/// What `kubectl describe` asks for.
fn about(name: &str) -> ListParams {
    ListParams::default().fields(&format!(
        "involvedObject.kind=HyperparameterStudy,involvedObject.name={name},involvedObject.namespace=default,involvedObject.uid=uid-of-{name}"
    ))
}

/// The rows that `kubectl get events` prints, but for the age: type, reason, object, message.
async fn rows(client: &Client, name: &str) -> Vec<Vec<Value>> {
    let path = format!("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D{name}");
    let request = http::Request::get(path)
        .header("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1")
        .body(Vec::new())
        .unwrap();
    let table: Value = client.request(request).await.unwrap();
    let shown = ["Type", "Reason", "Object", "Message"];
    let columns = table["columnDefinitions"].as_array().unwrap();
    let place = |name: &str| columns.iter().position(|c| c["name"] == name).unwrap();
    let row = |r: &Value| shown.map(|name| r["cells"][place(name)].clone()).to_vec();
    let mut rows: Vec<_> = table["rows"].as_array().unwrap().iter().map(row).collect();
    rows.sort_by_key(|r| r[1].to_string());
    rows
}

#[tokio::test]
async fn what_happened_to_a_study_is_shown() {
    let client = ApiServer::shared().client();
    let study = study("shown");
    let after = json!({
        "phase": "Running",
        "startTime": "2026-01-01T00:00:00Z",
        "conditions": [{
            "type": "StorageDegraded", "status": "True", "reason": "StorageFails", "message": "the bucket `b` does not exist",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    });
    let after: StudyStatus = serde_json::from_value(after).unwrap();
    let notes = study_events(&StudyStatus::default(), &after);
    let outcomes = publish(&client, &study, notes).await;
    assert_eq!((outcomes.published.get(), outcomes.failed.get()), (2, 0));
    let object = "hyperparameterstudy/shown";
    assert_eq!(
        rows(&client, "shown").await,
        [
            vec![
                json!("Normal"),
                json!("Started"),
                json!(object),
                json!("the first trial was created")
            ],
            vec![
                json!("Warning"),
                json!("StorageDegraded"),
                json!(object),
                json!("StorageFails: the bucket `b` does not exist"),
            ],
        ]
    );
    let events: Api<Event> = Api::namespaced(client.clone(), "default");
    assert_eq!(events.list(&about("shown")).await.unwrap().items.len(), 2);
    // The newer kind of the same, for those who ask for that.
    let newer: Api<NewEvent> = Api::namespaced(client, "default");
    let newer = newer.list(&ListParams::default()).await.unwrap();
    let of_ours = |e: &&NewEvent| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some("shown");
    assert_eq!(newer.iter().filter(of_ours).count(), 2);
}

#[tokio::test]
async fn the_same_is_counted_up_also_by_another_program() {
    let client = ApiServer::shared().client();
    let study = study("counted");
    let note = Note {
        type_: NoteType::Warning,
        reason: "NotReady",
        message: "TemplateNotFound: there is no WorkflowTemplate `fit`".to_owned(),
    };
    let events: Api<Event> = Api::namespaced(client.clone(), "default");
    publish(&client, &study, vec![note.clone(); 3]).await;
    publish(&client, &study, vec![note]).await;
    let list = events.list(&about("counted")).await.unwrap();
    let [event] = list.items.as_slice() else {
        panic!("{list:?}")
    };
    assert_eq!(event.count, Some(4));
    assert!(event.first_timestamp.as_ref().unwrap().0 <= event.last_timestamp.as_ref().unwrap().0);
    let source = event.source.as_ref().and_then(|s| s.component.as_deref());
    assert_eq!(source, Some("hyperstudy-controller"));
    assert_eq!(event.reporting_instance.as_deref(), Some("hyperstudy-controller-0"));
}

#[tokio::test]
async fn what_the_server_refuses_harms_nobody() {
    let client = ApiServer::shared().client();
    let mut study = study("nowhere");
    study.metadata.namespace = Some("no-such-namespace".to_owned());
    let note = Note {
        type_: NoteType::Normal,
        reason: "Started",
        message: "x".repeat(5000),
    };
    let outcomes = publish(&client, &study, vec![note.clone()]).await;
    assert_eq!((outcomes.published.get(), outcomes.failed.get()), (0, 1));
    // A long message is cut, not refused.
    study.metadata.namespace = Some("default".to_owned());
    let outcomes = publish(&client, &study, vec![note]).await;
    assert_eq!((outcomes.published.get(), outcomes.failed.get()), (1, 0));
}
