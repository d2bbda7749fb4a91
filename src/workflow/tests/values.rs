//! What is passed to a template: values that it allows, and none that it lacks.

use serde_json::{Value, json};

use super::templates::{case, none};

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
