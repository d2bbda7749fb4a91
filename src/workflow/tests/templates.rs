//! Templates against studies: what is refused, and with which words.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::study;
use crate::workflow::{Template, TemplateKey};

/// A template with `change` made in it, by JSON pointer.
pub(super) fn template(change: &Value) -> Value {
    let mut template = json!({
        "metadata": {"name": "ffnn"},
        "spec": {
            "entrypoint": "fit",
            "arguments": {"parameters": [
                {"name": "lr", "value": "0.1"},
                {"name": "optimizer"},
                {"name": "output_key"}
            ]},
            "templates": [
                {
                    "name": "fit",
                    "inputs": {"parameters": [{"name": "units"}, {"name": "epochs", "default": 3}]},
                    "container": {"image": "python"},
                    "outputs": {"artifacts": [{
                        "name": "out", "path": "/out",
                        "s3": {"key": "{{workflow.parameters.output_key}}"}
                    }]}
                },
                {"name": "other", "container": {"image": "python"}}
            ]
        }
    });
    for (path, value) in change.as_object().unwrap() {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = template.pointer_mut(parent).unwrap();
        match (parent, name) {
            (Value::Array(items), "-") => items.push(value.clone()),
            (Value::Array(items), name) => items[name.parse::<usize>().unwrap()] = value.clone(),
            (parent, name) => parent[name] = value.clone(),
        }
    }
    template
}

/// What is wrong with a template for the study with the change `of_study`.
pub(super) fn wrong_with(of_study: &Value, template: &Value, others: &[(&str, &str, Value)]) -> Vec<String> {
    let others = others
        .iter()
        .map(|(kind, name, object)| (TemplateKey::new(kind, name), object.clone()))
        .collect();
    match Template::check(&study(of_study), template, &others) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

/// What is said of the template with `change` is exactly `says`: each the start, then parts of one message.
pub(super) fn case(of_study: &Value, change: &Value, says: &[&[&str]]) {
    expect(&wrong_with(of_study, &template(change), &[]), says, change);
}

/// What is said of the template with `change` in it is `says`, in any order.
pub(super) fn expect(wrong: &[String], says: &[&[&str]], about: &Value) {
    let is_it = |message: &String, parts: &[&str]| {
        message.starts_with(parts[0]) && parts.iter().all(|part| message.contains(part))
    };
    let all = says
        .iter()
        .all(|parts| wrong.iter().any(|message| is_it(message, parts)));
    assert!(
        all && wrong.len() == says.len(),
        "{about}\n  said: {wrong:#?}\n  expected: {says:#?}"
    );
}

/// No change.
pub(super) fn none() -> Value {
    json!({})
}

#[test]
fn a_good_template_is_taken() {
    case(&none(), &none(), &[]);
    let repository = json!({"configMap": "repositories", "key": "molding"});
    let with = template(&json!({"/spec/artifactRepositoryRef": repository}));
    let checked = Template::check(&study(&none()), &with, &BTreeMap::new()).unwrap();
    assert_eq!(checked.repository(), Some(&repository));
    let checked = Template::check(&study(&none()), &template(&none()), &BTreeMap::new()).unwrap();
    assert_eq!(checked.repository(), None);
}

#[test]
fn the_entrypoint_has_to_be_there() {
    case(&json!({"/trial/entrypoint": "other"}), &none(), &[]);
    case(
        &json!({"/trial/entrypoint": "fit"}),
        &json!({"/spec/entrypoint": null}),
        &[],
    );
    case(
        &json!({"/trial/entrypoint": "fitt"}),
        &none(),
        &[&["spec.trial.entrypoint: the WorkflowTemplate ffnn has no template `fitt`: do you mean `fit`?"]],
    );
    case(
        &none(),
        &json!({"/spec/entrypoint": null}),
        &[&[
            "spec.trial.entrypoint: ",
            "has no `entrypoint`",
            "one of `fit`, `other`",
        ]],
    );
    case(
        &none(),
        &json!({"/spec/entrypoint": "gone-and-away"}),
        &[&[
            "WorkflowTemplate ffnn: spec.entrypoint: ",
            "no template `gone-and-away`: it has `fit`, `other`",
        ]],
    );
    case(
        &none(),
        &json!({"/spec/templates": []}),
        &[&["WorkflowTemplate ffnn: spec.templates: is empty"]],
    );
    let of_cluster = json!({"/trial/workflowTemplateRef": {"name": "ffnn", "clusterScope": true}});
    case(
        &of_cluster,
        &json!({"/spec/templates": []}),
        &[&["ClusterWorkflowTemplate ffnn: spec.templates: is empty"]],
    );
}

#[test]
fn what_is_not_declared_is_refused_by_name() {
    let arguments = json!({"/trial/arguments": {"parameters": [
        {"name": "epoch", "value": "5"},
        {"name": "epochs", "value": "5"},
        {"name": "entirely-else", "value": "5"}
    ]}});
    case(
        &arguments,
        &none(),
        &[
            &[
                "spec.trial.arguments.parameters[0].name: the WorkflowTemplate ffnn declares no parameter `epoch`: do you mean `epochs`?",
            ],
            &[
                "spec.trial.arguments.parameters[2].name: ",
                "`entirely-else`: it declares `epochs`, `lr`",
            ],
        ],
    );
    // The inputs of an exit handler get the workflow's arguments too.
    let exit = json!({
        "/spec/onExit": "leave",
        "/spec/templates/-": {"name": "leave", "inputs": {"parameters": [{"name": "epoch"}]}, "container": {}}
    });
    let arguments = json!({"/trial/arguments": {"parameters": [{"name": "epoch", "value": "5"}]}});
    case(&arguments, &exit, &[]);
    case(
        &none(),
        &exit,
        &[&["WorkflowTemplate ffnn: spec.templates[2].inputs.parameters[0]: `epoch` needs a value"]],
    );
}

#[test]
fn labels_that_mean_something_stay_argos_and_ours() {
    let done = json!({"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/controller-instanceid": "a"});
    case(
        &json!({"/trial/metadata": {"labels": done}}),
        &none(),
        &[&["spec.trial.metadata.labels: `workflows.argoproj.io/completed` is set by Argo"]],
    );
    case(
        &none(),
        &json!({"/spec/workflowMetadata": {"labels": {"hyperstudy.dev/study": "x", "team": "a"}}}),
        &[&["WorkflowTemplate ffnn: spec.workflowMetadata.labels: `hyperstudy.dev/study`"]],
    );
}

#[test]
fn wrong_types_are_said_and_everything_at_once() {
    case(
        &json!({"/trial/arguments": {"parameters": [{"name": "x", "value": "1"}]}, "/trial/entrypoint": "gone"}),
        &json!({"/spec/arguments/parameters": {"lr": 1}, "/spec/workflowMetadata": {"labelsFrom": {"hyperstudy.dev/trial": {}}}}),
        &[
            &["spec.trial.entrypoint: "],
            &["WorkflowTemplate ffnn: spec.arguments.parameters: has to be a list"],
            &["spec.trial.arguments.parameters[0].name: ", "it declares none"],
            &["WorkflowTemplate ffnn: spec.workflowMetadata.labelsFrom: "],
        ],
    );
    case(
        &none(),
        &json!({"/spec/arguments/parameters": [{"value": "1"}, {"name": "lr", "value": "1", "enum": "1"}]}),
        &[
            &["WorkflowTemplate ffnn: spec.arguments.parameters[0].name: is missing"],
            &["WorkflowTemplate ffnn: spec.arguments.parameters[1].enum: has to be a list"],
        ],
    );
}
