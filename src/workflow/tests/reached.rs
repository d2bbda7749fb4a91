//! What the templates that a trial runs may do with files, and which templates these are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    study,
    templates::{case, expect, none, template, wrong_with},
};
use crate::workflow::{Template, TemplateKey};

#[test]
fn nothing_else_may_delete_files() {
    let gc = |strategy: Value| json!({"name": "a", "path": "/a", "artifactGC": {"strategy": strategy}});
    let first = |strategy: Value| json!({"/spec/templates/0/outputs/artifacts/-": gc(strategy)});
    for fine in [json!("Never"), json!(""), json!(null)] {
        case(&none(), &first(fine), &[]);
    }
    for bad in [
        json!("OnWorkflowCompletion"),
        json!("OnWorkflowDeletion"),
        json!("Sometimes"),
        json!({}),
    ] {
        let says = "WorkflowTemplate ffnn: spec.templates[0].outputs.artifacts[1].artifactGC.strategy: ";
        case(&none(), &first(bad), &[&[says, "`storage.strategy`"]]);
    }
    // The workflow's own is overridden, and what never runs deletes nothing.
    case(
        &none(),
        &json!({"/spec/artifactGC": {"strategy": "OnWorkflowDeletion"}}),
        &[],
    );
    let elsewhere = json!({"/spec/templates/1/outputs": {"artifacts": [gc(json!("OnWorkflowDeletion"))]}});
    case(&none(), &elsewhere, &[]);
    case(
        &json!({"/trial/entrypoint": "other"}),
        &elsewhere,
        &[&["WorkflowTemplate ffnn: spec.templates[1].outputs.artifacts[0].artifactGC"]],
    );
    case(
        &none(),
        &json!({"/spec/templateDefaults": {"outputs": {"artifacts": [gc(json!("OnWorkflowDeletion"))]}}}),
        &[&["WorkflowTemplate ffnn: spec.templateDefaults.outputs.artifacts[0].artifactGC"]],
    );
}

/// A template that keeps files until its Workflow is deleted.
fn collected(name: &str) -> Value {
    json!({"name": name, "container": {}, "outputs": {"artifacts": [{"name": "a", "artifactGC": {"strategy": "OnWorkflowDeletion"}}]}})
}

#[test]
fn every_way_to_a_template_is_followed() {
    let at = "WorkflowTemplate ffnn: spec.templates[";
    for (call, place) in [
        (json!({"steps": [[{"name": "s", "template": "bad"}]]}), "2]"),
        (
            json!({"steps": [[{"name": "a", "template": "other"}], [{"name": "s", "inline": collected("")}]]}),
            "0].steps[1][0].inline",
        ),
        (
            json!({"steps": [[{"name": "s", "template": "{{item}}", "withItems": ["bad"]}]]}),
            "2]",
        ),
        (json!({"dag": {"tasks": [{"name": "t", "template": "bad"}]}}), "2]"),
        (
            json!({"dag": {"tasks": [{"name": "t", "inline": collected("")}]}}),
            "0].dag.tasks[0].inline",
        ),
        (
            json!({"dag": {"tasks": [{"name": "t", "template": "other", "onExit": "bad"}]}}),
            "2]",
        ),
        (
            json!({"dag": {"tasks": [{"name": "t", "template": "other", "hooks": {"exit": {"template": "bad"}}}]}}),
            "2]",
        ),
        (
            json!({"dag": {"tasks": [{"name": "t", "inline": {"steps": [[{"template": "bad"}]]}}]}}),
            "2]",
        ),
    ] {
        let mut change = json!({"/spec/templates/-": collected("bad")});
        let mut first = call.clone();
        first["name"] = json!("fit");
        first["inputs"] = json!({"parameters": [{"name": "units"}, {"name": "epochs", "default": 3}]});
        change["/spec/templates/0"] = first;
        let place = format!("{at}{place}.outputs.artifacts[0].artifactGC");
        case(&none(), &change, &[&[&place]]);
    }
    for change in [
        json!({"/spec/onExit": "bad"}),
        json!({"/spec/hooks": {"exit": {"template": "bad"}}}),
    ] {
        let mut change = change.clone();
        change["/spec/templates/-"] = collected("bad");
        case(
            &none(),
            &change,
            &[&[&format!("{at}2].outputs.artifacts[0].artifactGC")]],
        );
    }
    case(
        &none(),
        &json!({"/spec/templates/1": {"name": "other", "steps": [[{"template": "fitt"}]]}, "/spec/onExit": "other"}),
        &[&["WorkflowTemplate ffnn: spec.templates[1].steps[0][0].template: there is no template `fitt`"]],
    );
}

#[test]
fn other_objects_are_followed_too() {
    let refers = |name: &str, of_cluster: bool, template: &str| json!({"steps": [[{"templateRef": {"name": name, "template": template, "clusterScope": of_cluster}}]]});
    let mut first = refers("library", true, "train");
    first["name"] = json!("other");
    let own = template(&json!({"/spec/templates/1": first, "/spec/onExit": "other"}));
    let mut train = refers("deeper", false, "last");
    train["name"] = json!("train");
    let library = json!({"spec": {"templates": [collected("unused"), train]}});
    let deeper = json!({"spec": {"templates": [
        {"name": "last", "steps": [[{"template": "really"}, {"template": "last"}]]},
        collected("really")
    ]}});
    let study = study(&none());
    let mut others = BTreeMap::new();
    let key = |kind: &str, name: &str| BTreeSet::from([TemplateKey::new(kind, name)]);
    assert_eq!(
        Template::missing(&study, &own, &others),
        key("ClusterWorkflowTemplate", "library")
    );
    others.insert(TemplateKey::new("ClusterWorkflowTemplate", "library"), library.clone());
    assert_eq!(
        Template::missing(&study, &own, &others),
        key("WorkflowTemplate", "deeper")
    );
    others.insert(TemplateKey::new("WorkflowTemplate", "deeper"), deeper.clone());
    assert_eq!(Template::missing(&study, &own, &others), BTreeSet::new());

    let library = ("ClusterWorkflowTemplate", "library", library);
    expect(
        &wrong_with(
            &none(),
            &own,
            &[library.clone(), ("WorkflowTemplate", "deeper", deeper)],
        ),
        &[&["WorkflowTemplate deeper: spec.templates[1].outputs.artifacts[0].artifactGC"]],
        &own,
    );
    let refers = "ClusterWorkflowTemplate library: spec.templates[1].steps[0][0].templateRef: ";
    expect(
        &wrong_with(&none(), &own, std::slice::from_ref(&library)),
        &[&[refers, "refers to the WorkflowTemplate deeper, which is not there"]],
        &own,
    );
    let empty = ("WorkflowTemplate", "deeper", json!({"spec": {"templates": []}}));
    expect(
        &wrong_with(&none(), &own, &[library, empty]),
        &[&[refers, "there is no template `last` in the WorkflowTemplate deeper"]],
        &own,
    );
}

#[test]
fn outputs_go_to_the_studys_bucket() {
    let output = |key: &str, bucket: &str| json!({"/spec/templates/0/outputs/artifacts/0": {"name": "out", "s3": {"key": key, "bucket": bucket}}});
    let says = "WorkflowTemplate ffnn: spec.templates[0].outputs.artifacts[0].s3.bucket: ";
    let own = "{{workflow.parameters.output_key}}/m.json";
    case(&none(), &output(own, "ml-data"), &[]);
    case(&none(), &output("elsewhere/m.json", "logs"), &[]);
    case(&none(), &output(own, "{{workflow.parameters.lr}}"), &[]);
    case(
        &none(),
        &output(own, "logs"),
        &[&[says, "in the bucket `ml-data`, but names the bucket `logs`"]],
    );
    case(
        &none(),
        &output("{{=workflow.parameters['output_key'] + '/x'}}", "logs"),
        &[&[says]],
    );
    // By another name.
    let change = |key: &str| {
        let mut change = output(key, "logs");
        change["/spec/arguments/parameters/-"] = json!({"name": "to"});
        change
    };
    let to = json!({"/trial/arguments": {"parameters": [{"name": "to", "value": "${trial.outputKey}/model"}]}});
    case(&to, &change("{{workflow.parameters.to}}"), &[&[says]]);
    case(&to, &change("{{workflow.parameters.together}}"), &[]);
    // Passed on from step to step.
    let passed_on = |key: &str| {
        json!({
            "/spec/templates/0": {"name": "fit", "steps": [[{"template": "other", "arguments": {"parameters": [
                {"name": "dir", "value": "{{workflow.parameters.output_key}}/logs"},
                {"name": "level", "value": "{{workflow.parameters.lr}}"}
            ]}}]]},
            "/spec/templates/1": {
                "name": "other", "container": {}, "inputs": {"parameters": [{"name": "dir"}, {"name": "level"}]},
                "archiveLocation": {"s3": {"bucket": "logs"}},
                "outputs": {"artifacts": [{"name": "o", "s3": {"key": key}}]}
            }
        })
    };
    let says = "WorkflowTemplate ffnn: spec.templates[1].outputs.artifacts[0].s3.bucket: ";
    case(&none(), &passed_on("{{inputs.parameters.dir}}/x"), &[&[says]]);
    case(&none(), &passed_on("{{inputs.parameters.level}}/x"), &[]);
}
