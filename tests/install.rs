//! Both forms of the installation: what they consist of, on a real API server what is installed and who may do what then, and the image.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "install/admission.rs"]
mod admission;
#[path = "install/cluster.rs"]
mod cluster;
#[path = "install/docs.rs"]
mod docs;
#[path = "install/image.rs"]
mod image;
#[path = "install/objects.rs"]
mod objects;
#[path = "install/owning.rs"]
mod owning;
#[path = "install/parts.rs"]
mod parts;
#[path = "install/release.rs"]
mod release;
#[path = "install/rights.rs"]
mod rights;
#[path = "install/schemas.rs"]
mod schemas;
#[path = "install/values.rs"]
mod values;

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::{Value, json};

use cluster::{CONTROLLER, apply, create, installed, named, someone};
use objects::{all_values, chart, find, manifests};
use support::tools;

/// What is checked of every form: its name, and its objects.
fn forms() -> Vec<(&'static str, Vec<Value>)> {
    let one = json!({"scope": "namespace"});
    let bare = json!({"scope": "namespace", "admissionPolicy": {"enabled": false}, "userRoles": {"enabled": false},
        "podSecurity": {"runAsUser": null, "runAsGroup": null}, "resources": {"requests": null, "limits": null}});
    vec![
        ("manifests", manifests()),
        ("chart", chart("hyperstudy", "hyperstudy", &json!({})).unwrap()),
        ("chart, one namespace", chart("tuning", "ml", &one).unwrap()),
        ("chart, everything set", chart("tuning", "ml", &all_values()).unwrap()),
        ("chart, as little as can be", chart("tuning", "ml", &bare).unwrap()),
    ]
}

/// An object without what only Helm writes into it.
fn plain(mut object: Value) -> ((String, String), Value) {
    if let Some(labels) = object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        for label in [
            "helm.sh/chart",
            "app.kubernetes.io/managed-by",
            "app.kubernetes.io/version",
        ] {
            labels.remove(label);
        }
    }
    let at = |pointer| object.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    ((at("/kind"), at("/metadata/name")), object)
}

#[test]
fn both_forms_install_the_same() {
    // The definitions of the kinds are the same files.
    let but_kinds = |objects: Vec<Value>| -> BTreeMap<_, _> {
        let objects = objects.into_iter();
        objects
            .filter(|o| o["kind"] != "CustomResourceDefinition")
            .map(plain)
            .collect()
    };
    let mut here = but_kinds(manifests());
    let there = but_kinds(chart("hyperstudy", "hyperstudy", &json!({})).unwrap());
    let namespace = here.remove(&("Namespace".to_owned(), "hyperstudy".to_owned()));
    assert!(namespace.is_some(), "Helm makes the namespace by itself");
    assert_eq!(here.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
    for (name, object) in &here {
        assert_eq!(object, &there[name], "{name:?}");
    }
}

#[test]
fn every_definition_of_a_kind_is_in_both_forms_and_in_the_package() {
    let mut files: Vec<_> = fs::read_dir("crds").unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| f.file_name().unwrap() != "kustomization.yaml");
    let mut names: Vec<String> = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    tools::run(
        "helm",
        &[
            "package",
            "charts/hyperstudy",
            "--destination",
            folder.path().to_str().unwrap(),
        ],
    )
    .unwrap();
    let package = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let packed = tools::run("helm", &["show", "crds", package.to_str().unwrap()]).unwrap();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        assert!(packed.contains(text.trim_end()), "{}", file.display());
        let object: Value = serde_saphyr::from_str(&text).unwrap();
        names.push(object["metadata"]["name"].as_str().unwrap().to_owned());
    }
    assert!(!names.is_empty());
    for (form, objects) in forms() {
        for name in &names {
            assert!(
                find(&objects, "CustomResourceDefinition", name).is_some(),
                "{form}: {name}"
            );
        }
    }
}

#[test]
fn the_version_is_the_programs_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    for (form, objects) in forms() {
        if form == "chart, everything set" {
            continue;
        }
        let deployment = objects.iter().find(|o| o["kind"] == "Deployment").unwrap();
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        assert_eq!(
            image,
            &json!(format!("ghcr.io/hyperstudy/hyperstudy:{version}")),
            "{form}"
        );
    }
    let chart = tools::run("helm", &["show", "chart", "charts/hyperstudy"]).unwrap();
    assert!(chart.contains(&format!("\nversion: {version}\n")), "{chart}");
}

/// A flag that the program does not have would let the pod fail, and no API server sees that.
#[test]
fn the_program_has_every_flag_that_it_is_given() {
    for (form, objects) in forms() {
        let deployment = objects.iter().find(|o| o["kind"] == "Deployment").unwrap();
        let given = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array();
        let flags = given.unwrap().iter().map(|a| a.as_str().unwrap());
        let output = Command::new(env!("CARGO_BIN_EXE_hyperstudy"))
            .args(flags)
            .arg("--help")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{form}: {given:?}: {said}");
    }
}

/// `kubectl apply` notes the whole object in an annotation, whose size is bounded.
#[test]
fn everything_is_small_enough_for_kubectl_apply() {
    for object in manifests() {
        let size = object.to_string().len();
        assert!(size < 256 << 10, "{}: {size} bytes", object["metadata"]["name"]);
    }
}

#[test]
fn helm_finds_no_fault() {
    tools::run("helm", &["lint", "--strict", "--quiet", "charts/hyperstudy"]).unwrap();
}

#[tokio::test]
async fn every_object_is_as_its_schema_says() {
    let client = installed().await;
    let schemas = schemas::Schemas::of(&client).await;
    for (form, objects) in forms() {
        schemas.check(form, &objects);
    }
    // A check that finds nothing wrong has to be seen finding something.
    let mut wrong = find(&manifests(), "Deployment", "hyperstudy").unwrap().clone();
    wrong["spec"]["template"]["spec"]["containers"][0]["imagePullPolcy"] = json!("Always");
    assert!(schemas.complaint(&[wrong]).unwrap().contains("imagePullPolcy"));
}

#[tokio::test]
async fn the_api_server_takes_every_object() {
    let client = installed().await;
    for namespace in ["served", "argo-system"] {
        apply(&client, &named("v1", "Namespace", namespace), false)
            .await
            .unwrap();
    }
    for (form, objects) in forms() {
        for object in objects {
            let taken = apply(&client, &object, true).await;
            assert!(
                taken.is_ok(),
                "{form}: {} {}: {taken:?}",
                object["kind"],
                object["metadata"]["name"]
            );
        }
    }
}

/// The namespace of the manifests enforces the restricted standard, whoever makes the pod.
#[tokio::test]
async fn the_pod_meets_the_restricted_standard() {
    let client = installed().await;
    for (form, objects) in forms() {
        let deployment = objects.iter().find(|o| o["kind"] == "Deployment").unwrap();
        let mut pod = named("v1", "Pod", "controller");
        pod["metadata"]["namespace"] = json!("hyperstudy");
        pod["spec"] = deployment["spec"]["template"]["spec"].clone();
        let security = &pod["spec"]["containers"][0]["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true, "{form}");
        let taken = create(&client, &pod, true).await;
        assert!(taken.is_ok(), "{form}: {taken:?}");
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
        let refused = create(&client, &pod, true).await.unwrap_err().to_string();
        assert!(refused.contains("violates PodSecurity"), "{form}: {refused}");
    }
}

#[tokio::test]
async fn the_controller_may_do_what_it_has_to_and_nothing_else() {
    installed().await;
    let controller = someone(CONTROLLER);
    let everywhere = [rights::SERVED, rights::TEMPLATES];
    let own = [rights::SERVED, rights::TEMPLATES, rights::OWN];
    for (namespace, rights) in [("ml", &everywhere[..]), ("argo", &everywhere), ("hyperstudy", &own)] {
        assert_eq!(
            rights::differences(&controller, namespace, rights).await,
            [""; 0],
            "{namespace}"
        );
    }
}

#[tokio::test]
async fn people_may_do_what_their_roles_say() {
    installed().await;
    for (user, rights) in [("viewer", rights::VIEW), ("editor", rights::EDIT), ("nobody", &[])] {
        assert_eq!(
            rights::differences(&someone(user), "ml", &[rights]).await,
            [""; 0],
            "{user}"
        );
        assert_eq!(
            rights::differences(&someone(user), "elsewhere", &[]).await,
            [""; 0],
            "{user}"
        );
    }
}

/// The roles of people reach them by way of Kubernetes' own roles.
#[test]
fn the_roles_of_people_are_added_to_kubernetes_own() {
    let objects = manifests();
    for (role, own) in [
        ("hyperstudy-view", &["view", "edit", "admin"][..]),
        ("hyperstudy-edit", &["edit", "admin"]),
    ] {
        let labels = find(&objects, "ClusterRole", role).unwrap()["metadata"]["labels"]
            .as_object()
            .unwrap();
        let on = labels.iter().filter(|(_, value)| *value == "true");
        let added: Vec<_> = on
            .filter_map(|(label, _)| label.strip_prefix("rbac.authorization.k8s.io/aggregate-to-"))
            .collect();
        assert!(
            added.len() == own.len() && own.iter().all(|o| added.contains(o)),
            "{role}: {added:?}"
        );
    }
}
