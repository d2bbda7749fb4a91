//! Workflows of attempts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::study;
use crate::{
    api::ParameterMap,
    study::{Study, Trial},
    workflow::{Owner, Template, manifest},
};

fn owner() -> Owner {
    Owner {
        name: "molding-17".into(),
        uid: "7a7b".into(),
    }
}

fn trial(parameters: &Value) -> Trial {
    Trial {
        number: 17,
        parameters: serde_json::from_value::<ParameterMap>(parameters.clone()).unwrap(),
        ..Trial::default()
    }
}

fn template(study: &Study, declared: &[&str]) -> Template {
    let parameters: Vec<Value> = declared
        .iter()
        .map(|name| json!({"name": name, "value": "none"}))
        .collect();
    let template = json!({"spec": {
        "entrypoint": "fit",
        "arguments": {"parameters": parameters},
        "templates": [{"name": "fit", "container": {}}, {"name": "go", "container": {}}]
    }});
    Template::check(study, &template, &BTreeMap::new()).unwrap()
}

fn adam() -> Value {
    json!({"lr": 1e-7, "units": 32, "optimizer": "adam"})
}

#[test]
fn the_smallest_workflow() {
    let study = study(&json!({}));
    let workflow = manifest(&study, &template(&study, &[]), &trial(&adam()), 2, &owner(), None).unwrap();
    assert_eq!(
        workflow,
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {
                "name": "molding-17-2",
                "namespace": "ml",
                "labels": {
                    "hyperstudy.dev/study": "molding",
                    "hyperstudy.dev/study-uid": "0f0e",
                    "hyperstudy.dev/trial": "17",
                    "hyperstudy.dev/attempt": "2"
                },
                "ownerReferences": [{
                    "apiVersion": "hyperstudy.dev/v1alpha1",
                    "kind": "HyperparameterTrial",
                    "name": "molding-17",
                    "uid": "7a7b",
                    "controller": true,
                    "blockOwnerDeletion": false
                }]
            },
            "spec": {
                "workflowTemplateRef": {"name": "ffnn"},
                "ttlStrategy": {"secondsAfterCompletion": 3600},
                "artifactGC": {"strategy": "Never"}
            }
        })
    );
}

#[test]
fn everything_that_a_study_says() {
    let study = study(&json!({"/storage/inputPath": "s3://ml-data/in/", "/trial": {
        "workflowTemplateRef": {"name": "ffnn", "clusterScope": true},
        "entrypoint": "go",
        "timeout": "90.2s",
        "priority": -3,
        "workflowTTL": "1500ms",
        "metadata": {"labels": {"team": "molding"}, "annotations": {"note": "a b"}},
        "arguments": {"parameters": [
            {"name": "units", "value": "${parameters.units},8"},
            {"name": "config", "value": "{\"lr\": ${parameters.lr}} {{workflow.name}}"},
            {"name": "to", "value": "${trial.outputPath}#${trial.attempt}"}
        ]}
    }}));
    let declared = [
        "units",
        "config",
        "to",
        "lr",
        "optimizer",
        "momentum",
        "input_path",
        "output_path",
        "output_key",
        "model_input_path",
        "more",
    ];
    let made = |instance: Option<&str>, trial: &Trial| {
        manifest(&study, &template(&study, &declared), trial, 1, &owner(), instance).unwrap()
    };
    let workflow = made(Some("argo-b"), &trial(&adam()));
    let labels = &workflow["metadata"]["labels"];
    assert_eq!(labels["team"], "molding");
    assert_eq!(labels["workflows.argoproj.io/controller-instanceid"], "argo-b");
    assert_eq!(workflow["metadata"]["annotations"], json!({"note": "a b"}));
    assert_eq!(
        workflow["spec"],
        json!({
            "workflowTemplateRef": {"name": "ffnn", "clusterScope": true},
            "entrypoint": "go",
            "activeDeadlineSeconds": 91,
            "priority": -3,
            "ttlStrategy": {"secondsAfterCompletion": 2},
            "artifactGC": {"strategy": "Never"},
            "arguments": {"parameters": [
                {"name": "input_path", "value": "s3://ml-data/in"},
                {"name": "lr", "value": "1e-7"},
                {"name": "optimizer", "value": "adam"},
                {"name": "output_key", "value": "runs/molding/17"},
                {"name": "output_path", "value": "s3://ml-data/runs/molding/17"},
                {"name": "units", "value": "32,8"},
                {"name": "config", "value": "{\"lr\": 1e-7} {{workflow.name}}"},
                {"name": "to", "value": "s3://ml-data/runs/molding/17#1"}
            ]}
        })
    );
    // What is active, and what a trial goes on from.
    let trial = Trial {
        continues: Some(9),
        ..trial(&json!({"lr": 0.5, "units": 8, "optimizer": "sgd", "momentum": 0.25}))
    };
    let workflow = made(None, &trial);
    let parameters = workflow["spec"]["arguments"]["parameters"].as_array().unwrap();
    assert!(parameters.contains(&json!({"name": "momentum", "value": "0.25"})));
    assert!(parameters.contains(&json!({"name": "model_input_path", "value": "s3://ml-data/runs/molding/9"})));
}

#[test]
fn times_that_kubernetes_takes() {
    for (timeout, seconds) in [("1ns", 1), ("1s", 1), ("1h", 3600), ("8000000h", i32::MAX)] {
        let study = study(&json!({"/trial/timeout": timeout, "/trial/workflowTTL": timeout}));
        let workflow = manifest(&study, &template(&study, &[]), &trial(&adam()), 1, &owner(), None).unwrap();
        assert_eq!(workflow["spec"]["activeDeadlineSeconds"], seconds, "{timeout}");
        assert_eq!(
            workflow["spec"]["ttlStrategy"]["secondsAfterCompletion"], seconds,
            "{timeout}"
        );
    }
}

#[test]
fn a_label_of_the_studys_own_chooses_the_argo() {
    let labels = json!({"workflows.argoproj.io/controller-instanceid": "mine"});
    let study = study(&json!({"/trial/metadata": {"labels": labels}}));
    let workflow = manifest(
        &study,
        &template(&study, &[]),
        &trial(&adam()),
        1,
        &owner(),
        Some("theirs"),
    )
    .unwrap();
    let labels = &workflow["metadata"]["labels"];
    assert_eq!(labels["workflows.argoproj.io/controller-instanceid"], "mine");
}

#[test]
fn what_cannot_be_rendered_is_said() {
    let arguments = json!({"parameters": [{"name": "units", "value": "${parameters.units}"}]});
    let study = study(&json!({"/trial/arguments": arguments}));
    let error = manifest(
        &study,
        &template(&study, &["units"]),
        &trial(&json!({})),
        1,
        &owner(),
        None,
    )
    .unwrap_err();
    assert!(
        error.starts_with("spec.trial.arguments.parameters[0].value: "),
        "{error}"
    );
}
