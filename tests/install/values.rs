//! The chart's values: each does what it says, and what is wrong is refused before anything is installed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::objects::{all_values, chart, find};

#[test]
fn values_that_are_wrong_are_refused() {
    for (values, place) in [
        (json!({"replicaCount": 2}), "replicaCount"),
        (json!({"replicas": "two"}), "/replicas"),
        (json!({"replicas": -1}), "/replicas"),
        (json!({"replicas": null}), "replicas"),
        (json!({"scope": "Cluster"}), "/scope"),
        (json!({"scope": "namespace", "namespace": "Team A"}), "/namespace"),
        (json!({"scope": "namespace", "namespace": "a,b"}), "/namespace"),
        (json!({"install": "everything"}), "/install"),
        // A cluster-wide installation serves every namespace.
        (json!({"namespace": "team-a"}), "/scope"),
        (json!({"clusterWorkflowTemplates": "yes"}), "/clusterWorkflowTemplates"),
        (json!({"image": "hyperstudy:1"}), "/image"),
        (json!({"image": {"repository": "x y"}}), "/image/repository"),
        (json!({"image": {"repository": ""}}), "/image/repository"),
        (json!({"image": {"tag": "a b"}}), "/image/tag"),
        (json!({"image": {"tag": 1.5}}), "/image/tag"),
        (json!({"image": {"name": "x"}}), "'name'"),
        (json!({"image": {"pullPolicy": "Sometimes"}}), "/image/pullPolicy"),
        (
            json!({"image": {"pullSecrets": [{"name": "x"}]}}),
            "/image/pullSecrets/0",
        ),
        (json!({"argo": {"namespace": ""}}), "/argo/namespace"),
        (json!({"argo": {"configMap": null}}), "configMap"),
        (json!({"argo": {"configmap": "x"}}), "'configmap'"),
        (json!({"argo": {"instanceId": "a b"}}), "/argo/instanceId"),
        (
            json!({"argo": {"artifactRepositories": "x"}}),
            "/argo/artifactRepositories",
        ),
        (json!({"admissionPolicy": false}), "/admissionPolicy"),
        (
            json!({"admissionPolicy": {"enabled": "false"}}),
            "/admissionPolicy/enabled",
        ),
        (json!({"userRoles": {"on": true}}), "'on'"),
        (
            json!({"serviceAccount": {"annotations": {"a": 1}}}),
            "/serviceAccount/annotations/a",
        ),
        (json!({"serviceAccount": {"name": "x"}}), "'name'"),
        (json!({"extraArgs": "--x"}), "/extraArgs"),
        (json!({"extraArgs": ["run"]}), "/extraArgs/0"),
        (json!({"extraArgs": [{"a": 1}]}), "/extraArgs/0"),
        // These have values of their own, by which the roles go.
        (json!({"extraArgs": ["--namespace=x"]}), "/extraArgs/0"),
        (json!({"extraArgs": ["--lease-name=x"]}), "/extraArgs/0"),
        (
            json!({"extraArgs": ["--ok", "--argo-namespace", "--x"]}),
            "/extraArgs/1",
        ),
        (json!({"extraEnv": {"A": "b"}}), "/extraEnv"),
        (json!({"extraEnv": [{"name": "A"}]}), "/extraEnv/0"),
        (json!({"extraEnv": [{"name": "A", "value": 1}]}), "/extraEnv/0/value"),
        (json!({"extraEnv": [{"name": "A-B", "value": ""}]}), "/extraEnv/0/name"),
        (
            json!({"extraEnv": [{"name": "POD_NAME", "value": "x"}]}),
            "/extraEnv/0/name",
        ),
        (
            json!({"extraEnv": [{"name": "A", "valueFrom": {"fieldRef": {}}}]}),
            "'fieldRef'",
        ),
        (json!({"podSecurity": {"runAsUser": 0}}), "/podSecurity/runAsUser"),
        (json!({"podSecurity": {"privileged": true}}), "'privileged'"),
        (json!({"resources": {"limit": {}}}), "'limit'"),
        (
            json!({"resources": {"limits": {"memory": "lots"}}}),
            "/resources/limits/memory",
        ),
        (json!({"nodeSelector": {"a": true}}), "/nodeSelector/a"),
        (json!({"tolerations": [{"operation": "Exists"}]}), "'operation'"),
        (json!({"affinity": {"nodeAfinity": {}}}), "'nodeAfinity'"),
    ] {
        match chart("x", "y", &values) {
            Ok(_) => panic!("{values} is taken"),
            Err(said) => assert!(said.contains(place), "{values}: {said}"),
        }
    }
}

/// Each value, where it shows.
#[test]
fn every_value_does_what_it_says() {
    let values = all_values();
    let objects = chart("tuning", "ml", &values).unwrap();
    let at = |kind: &str, name: &str, pointer: &str| {
        let object = find(&objects, kind, name).unwrap_or_else(|| panic!("{kind} {name}"));
        object.pointer(pointer).cloned().unwrap_or_default()
    };
    let pod = |pointer: &str| {
        at(
            "Deployment",
            "tuning-hyperstudy",
            &format!("/spec/template/spec{pointer}"),
        )
    };
    let container = |pointer: &str| pod(&format!("/containers/0{pointer}"));
    assert_eq!(container("/image"), "registry.example:5000/ml/hyperstudy:1.2.3");
    assert_eq!(container("/imagePullPolicy"), "Always");
    assert_eq!(pod("/imagePullSecrets"), json!([{"name": "registry"}]));
    assert_eq!(at("Deployment", "tuning-hyperstudy", "/spec/replicas"), 2);
    assert_eq!(
        container("/args"),
        json!([
            "controller",
            "--lease-name=tuning-hyperstudy",
            "--namespace=served",
            "--argo-namespace=argo-system",
            "--argo-configmap=argo-config",
            "--instance-id=second",
            "--allow-endpoint=minio:9000",
            "--allow-ambient-credentials=served=s3://bucket/runs"
        ])
    );
    let env = container("/env");
    assert_eq!(env.as_array().unwrap()[3..], values["extraEnv"].as_array().unwrap()[..]);
    assert_eq!(pod("/securityContext/runAsUser"), 1_000_700_000);
    assert_eq!(pod("/securityContext/runAsGroup"), 1_000_700_001);
    for (place, value) in [
        (container("/resources"), "resources"),
        (pod("/nodeSelector"), "nodeSelector"),
        (pod("/tolerations"), "tolerations"),
        (pod("/affinity"), "affinity"),
    ] {
        assert_eq!(place, values[value], "{value}");
    }
    let annotations = at("ServiceAccount", "tuning-hyperstudy", "/metadata/annotations");
    assert_eq!(annotations, values["serviceAccount"]["annotations"]);
    let repositories = "tuning-hyperstudy-served-repositories";
    assert_eq!(at("Role", repositories, "/metadata/namespace"), "argo-system");
    assert_eq!(
        at("Role", repositories, "/rules/0/resourceNames"),
        json!(["argo-config", "repositories", "others"])
    );
    assert_eq!(at("Role", "tuning-hyperstudy", "/metadata/namespace"), "served");
    assert!(find(&objects, "ClusterRole", "tuning-hyperstudy-served-templates").is_some());
    for policy in ["tuning-hyperstudy-served-authors", "tuning-hyperstudy-served-trials"] {
        let selector = at(
            "ValidatingAdmissionPolicyBinding",
            policy,
            "/spec/matchResources/namespaceSelector/matchLabels",
        );
        assert_eq!(selector, json!({"kubernetes.io/metadata.name": "served"}));
    }
}

/// What an installation for one namespace leaves to whoever has the rights for the whole cluster.
#[test]
fn one_namespace_can_be_served_without_anything_cluster_wide() {
    let values = json!({"scope": "namespace", "admissionPolicy": {"enabled": false}, "userRoles": {"enabled": false}});
    let objects = chart("tuning", "ml", &values).unwrap();
    let wide: Vec<_> = objects
        .iter()
        .filter(|o| o["metadata"]["namespace"].is_null())
        .map(|o| &o["kind"])
        .collect();
    assert!(wide.iter().all(|kind| *kind == "CustomResourceDefinition"), "{wide:?}");
    // With people's roles and policies, still nothing gives the controller a right that is cluster-wide.
    let objects = chart("tuning", "ml", &json!({"scope": "namespace"})).unwrap();
    assert!(objects.iter().all(|o| o["kind"] != "ClusterRoleBinding"));
    // Whoever is served by Argo of the same namespace needs no role elsewhere.
    let objects = chart("tuning", "argo", &json!({"scope": "namespace"})).unwrap();
    let roles: Vec<_> = objects
        .iter()
        .filter(|o| o["kind"] == "Role")
        .map(|o| o["metadata"]["name"].clone())
        .collect();
    assert_eq!(roles, ["tuning-hyperstudy", "tuning-hyperstudy-lease"].map(Value::from));
}

/// Several releases, each for a namespace of its own, may be in one namespace: nothing of theirs has the same name, their leases neither.
#[test]
fn releases_beside_each_other_share_nothing() {
    let mut names = BTreeSet::new();
    for (release, served) in [("a", "team-a"), ("b", "team-b"), ("c", "team-c")] {
        let objects = chart(release, "tuning", &json!({"scope": "namespace", "namespace": served})).unwrap();
        for object in objects.iter().filter(|o| o["kind"] != "CustomResourceDefinition") {
            let metadata = &object["metadata"];
            let name = ["kind", "namespace", "name"].map(|key| match key {
                "kind" => object[key].to_string(),
                _ => metadata[key].to_string(),
            });
            assert!(names.insert(name.clone()), "{name:?}");
        }
        let name = format!("{release}-hyperstudy");
        assert!(find(&objects, "Lease", &name).is_some(), "{name}");
        let args = find(&objects, "Deployment", &name).unwrap();
        let args = args["spec"]["template"]["spec"]["containers"][0]["args"].as_array();
        assert!(
            args.unwrap().contains(&json!(format!("--lease-name={name}"))),
            "{args:?}"
        );
        let role = find(&objects, "Role", &format!("{name}-lease")).unwrap();
        assert_eq!(role["rules"][0]["resourceNames"], json!([name]));
    }
}
