//! The CustomResourceDefinitions on a real API server, and the same rules as the program checks them by itself: both say the same.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "crds/cases.rs"]
mod cases;
#[path = "crds/cluster.rs"]
mod cluster;
#[path = "crds/parameters.rs"]
mod parameters;
#[path = "crds/studies.rs"]
mod studies;
#[path = "crds/trials.rs"]
mod trials;
#[path = "crds/updates.rs"]
mod updates;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use cases::{Case, Wrong, rules_of, study, with};
use cluster::Cluster;
use hyperstudy::api::{FieldErrors, HyperparameterStudy, check};
use trials::trial;

const STUDY: &str = "HyperparameterStudy";
const TRIAL: &str = "HyperparameterTrial";

#[test]
fn the_files_in_crds_are_what_the_types_generate() {
    let dir = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_hyperstudy");
    let done = std::process::Command::new(program)
        .args(["crd", "--dir"])
        .arg(dir.path())
        .status();
    assert!(done.unwrap().success());
    let files = |folder: &std::path::Path| -> std::collections::BTreeMap<std::ffi::OsString, String> {
        let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
        let generated = entries.filter(|entry| entry.file_name() != "kustomization.yaml");
        generated
            .map(|e| (e.file_name(), std::fs::read_to_string(e.path()).unwrap()))
            .collect()
    };
    let kept = files(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/crds")));
    assert!(files(dir.path()) == kept, "run `make crds`");
}

fn check_study(object: &Value) -> FieldErrors {
    check::check_study(object, check::Requirements::Cluster)
}

#[tokio::test]
async fn good_studies_are_taken() {
    let cluster = Cluster::studies().await;
    let mut wrong = Wrong::default();
    for change in studies::good() {
        let object = with(&study(), &change);
        let there = cluster.create(&object, true).await;
        let Some(stored) = wrong.taken(&change, &check_study(&object), there) else {
            continue;
        };
        // What the API server made of it, defaults filled in, is read, and is good as well.
        let read: HyperparameterStudy = serde_json::from_value(stored).unwrap_or_else(|e| panic!("{change}: {e}"));
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(check_study(&written).to_string(), "", "{change}");
        let direct: HyperparameterStudy = serde_json::from_value(object).unwrap_or_else(|e| panic!("{change}: {e}"));
        assert_eq!(
            direct.spec, read.spec,
            "{change}: the defaults here are not those there"
        );
    }
}

#[tokio::test]
async fn bad_studies_are_refused_alike_here_and_there() {
    let cluster = Cluster::studies().await;
    let mut wrong = Wrong::default();
    for case in studies::bad() {
        let object = with(&study(), &case.change);
        wrong.refused(&case, &check_study(&object), cluster.create(&object, true).await, STUDY);
    }
}

#[tokio::test]
async fn a_study_changes_freely_until_it_starts() {
    let cluster = Cluster::studies().await;
    let mut wrong = Wrong::default();
    let old = with(&study(), &updates::full("changing"));
    let old = cluster.create(&old, false).await.unwrap();
    for (change, _) in updates::locked() {
        let new = with(&old, &change);
        wrong.taken(
            &change,
            &check::check_update(&old, &new),
            cluster.replace(&new, true).await,
        );
    }
    let old = cluster.started(&old).await;
    for (change, group) in updates::locked() {
        let new = with(&old, &change);
        let says = format!("so `{group}` cannot be changed any more");
        let case = Case::new(change, &format!("spec.{group}"), &says);
        wrong.refused(
            &case,
            &check::check_update(&old, &new),
            cluster.replace(&new, true).await,
            STUDY,
        );
    }
    for change in updates::free() {
        let new = with(&old, &change);
        wrong.taken(
            &change,
            &check::check_update(&old, &new),
            cluster.replace(&new, true).await,
        );
    }
    // A status is written whatever stands in the spec.
    cluster
        .status(&with(&old, &json!({"/status/phase": "Succeeded"})))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_s3_server_stays_once_a_study_has_started_and_its_credentials_may_change() {
    let cluster = Cluster::studies().await;
    let mut wrong = Wrong::default();
    let old = with(&with(&study(), &updates::full("moving")), &updates::with_server());
    let old = cluster.create(&old, false).await.unwrap();
    for change in updates::locked_with_server() {
        let new = with(&old, &change);
        wrong.taken(
            &change,
            &check::check_update(&old, &new),
            cluster.replace(&new, true).await,
        );
    }
    let old = cluster.started(&old).await;
    for change in updates::locked_with_server() {
        let new = with(&old, &change);
        let case = Case::new(change, "spec.storage", "so `storage` cannot be changed any more");
        wrong.refused(
            &case,
            &check::check_update(&old, &new),
            cluster.replace(&new, true).await,
            STUDY,
        );
    }
    for change in updates::free_with_server() {
        let new = with(&old, &change);
        wrong.taken(
            &change,
            &check::check_update(&old, &new),
            cluster.replace(&new, true).await,
        );
    }
}

#[tokio::test]
async fn a_shutdown_is_for_good() {
    let cluster = Cluster::studies().await;
    let mut wrong = Wrong::default();
    let old = with(&study(), &json!({"/metadata/name": "ending"}));
    let mut old = cluster.create(&old, false).await.unwrap();
    for (to, allowed) in [
        (Value::Null, true),
        (json!("Stop"), true),
        (Value::Null, false),
        (json!("Stop"), true),
        (json!("Terminate"), true),
        (json!("Stop"), false),
        (Value::Null, false),
    ] {
        let case = Case::new(
            json!({"/spec/shutdown": to}),
            "spec.shutdown",
            "a shutdown cannot be taken back",
        );
        let new = with(&old, &case.change);
        let here = check::check_update(&old, &new);
        let there = cluster.replace(&new, false).await;
        if allowed {
            old = wrong.taken(&case.change, &here, there).unwrap();
        } else {
            wrong.refused(&case, &here, there, STUDY);
        }
    }
}

#[tokio::test]
async fn trials_are_checked_alike_here_and_there() {
    let cluster = Cluster::trials().await;
    let mut wrong = Wrong::default();
    for change in trials::good() {
        let object = with(&trial(), &change);
        wrong.taken(
            &change,
            &check::check_trial(&object),
            cluster.create(&object, true).await,
        );
    }
    for case in trials::bad() {
        let object = with(&trial(), &case.change);
        wrong.refused(
            &case,
            &check::check_trial(&object),
            cluster.create(&object, true).await,
            TRIAL,
        );
    }
    let old = cluster.create(&trial(), false).await.unwrap();
    for change in trials::unchangeable() {
        let new = with(&old, &change);
        let case = Case::new(change, "spec", "a trial cannot be changed");
        wrong.refused(
            &case,
            &check::check_update(&old, &new),
            cluster.replace(&new, true).await,
            TRIAL,
        );
    }
    let stop = json!({"/spec/stop": true});
    let new = with(&old, &stop);
    let stopped = wrong
        .taken(
            &stop,
            &check::check_update(&old, &new),
            cluster.replace(&new, false).await,
        )
        .unwrap();
    let case = Case::new(json!({"/spec/stop": false}), "spec", "a trial cannot be changed");
    let new = with(&stopped, &case.change);
    wrong.refused(
        &case,
        &check::check_update(&stopped, &new),
        cluster.replace(&new, true).await,
        TRIAL,
    );
}

#[tokio::test]
async fn lists_show_what_matters() {
    let cluster = Cluster::trials().await;
    let trial = with(
        &trial(),
        &json!({"/metadata/name": "shown-3", "/spec/studyRef/name": "shown", "/spec/number": 3}),
    );
    let trial = cluster.create(&trial, false).await.unwrap();
    let status =
        json!({"/status": {"phase": "Succeeded", "attempt": 1, "workflow": "shown-3-1", "objectives": [0.25]}});
    cluster.status(&with(&trial, &status)).await.unwrap();
    let (columns, row) = cluster.row("shown-3").await;
    assert_eq!(
        columns,
        [
            "Name",
            "Study",
            "Number",
            "Phase",
            "Objective",
            "Workflow",
            "Age",
            "Parameters"
        ]
    );
    assert_eq!(
        row[1..6],
        ["shown", "3", "Succeeded", "0.25", "shown-3-1"]
            .map(|s| json!(s))
            .map(cases::loose)
    );
    assert_eq!(row[7], json!(r#"{"lr":0.01,"optimizer":"adam"}"#));

    let cluster = Cluster::studies().await;
    let study = cluster
        .create(&with(&study(), &json!({"/metadata/name": "shown"})), false)
        .await
        .unwrap();
    let status = json!({"/status": {
        "phase": "Running", "lastNumber": 7,
        "trials": {"total": 7, "running": 2, "succeeded": 4, "failed": 1, "stopped": 0},
        "best": {"trial": "shown-3", "number": 3, "objectives": [0.25], "parameters": {"lr": 0.01}, "metrics": {"loss": 0.25}},
    }});
    cluster.status(&with(&study, &status)).await.unwrap();
    let (columns, row) = cluster.row("shown").await;
    assert_eq!(
        columns,
        [
            "Name",
            "Phase",
            "Succeeded",
            "Running",
            "Failed",
            "Best",
            "Best-Trial",
            "Age"
        ]
    );
    assert_eq!(
        row[1..7],
        ["Running", "4", "2", "1", "0.25", "shown-3"]
            .map(|s| json!(s))
            .map(cases::loose)
    );
}

/// A rule that no case breaks is a rule that nobody has seen working.
#[test]
fn every_rule_is_broken_by_a_case() {
    let mut seen = BTreeSet::new();
    let mut note = |errors: hyperstudy::api::FieldErrors| seen.extend(errors.0.into_iter().map(|e| e.message));
    for case in studies::bad() {
        note(check_study(&with(&study(), &case.change)));
    }
    for case in trials::bad() {
        note(check::check_trial(&with(&trial(), &case.change)));
    }
    let mut old = with(&study(), &updates::full("s"));
    old["status"] = json!({"startTime": "2026-01-01T00:00:00Z"});
    for (change, _) in updates::locked() {
        note(check::check_update(&old, &with(&old, &change)));
    }
    old["spec"]["shutdown"] = json!("Stop");
    note(check::check_update(&old, &with(&old, &json!({"/spec/shutdown": null}))));
    for change in trials::unchangeable() {
        note(check::check_update(&trial(), &with(&trial(), &change)));
    }
    for kind in [STUDY, TRIAL] {
        for message in rules_of(kind) {
            assert!(seen.contains(&message), "no case breaks this rule: {message}");
        }
    }
}
