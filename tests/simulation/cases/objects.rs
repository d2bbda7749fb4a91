//! Objects through a real client: what they become, who takes them along, and what is seen of them.

use std::time::Duration;

use hyperstudy::api::{HyperparameterStudy, HyperparameterTrial, TrialPhase};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Error,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{dynamic, study, trial, workflow};
use crate::{
    cluster::{Kind, Verb},
    world::{NAMESPACE, World},
};

fn code(error: &Error) -> u16 {
    match error {
        Error::Api(status) => status.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn typed_objects_come_and_go() {
    let world = World::new(1);
    let client = world.cluster.client(NAMESPACE);
    let studies: Api<HyperparameterStudy> = Api::default_namespaced(client.clone());
    let wanted: HyperparameterStudy = serde_json::from_value(study("s")).unwrap();
    let created = studies.create(&PostParams::default(), &wanted).await.unwrap();
    let began: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(created.metadata.creation_timestamp.unwrap().0, began);
    assert_eq!(created.metadata.generation, Some(1));
    assert_eq!(created.spec, wanted.spec);
    assert_eq!(
        code(&studies.create(&PostParams::default(), &wanted).await.unwrap_err()),
        409
    );

    sleep(Duration::from_secs(3600)).await;
    let trials: Api<HyperparameterTrial> = Api::namespaced(client.clone(), "other");
    let mut request: Value = trial("s", 1);
    request["metadata"] = json!({"generateName": "please-"});
    request["spec"]["number"].take();
    let request: HyperparameterTrial = serde_json::from_value(request).unwrap();
    let made = trials.create(&PostParams::default(), &request).await.unwrap();
    let again = trials.create(&PostParams::default(), &request).await.unwrap();
    assert_ne!(made.metadata.name, again.metadata.name);
    assert_eq!(
        made.metadata.creation_timestamp.unwrap().0,
        began + Duration::from_secs(3600)
    );

    let status = json!({"status": {"phase": "Rejected"}});
    let name = made.metadata.name.unwrap();
    let patched = trials
        .patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
    assert_eq!(patched.status.unwrap().phase, TrialPhase::Rejected);
    assert_eq!(patched.metadata.generation, Some(1));
    assert!(trials.delete(&name, &DeleteParams::default()).await.unwrap().is_right());
    assert_eq!(code(&trials.get(&name).await.unwrap_err()), 404);

    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let map = serde_json::from_value(json!({"metadata": {"name": "m"}, "data": {"a": "1"}})).unwrap();
    assert_eq!(
        maps.create(&PostParams::default(), &map)
            .await
            .unwrap()
            .metadata
            .generation,
        None
    );
    assert_eq!(maps.list(&ListParams::default()).await.unwrap().items.len(), 1);
    assert_eq!(world.writes("configmaps"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_of_one_moment_however_many_pages_it_has() {
    let world = World::new(2);
    for n in 1..=7 {
        world
            .cluster
            .create(
                NAMESPACE,
                workflow(&format!("w{n}"), &json!({"odd": (n % 2).to_string()})),
            )
            .unwrap();
    }
    let api = dynamic(&world, "workflows");
    let odd = api.list(&ListParams::default().labels("odd=1")).await.unwrap();
    assert_eq!(odd.items.len(), 4);
    let first = api.list(&ListParams::default().limit(3)).await.unwrap();
    let proceed = first.metadata.continue_.clone().unwrap();
    assert_eq!((first.items.len(), first.metadata.remaining_item_count), (3, Some(4)));
    world.cluster.delete("workflows", NAMESPACE, "w5").unwrap();
    world.cluster.create(NAMESPACE, workflow("w51", &json!({}))).unwrap();
    world
        .cluster
        .edit("workflows", NAMESPACE, "w6", |w| w["spec"]["priority"] = 5.into())
        .unwrap();
    let rest = api.list(&ListParams::default().continue_token(&proceed)).await.unwrap();
    let names: Vec<_> = rest.items.iter().map(|w| w.metadata.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["w4", "w5", "w6", "w7"]);
    assert!(rest.items.iter().all(|w| w.data["spec"]["priority"].is_null()));
    assert_eq!(rest.metadata.resource_version, first.metadata.resource_version);
    world.cluster.compact();
    world.cluster.delete("workflows", NAMESPACE, "w1").unwrap();
    let late = api.list(&ListParams::default().continue_token(&proceed)).await;
    assert_eq!(code(&late.unwrap_err()), 410);
}

#[tokio::test(start_paused = true)]
async fn metadata_alone_is_had_for_the_asking() {
    let world = World::new(3);
    world
        .cluster
        .create(NAMESPACE, workflow("w", &json!({"a": "b"})))
        .unwrap();
    let api = dynamic(&world, "workflows");
    let listed = api.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(listed.items[0].metadata.labels.as_ref().unwrap()["a"], "b");
    let one = api.get_metadata("w").await.unwrap();
    assert_eq!(one.types.unwrap().kind, "PartialObjectMetadata");
    let patch = json!({"metadata": {"labels": {"c": "d"}}});
    let patched = api
        .patch_metadata("w", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    assert_eq!(patched.metadata.labels.unwrap()["c"], "d");
    assert_eq!(world.requests(Verb::Patch, "workflows"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_owned_goes_with_its_owner() {
    let world = World::new(4);
    let owner = |kind: &str, object: &Value| {
        json!([{"apiVersion": Kind::plural("hyperparametertrials").api_version(), "kind": kind,
            "name": object["metadata"]["name"], "uid": object["metadata"]["uid"]}])
    };
    let mut held = study("s");
    held["metadata"]["finalizers"] = json!(["hyperstudy.dev/study"]);
    let held = world.cluster.create(NAMESPACE, held).unwrap();
    let mut child = trial("s", 1);
    child["metadata"]["ownerReferences"] = owner("HyperparameterStudy", &held);
    child["metadata"]["finalizers"] = json!(["hyperstudy.dev/trial"]);
    let child = world.cluster.create(NAMESPACE, child).unwrap();
    let mut run = workflow("s-1-1", &json!({}));
    run["metadata"]["ownerReferences"] = owner("HyperparameterTrial", &child);
    world.cluster.create(NAMESPACE, run.clone()).unwrap();

    let studies = dynamic(&world, "hyperparameterstudies");
    let wrong = Preconditions {
        uid: Some("another".to_owned()),
        resource_version: None,
    };
    let refused = studies.delete("s", &DeleteParams::default().preconditions(wrong)).await;
    assert_eq!(code(&refused.unwrap_err()), 409);
    assert!(studies.delete("s", &DeleteParams::default()).await.unwrap().is_left());
    sleep(Duration::from_secs(5)).await;
    // Held by a finalizer: nobody loses an owner yet.
    assert_eq!(world.cluster.all("workflows").len(), 1);
    let free = json!({"metadata": {"finalizers": null}});
    let before = Instant::now();
    studies
        .patch("s", &PatchParams::default(), &Patch::Merge(&free))
        .await
        .unwrap();
    world
        .cluster
        .until(|c| {
            c.get("hyperparametertrials", NAMESPACE, "s-1")
                .is_some_and(|t| !t["metadata"]["deletionTimestamp"].is_null())
        })
        .await;
    assert!(before.elapsed() < Duration::from_secs(1));
    let trials = dynamic(&world, "hyperparametertrials");
    trials
        .patch("s-1", &PatchParams::default(), &Patch::Merge(&free))
        .await
        .unwrap();
    world.cluster.until(|c| c.all("workflows").is_empty()).await;
    // What is created for an owner that is gone already goes as well.
    world.cluster.create(NAMESPACE, run).unwrap();
    world.cluster.until(|c| c.all("workflows").is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn objects_that_do_not_decode_can_be_planted() {
    let world = World::new(5);
    let mut odd = study("odd");
    odd["spec"] = json!("nothing that the program knows");
    assert!(world.cluster.create(NAMESPACE, odd.clone()).is_err());
    world.cluster.plant("hyperparameterstudies", NAMESPACE, odd);
    let client = world.cluster.client(NAMESPACE);
    let studies: Api<HyperparameterStudy> = Api::default_namespaced(client);
    assert!(matches!(studies.get("odd").await, Err(Error::SerdeError(_))));
    let plain: DynamicObject = dynamic(&world, "hyperparameterstudies").get("odd").await.unwrap();
    assert_eq!(plain.data["spec"], "nothing that the program knows");
    let status = world
        .cluster
        .edit_status("hyperparameterstudies", NAMESPACE, "odd", |s| {
            s["status"] = json!({"phase": "Failed"});
        });
    assert_eq!(status.unwrap()["status"]["phase"], "Failed");
}
