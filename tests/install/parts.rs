//! An installation by two people: the rights by an administrator of the cluster, the controller by whoever administrates one namespace.

use std::{collections::BTreeMap, fs};

use kube::Error;
use serde_json::{Value, json};

use crate::{
    cluster::{apply, bind, create, installed, may, named, someone, until},
    objects::chart,
    rights,
    support::{
        apiserver::{ApiServer, User},
        tools,
    },
};

/// The namespace of the team, and its administrator.
const TEAM: &str = "team-c";
const LEAD: &str = "lead";

/// What a part of the release `a` consists of, by kind and name, but for the definitions of the kinds.
fn part(part: &str) -> BTreeMap<(String, String), Value> {
    let objects = chart("a", TEAM, &json!({"scope": "namespace", "install": part})).unwrap();
    let objects = objects.into_iter().filter(|o| o["kind"] != "CustomResourceDefinition");
    let key = |o: &Value| (o["kind"].to_string(), o["metadata"]["name"].to_string());
    objects.map(|o| (key(&o), o)).collect()
}

#[test]
fn the_two_parts_are_the_whole() {
    let (rights, controller) = (part("rights"), part("controller"));
    assert!(rights.keys().all(|key| !controller.contains_key(key)));
    let both: BTreeMap<_, _> = rights.into_iter().chain(controller).collect();
    assert_eq!(both, part("all"));
}

#[tokio::test]
async fn who_administrates_a_namespace_installs_the_controller_there() {
    let client = installed().await;
    apply(&client, &named("v1", "Namespace", TEAM), false).await.unwrap();
    // What the role `admin` consists of; it is put together by a controller that does not run here.
    for role in ["admin", "edit", "view"] {
        bind(&client, LEAD, TEAM, &format!("system:aggregate-to-{role}")).await;
    }
    let lead = someone(LEAD);
    until(async || may(&lead, TEAM, "create", "apps", "deployments").await).await;
    until(async || may(&lead, TEAM, "create", "", "serviceaccounts").await).await;
    until(async || may(&lead, TEAM, "create", "rbac.authorization.k8s.io", "roles").await).await;

    // The rights are not the team's to give, so an administrator does: `helm template` and `kubectl apply`.
    let rights = part("rights");
    for (kind, name) in [
        ("Role", "a-hyperstudy"),
        ("Role", "a-hyperstudy-team-c-repositories"),
        ("ValidatingAdmissionPolicy", "a-hyperstudy-team-c-authors"),
        ("ClusterRole", "a-hyperstudy-team-c-view"),
    ] {
        let object = &rights[&(json!(kind).to_string(), json!(name).to_string())];
        match create(&lead, object, true).await {
            Err(Error::Api(status)) if status.code == 403 => {}
            answer => panic!("{kind} {name}: {answer:?}"),
        }
    }
    for object in rights.values() {
        apply(&client, object, false).await.unwrap();
    }

    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let mut config: Value = serde_json::from_str(&ApiServer::shared().kubeconfig(User::Administrator)).unwrap();
    config["users"][0]["user"]["as"] = json!(LEAD);
    fs::write(&kubeconfig, config.to_string()).unwrap();
    let helm = |arguments: &[&str]| {
        let all = [
            arguments,
            &["--namespace", TEAM, "--kubeconfig", kubeconfig.to_str().unwrap()],
        ]
        .concat();
        tools::run("helm", &all).unwrap()
    };
    let notes = helm(&[
        "install",
        "a",
        "charts/hyperstudy",
        "--skip-crds",
        "--set",
        "scope=namespace,install=controller",
    ]);
    assert!(notes.contains("an administrator has installed its roles"), "{notes}");

    let controller = someone("system:serviceaccount:team-c:a-hyperstudy");
    for (namespace, rights) in [
        (TEAM, &[rights::SERVED, rights::OWN_OF_A][..]),
        ("argo", &[rights::ARGO]),
    ] {
        until(async || rights::differences(&controller, namespace, rights).await.is_empty()).await;
    }
    helm(&["uninstall", "a"]);
}
