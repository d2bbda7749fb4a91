//! What holds for anything that others may have written.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{compile, spec, study};
use crate::{
    study::Trial,
    workflow::{Owner, Template, TemplateKey, manifest, outputs, pod_reason, pods_to_read, state},
};

/// The names that mean something in templates and Workflows.
const WORDS: [&str; 48] = [
    "metadata",
    "spec",
    "status",
    "name",
    "labels",
    "templates",
    "entrypoint",
    "arguments",
    "parameters",
    "artifacts",
    "inputs",
    "outputs",
    "enum",
    "value",
    "valueFrom",
    "configMapKeyRef",
    "default",
    "steps",
    "dag",
    "tasks",
    "template",
    "templateRef",
    "inline",
    "hooks",
    "onExit",
    "artifactGC",
    "strategy",
    "s3",
    "key",
    "bucket",
    "templateDefaults",
    "nodes",
    "phase",
    "message",
    "type",
    "children",
    "boundaryID",
    "nodeFlag",
    "hooked",
    "finishedAt",
    "startedAt",
    "activeDeadlineSeconds",
    "workflows.argoproj.io/completed",
    "conditions",
    "reason",
    "workflowMetadata",
    "clusterScope",
    "compressedNodes",
];

/// The texts that mean something there.
const TEXTS: [&str; 16] = [
    "fit",
    "other",
    "ffnn",
    "lr",
    "output_key",
    "{{inputs.parameters.lr}}",
    "{{workflow.parameters.output_key}}",
    "true",
    "Failed",
    "Retry",
    "Pod",
    "s-1-1",
    "2026-01-01T00:00:00Z",
    "OnWorkflowDeletion",
    "pod deleted",
    "DisruptionTarget",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        proptest::sample::select(&TEXTS[..]).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 5, |inner| {
        let key = prop_oneof![
            8 => proptest::sample::select(&WORDS[..]).prop_map(str::to_owned),
            1 => proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned),
            1 => ".{0,3}",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6).prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// A template that looks like one, with anything in one place of it.
fn near_template() -> impl Strategy<Value = Value> {
    let places = [
        "/spec",
        "/spec/arguments",
        "/spec/arguments/parameters",
        "/spec/arguments/parameters/0",
        "/spec/templates",
        "/spec/templates/0",
        "/spec/templates/0/steps",
        "/spec/templates/0/steps/0",
        "/spec/templates/0/steps/0/0",
        "/spec/templates/0/steps/0/0/arguments",
        "/spec/templates/0/inputs",
        "/spec/templates/0/outputs",
        "/spec/templates/0/outputs/artifacts",
        "/spec/templates/0/outputs/artifacts/0",
        "/spec/hooks",
        "/spec/workflowMetadata",
    ];
    (
        proptest::sample::select(places.to_vec()).prop_map(str::to_owned),
        json(),
    )
        .prop_map(|(place, value)| {
            let mut template = json!({"spec": {
                "entrypoint": "fit", "hooks": {}, "workflowMetadata": {},
                "arguments": {"parameters": [{"name": "lr", "value": "1"}]},
                "templates": [{
                    "name": "fit",
                    "inputs": {"parameters": [{"name": "units"}]},
                    "steps": [[{"template": "fit", "arguments": {"parameters": [{"name": "a", "value": "b"}]}}]],
                    "outputs": {"artifacts": [{"name": "o", "s3": {"key": "k"}}]}
                }]
            }});
            *template.pointer_mut(&place).unwrap() = value;
            template
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_template_panics(template in prop_oneof![json(), near_template()], other in json()) {
        let study = study(&json!({"/parameters": [{"name": "units", "int": {"min": 1, "max": 2}}]}));
        let others = BTreeMap::from([(TemplateKey::new("WorkflowTemplate", "other"), other)]);
        Template::missing(&study, &template, &others);
        if let Err(errors) = Template::check(&study, &template, &others) {
            prop_assert!(!errors.0.is_empty());
            prop_assert!(errors.0.iter().all(|e| !e.path.is_empty() && !e.message.is_empty()));
        }
    }

    #[test]
    fn no_workflow_panics(workflow in json(), status in json(), reasons in proptest::collection::vec(".{0,9}", 0..3)) {
        let near = json!({
            "metadata": {"name": "s-1-1", "labels": {"workflows.argoproj.io/completed": "true"}}, "spec": workflow, "status": status
        });
        for workflow in [workflow, near] {
            state(&workflow, &reasons);
            pod_reason(&workflow);
            prop_assert!(pods_to_read(&workflow).len() <= 10);
            let file = outputs(&workflow);
            prop_assert_eq!((file.first(), file.last()), (Some(&b'{'), Some(&b'}')));
        }
    }

    #[test]
    fn names_and_labels_hold_for_any_study(
        name in "[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?",
        number in 1..=99_999_u32,
        attempt in 1..=200_u32,
        labels in proptest::collection::btree_map("[a-z]{1,9}(/[a-z]{1,9})?", "[a-z0-9]{0,63}", 0..4),
        priority: i32,
        timeout in proptest::option::of(1..10_000_000_u64),
    ) {
        let mut study = study(&json!({"/trial/metadata": {"labels": labels}, "/trial/priority": priority}));
        study.name = name.clone();
        study.spec.trial.timeout = timeout.map(crate::api::Duration::from_secs);
        let trial = Trial { number, ..Trial::default() };
        let owner = Owner { name: format!("{name}-{number}"), uid: "u".into() };
        let workflow = manifest(&study, &Template::default(), &trial, attempt, &owner, Some("argo")).unwrap();
        let metadata = &workflow["metadata"];
        let full = metadata["name"].as_str().unwrap();
        prop_assert_eq!(full, format!("{name}-{number}-{attempt}"));
        prop_assert!(full.len() <= 63);
        let made = metadata["labels"].as_object().unwrap();
        for value in made.values() {
            prop_assert!(value.as_str().unwrap().len() <= 63);
        }
        for (key, value) in &labels {
            prop_assert_eq!(&made[key], value);
        }
        prop_assert_eq!(&made["hyperstudy.dev/study"], &name);
        prop_assert_eq!(&made["hyperstudy.dev/trial"], &number.to_string());
        prop_assert_eq!(made.len(), labels.len() + 5);
        // Nothing but what the strictest Argo allows.
        let allowed = [
            "workflowTemplateRef", "entrypoint", "arguments", "activeDeadlineSeconds", "priority", "ttlStrategy", "artifactGC",
        ];
        prop_assert!(workflow["spec"].as_object().unwrap().keys().all(|key| allowed.contains(&key.as_str())));
        prop_assert_eq!(workflow["spec"].get("activeDeadlineSeconds").and_then(Value::as_u64), timeout);
    }

    #[test]
    fn arguments_are_texts(value in json(), lr in 1e-7..0.1_f64) {
        let change = json!({"/parameters": [{"name": "any", "constant": value}, {"name": "lr", "double": {"min": 1e-7, "max": 0.1}}]});
        let Ok(study) = compile(spec(&change)) else { return Ok(()) };
        let template = json!({"spec": {
            "entrypoint": "fit",
            "arguments": {"parameters": [{"name": "any"}, {"name": "lr"}, {"name": "output_path"}]},
            "templates": [{"name": "fit", "container": {}}]
        }});
        let template = Template::check(&study, &template, &BTreeMap::new()).unwrap();
        let parameters = serde_json::from_value(json!({"any": value, "lr": lr})).unwrap();
        let trial = Trial { number: 1, parameters, ..Trial::default() };
        let owner = Owner { name: "o".into(), uid: "u".into() };
        let workflow = manifest(&study, &template, &trial, 1, &owner, None).unwrap();
        let parameters = workflow["spec"]["arguments"]["parameters"].as_array().unwrap();
        prop_assert_eq!(parameters.len(), 3);
        prop_assert!(parameters.iter().all(|p| p["value"].is_string()));
        let passed = parameters.iter().find(|p| p["name"] == "lr").unwrap()["value"].as_str().unwrap();
        prop_assert_eq!(passed.parse::<f64>().unwrap(), lr);
    }
}
