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
fn values_have_to_be_allowed() {
    let optimizer = |choices: Value| json!({"/spec/arguments/parameters/1": {"name": "optimizer", "enum": choices}});
    case(&none(), &optimizer(json!(["sgd", "adam", "rmsprop"])), &[]);
    // Each value counts, be it ever so rare.
    case(
        &none(),
        &optimizer(json!(["adam", "Sgd"])),
        &[&[
            "spec.parameters[2]: passes `sgd` to `optimizer`, for which the WorkflowTemplate ffnn allows `adam`, `Sgd`",
        ]],
    );
    case(
        &none(),
        &optimizer(json!([])),
        &[&["spec.parameters[2]: ", "`adam`, `sgd`", "its `enum` is empty"]],
    );
    let epochs = |value: &str| json!({"/trial/arguments": {"parameters": [{"name": "epochs", "value": value}]}});
    let choices = |choices: Value| json!({"/spec/templates/0/inputs/parameters/1": {"name": "epochs", "default": 3, "enum": choices}});
    case(&epochs("3"), &choices(json!([3, 5])), &[]);
    case(
        &epochs("3.0"),
        &choices(json!([3, 5])),
        &[&[
            "spec.trial.arguments.parameters[0].value: passes `3.0` to `epochs`",
            "allows `3`, `5`",
        ]],
    );
    // What is rendered, on configurations.
    case(
        &epochs("${parameters.units > 20 ? '5' : '3'}"),
        &choices(json!([3])),
        &[&["spec.trial.arguments.parameters[0].value: passes `5` to"]],
    );
    case(
        &epochs("${parameters.units}"),
        &choices(json!([3])),
        &[&[
            "spec.trial.arguments.parameters[0].value: passes `",
            ", ... to `epochs`",
        ]],
    );
    // Numbers as Argo reads them, and as they are written here.
    let lr = json!({"/parameters/0": {"name": "lr", "ordinal": {"values": [1e-7, 0.5]}}});
    let declared = |choices: Value| json!({"/spec/arguments/parameters/0": {"name": "lr", "enum": choices}});
    case(&lr, &declared(json!([1e-7, 0.5])), &[]);
    case(&lr, &declared(json!(["1e-7", "0.5"])), &[]);
    case(
        &lr,
        &declared(json!(["0.0000001", "0.5"])),
        &[&["spec.parameters[0]: passes `1e-7`"]],
    );
    // The template's own.
    case(
        &none(),
        &json!({"/spec/arguments/parameters/-": {"name": "mode", "value": "fast", "enum": ["slow"]}}),
        &[&["WorkflowTemplate ffnn: spec.arguments.parameters[3]: its value `fast` is none"]],
    );
    let path = json!({"/spec/arguments/parameters/2": {"name": "output_key", "enum": ["runs/a"]}});
    case(
        &none(),
        &path,
        &[&["spec.storage: passes `runs/molding/1` to `output_key`"]],
    );
}

#[test]
fn what_needs_a_value_gets_one() {
    let declares = |parameter: Value| json!({"/spec/arguments/parameters/-": parameter});
    let at = "WorkflowTemplate ffnn: spec.arguments.parameters[3]: ";
    for fine in [
        json!({"name": "a", "value": ""}),
        json!({"name": "a", "value": 0}),
        json!({"name": "a", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}),
        json!({"name": "output_path"}),
        json!({"name": "momentum", "value": "0"}),
    ] {
        case(&none(), &declares(fine), &[]);
    }
    case(
        &none(),
        &declares(json!({"name": "a"})),
        &[&[
            at,
            "`a` needs a value: it has none in the template, and nothing passes one: list `a`",
        ]],
    );
    // Argo heeds defaults of inputs only, and of `valueFrom` config maps only.
    for lacking in [
        json!({"name": "a", "default": "1"}),
        json!({"name": "a", "value": null}),
        json!({"name": "a", "valueFrom": {"supplied": {}}}),
    ] {
        case(&none(), &declares(lacking), &[&[at, "`a` needs a value"]]);
    }
    case(
        &none(),
        &declares(json!({"name": "momentum"})),
        &[&[
            at,
            "the parameter `momentum` has none unless `parameters.optimizer == \"sgd\"`",
            "has(parameters.momentum)",
        ]],
    );
    let listed = json!({"/trial/arguments": {"parameters": [
        {"name": "momentum", "value": "${has(parameters.momentum) ? string(parameters.momentum) : ''}"}
    ]}});
    case(&listed, &declares(json!({"name": "momentum"})), &[]);
    case(
        &none(),
        &declares(json!({"name": "input_path"})),
        &[&[at, "gives no `storage.inputPath`"]],
    );
    case(
        &json!({"/storage/inputPath": "s3://ml-data/in"}),
        &declares(json!({"name": "input_path"})),
        &[],
    );
    case(
        &none(),
        &declares(json!({"name": "model_input_path"})),
        &[&[at, "goes on from no other has none"]],
    );
    case(
        &none(),
        &json!({"/spec/templates/0/inputs/parameters/-": {"name": "a"}}),
        &[&["WorkflowTemplate ffnn: spec.templates[0].inputs.parameters[2]: `a` needs a value"]],
    );
    // The workflow's argument of the same name gives an input its value.
    case(
        &none(),
        &json!({
            "/spec/templates/0/inputs/parameters/-": {"name": "a"},
            "/spec/arguments/parameters/-": {"name": "a", "value": "1"}
        }),
        &[],
    );
    let artifact = |artifact: Value| json!({"/spec/templates/0/inputs/artifacts": [artifact]});
    case(
        &none(),
        &artifact(json!({"name": "data", "path": "/in", "s3": {"key": "x"}})),
        &[],
    );
    case(
        &none(),
        &artifact(json!({"name": "data", "path": "/in", "optional": true})),
        &[],
    );
    case(
        &none(),
        &artifact(json!({"name": "data", "path": "/in"})),
        &[&["WorkflowTemplate ffnn: spec.templates[0].inputs.artifacts[0]: `data` is nowhere"]],
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
