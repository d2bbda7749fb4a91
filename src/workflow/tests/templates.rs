//! Templates against studies: what is refused, and with which words.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::study;
use crate::workflow::{Template, TemplateKey};

/// A template with `change` made in it, by JSON pointer.
fn template(change: &Value) -> Value {
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

fn wrong_with(of_study: &Value, template: &Value, others: &[(&str, &str, Value)]) -> Vec<String> {
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
fn case(of_study: &Value, change: &Value, says: &[&[&str]]) {
    expect(&wrong_with(of_study, &template(change), &[]), says, change);
}

fn expect(wrong: &[String], says: &[&[&str]], about: &Value) {
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

fn none() -> Value {
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
        &wrong_with(&none(), &own, &[library.clone()]),
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
