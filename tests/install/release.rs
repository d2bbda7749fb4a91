//! The chart as Helm really installs it, serving one namespace, and as it goes again.

use std::{fs, time::Duration};

use hyperstudy::cluster::lease::Lease;
use serde_json::json;

use crate::{
    cluster::{CONTROLLER, api, apply, create, installed, named, someone, trial, until},
    objects::chart,
    rights,
    support::{
        apiserver::{ApiServer, User},
        tools,
    },
};

#[tokio::test]
async fn a_release_serves_one_namespace_and_goes_without_a_trace() {
    let client = installed().await;
    for namespace in ["tuning", "team-a", "team-b"] {
        apply(&client, &named("v1", "Namespace", namespace), false)
            .await
            .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    fs::write(&kubeconfig, ApiServer::shared().kubeconfig(User::Administrator)).unwrap();
    let helm = |arguments: &[&str]| {
        let all = [
            arguments,
            &["--namespace", "tuning", "--kubeconfig", kubeconfig.to_str().unwrap()],
        ]
        .concat();
        tools::run("helm", &all).unwrap()
    };
    let values = ["--set", "scope=namespace,namespace=team-a"];
    let notes = helm(&[&["install", "a", "charts/hyperstudy"][..], &values].concat());
    assert!(notes.contains("serves the studies in the namespace team-a"), "{notes}");
    assert!(notes.contains("kubectl delete studies --all -n team-a"), "{notes}");

    let controller = someone("system:serviceaccount:tuning:a-hyperstudy");
    for (namespace, rights) in [
        ("team-a", &[rights::SERVED][..]),
        ("team-b", &[]),
        ("tuning", &[rights::OWN_OF_A]),
        ("argo", &[rights::ARGO]),
    ] {
        let role_is_seen = async || match rights {
            [] => true,
            _ => !rights::differences(&controller, namespace, &[]).await.is_empty(),
        };
        until(role_is_seen).await;
        assert_eq!(
            rights::differences(&controller, namespace, rights).await,
            [""; 0],
            "{namespace}"
        );
    }

    // Its policies hold where it serves: there the controller of the manifests, which serves every namespace here, is anybody.
    let refusal = async |namespace: &str| {
        let mut trial = trial("served", Some(1));
        trial["metadata"]["namespace"] = json!(namespace);
        let answer = create(&someone(CONTROLLER), &trial, true).await;
        answer.err().map(|e| e.to_string())
    };
    until(async || refusal("team-a").await.is_some()).await;
    let said = refusal("team-a").await.unwrap();
    assert!(
        said.contains("only the controller (system:serviceaccount:tuning:a-hyperstudy)"),
        "{said}"
    );
    assert_eq!(refusal("team-b").await, None);

    // It gets the lease that the chart brings, by what it may do.
    let lease = Lease::new(controller, "tuning", "a-hyperstudy", "pod");
    let held = tokio::time::timeout(Duration::from_secs(60), lease.acquire())
        .await
        .unwrap();

    // An upgrade changes what is there, but not who holds the lease.
    helm(
        &[
            &["upgrade", "a", "charts/hyperstudy", "--set", "replicas=2"][..],
            &values,
        ]
        .concat(),
    );
    let objects = chart("a", "tuning", &json!({"scope": "namespace", "namespace": "team-a"})).unwrap();
    let deployment = objects.iter().find(|o| o["kind"] == "Deployment").unwrap();
    let stored = api(&client, deployment).get("a-hyperstudy").await.unwrap();
    assert_eq!(stored.data["spec"]["replicas"], 2);
    let record = objects.iter().find(|o| o["kind"] == "Lease").unwrap();
    let stored = api(&client, record).get("a-hyperstudy").await.unwrap();
    assert_eq!(stored.data["spec"]["holderIdentity"], "pod");
    assert!(held.is_held());
    drop(held);

    helm(&["uninstall", "a"]);
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap();
        let left = api(&client, &object).get_opt(name).await.unwrap();
        // Studies outlive their controller: the definitions of the kinds go by hand.
        let stays = object["kind"] == "CustomResourceDefinition";
        assert_eq!(left.is_some(), stays, "{name}: {left:?}");
    }
    for (version, kind) in [("v1", "Secret"), ("coordination.k8s.io/v1", "Lease")] {
        let mut all = named(version, kind, "");
        all["metadata"]["namespace"] = json!("tuning");
        let left = api(&client, &all).list(&Default::default()).await.unwrap();
        assert!(left.items.is_empty(), "{:?}", left.items);
    }
}
