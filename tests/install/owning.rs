//! Where the API server guards who may be the owner that a deletion waits for, the controller may own what it creates.

use kube::Error;
use serde_json::{Value, json};

use crate::{
    cluster::{CONTROLLER, apply, create, established, named, study, trial, until},
    objects::manifests,
    support::{apiserver::ApiServer, crds},
};

fn owned(mut object: Value, by: &Value, uid: &str, blocks: bool) -> Value {
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": by["apiVersion"], "kind": by["kind"], "name": by["metadata"]["name"], "uid": uid,
        "controller": true, "blockOwnerDeletion": blocks
    }]);
    object
}

#[tokio::test]
async fn the_controller_may_own_what_it_creates() {
    let server = ApiServer::that_guards_owning();
    let client = server.client();
    for object in manifests() {
        let kind = object["kind"].as_str().unwrap();
        if [
            "CustomResourceDefinition",
            "Namespace",
            "ClusterRole",
            "ClusterRoleBinding",
        ]
        .contains(&kind)
        {
            apply(&client, &object, false).await.unwrap();
        }
        if kind == "CustomResourceDefinition" {
            established(&client, object["metadata"]["name"].as_str().unwrap()).await;
        }
    }
    crds::argo(&client).await;
    apply(&client, &named("v1", "Namespace", "ml"), false).await.unwrap();
    let study = study("owning");
    let uid = create(&client, &study, false).await.unwrap().metadata.uid.unwrap();
    let controller = server.client_as(CONTROLLER);

    let trial = trial("owning", Some(1));
    let of_study = owned(trial.clone(), &study, &uid, true);
    // The server learns of new kinds and roles a while later, half a minute at most.
    until(async || create(&controller, &of_study, true).await.is_ok()).await;
    let uid = create(&controller, &of_study, false)
        .await
        .unwrap()
        .metadata
        .uid
        .unwrap();

    let mut workflow = named("argoproj.io/v1alpha1", "Workflow", "owning-1-1");
    workflow["metadata"]["namespace"] = json!("ml");
    workflow["spec"] = json!({});
    create(&controller, &owned(workflow.clone(), &trial, &uid, false), false)
        .await
        .unwrap();
    // Were the trial to wait for its Workflow, that would take another right.
    workflow["metadata"]["name"] = json!("owning-1-2");
    match create(&controller, &owned(workflow, &trial, &uid, true), true).await {
        Err(Error::Api(status)) => assert!(status.message.contains("blockOwnerDeletion"), "{status:?}"),
        answer => panic!("{answer:?}"),
    }
}
