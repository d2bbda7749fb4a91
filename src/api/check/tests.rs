#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::api::HyperparameterStudy;

fn study() -> Value {
    json!({
        "apiVersion": "hyperstudy.dev/v1alpha1",
        "kind": "HyperparameterStudy",
        "metadata": {"name": "s"},
        "spec": {
            "objectives": [{"metric": "loss", "goal": "Minimize"}],
            "parameters": [{"name": "lr", "double": {"min": 1e-7, "max": 0.1, "scale": "Log"}}],
            "algorithm": {"sampler": {"random": {}}},
            "budget": {"trials": 10},
            "trial": {"workflowTemplateRef": {"name": "t"}},
            "storage": {"outputPath": "s3://bucket/p"}
        }
    })
}

/// `change` is a list of paths and what stands there; null takes away.
fn with(change: &Value) -> Value {
    let mut object = study();
    for (path, value) in change.as_object().unwrap() {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let parent = object.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if value.is_null() {
            parent.remove(name);
        } else {
            parent.insert(name.to_owned(), value.clone());
        }
    }
    object
}

fn errors(object: &Value) -> String {
    check_study(object, Requirements::Cluster).to_string()
}

#[test]
fn what_is_nested_too_deep_could_not_be_read_back() {
    for (levels, says) in [
        (64, ""),
        (
            65,
            "spec.parameters[0].constant: is nested deeper than 64 levels: make it flatter",
        ),
    ] {
        let nested = (0..levels).fold(json!(1), |inner, level| {
            if level % 2 == 0 {
                json!([inner])
            } else {
                json!({"a": inner})
            }
        });
        let object = with(&json!({"/spec/parameters": [{"name": "c", "constant": nested}]}));
        assert_eq!(errors(&object), says);
    }
}

#[test]
fn every_rule_compiles_here() {
    for kind in [&STUDY, &TRIAL] {
        let mut rules = 0;
        all(kind.node().unwrap(), &mut |rule| {
            rules += 1;
            assert!(rule.compiles(), "{}", rule.text);
        });
        assert!(rules >= 4, "{rules}");
    }
}

fn all(node: &Node, see: &mut impl FnMut(&rule::Rule)) {
    node.rules.iter().for_each(&mut *see);
    match &node.shape {
        node::Shape::List { items: inner, .. } | node::Shape::Map { values: inner, .. } => all(inner, see),
        node::Shape::Object { fields, .. } => fields.values().for_each(|field| all(field, see)),
        _ => {}
    }
}

#[test]
fn a_good_study_is_good_and_is_read() {
    assert_eq!(errors(&study()), "");
    let read: HyperparameterStudy = serde_json::from_value(study()).unwrap();
    let mut written = serde_json::to_value(&read).unwrap();
    assert_eq!(errors(&written), "");
    // As `kubectl get -o yaml` writes it.
    written["status"] = json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z"});
    assert_eq!(errors(&written), "");
    written["status"]["startTime"] = json!("yesterday");
    assert_eq!(
        errors(&written),
        "status.startTime: has to be a time like 2026-01-31T12:00:00Z, not the string `yesterday`"
    );
}

#[test]
fn says_what_an_api_server_does_not() {
    for (change, expected) in [
        (
            json!({"/spec/paralelism": 4}),
            "spec.paralelism: unknown field `paralelism`: did you mean `parallelism`?",
        ),
        // The field that was meant is not missed as well, and is checked.
        (
            json!({"/spec/objectives": null, "/spec/objective": "x"}),
            "spec.objective: unknown field `objective`: did you mean `objectives`?\n\
             spec.objective: has to be a list, not the string `x`: write its items with `- ` or in `[ ]`",
        ),
        (
            json!({"/spec/zzz": 4, "/spec/trial/workflowTemplateRef/zzz": 1}),
            "spec.zzz: unknown field `zzz`: known are `algorithm`, `budget`, `constraints`, `history`, `objectives`, `parallelism`, `parameters`, \
             `retries`, `shutdown`, `startDeadline`, `storage`, `suspend`, `trial`, `ttlAfterFinished`\n\
             spec.trial.workflowTemplateRef.zzz: unknown field `zzz`: known are `clusterScope`, `name`",
        ),
        (
            json!({"/spec/budget": {"trials": "10"}}),
            "spec.budget.trials: has to be a whole number, not the string `10`: write it without quotes",
        ),
        (
            json!({"/spec/parallelism": 0}),
            "spec.parallelism: has to be at least 1, not 0",
        ),
        (
            json!({"/spec/algorithm/sampler": {}}),
            "spec.algorithm.sampler: something is missing: give one of `auto`, `chain`, `cmaEs`, `gaussianProcess`, `genetic`, `grid`, \
             `list`, `localSearch`, `random`, `sobol`, `tpe`",
        ),
        (
            json!({"/spec/objectives": [{"metric": "loss", "goal": "minimise"}]}),
            "spec.objectives[0].goal: `minimise` is not one of Minimize, Maximize: did you mean `Minimize`?",
        ),
        (
            json!({"/spec/parameters": [{"name": "a", "constant": 1}, {"name": "a", "constant": 1}]}),
            "spec.parameters[1].name: `a` is there twice, first as spec.parameters[0]: each `name` may be used once",
        ),
        (
            json!({"/metadata/nam": "x", "/metadata/labels": {"a/b": 1}}),
            "metadata.labels[\"a/b\"]: has to be a string, not 1: put it in quotes\nmetadata.nam: unknown field `nam`: did you mean `name`?",
        ),
        (
            json!({"/metadata/name": null}),
            "metadata.name: is missing: give the object a name",
        ),
        (
            json!({"/kind": "HyperparameterTrial"}),
            "kind: has to be `HyperparameterStudy`, not `HyperparameterTrial`",
        ),
        (
            json!({"/spec/storage/outputPath": null, "/spec/trial/workflowTemplateRef": null}),
            "spec.storage.outputPath: is missing: this field is required\nspec.trial.workflowTemplateRef: is missing: this field is required",
        ),
    ] {
        assert_eq!(errors(&with(&change)), expected, "{change}");
    }
    assert_eq!(
        errors(&json!([])),
        ": this is a list, not an object of kind HyperparameterStudy"
    );
}

#[test]
fn an_empty_field_is_named() {
    let mut object = study();
    object["spec"]["algorithm"]["sampler"]["random"] = Value::Null;
    assert_eq!(
        errors(&object),
        "spec.algorithm.sampler.random: has no value: give it one, or leave the field out"
    );
}

#[test]
fn without_a_cluster_less_is_needed() {
    let local = |change: Value| check_study(&with(&change), Requirements::Local).to_string();
    assert_eq!(local(json!({"/spec/trial": null, "/spec/storage": null})), "");
    assert_eq!(
        local(json!({"/spec/trial": {"timeout": "1h"}, "/spec/storage": {"strategy": "Best", "keepTop": 3}})),
        ""
    );
    assert_eq!(local(json!({"/spec/budget": null})).lines().count(), 1);
    let generated = with(&json!({"/metadata/name": null, "/metadata/generateName": "s-"}));
    assert_eq!(errors(&generated), "");
    assert_ne!(check_study(&generated, Requirements::Local).to_string(), "");
}

/// A file may hold anything.
#[test]
fn nothing_makes_it_panic() {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "(s3://)?[a-z0-9./-]{0,12}".prop_map(Value::from),
    ];
    let any_json = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}|name|double|int|min|max|step", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    const PLACES: &[&str] = &[
        "",
        "/metadata",
        "/metadata/name",
        "/metadata/labels",
        "/spec",
        "/spec/objectives",
        "/spec/objectives/0",
        "/spec/parameters",
        "/spec/parameters/0",
        "/spec/parameters/0/double",
        "/spec/parameters/0/double/min",
        "/spec/parameters/0/double/step",
        "/spec/parameters/0/int",
        "/spec/algorithm",
        "/spec/algorithm/sampler",
        "/spec/budget",
        "/spec/budget/duration",
        "/spec/trial",
        "/spec/storage",
        "/spec/storage/outputPath",
        "/spec/shutdown",
        "/status",
    ];
    proptest!(ProptestConfig::with_cases(100), |(place in prop::sample::select(PLACES), json in any_json)| {
        let new = match place {
            "" => json,
            place => {
                let mut new = study();
                let (parent, name) = place.rsplit_once('/').unwrap();
                match new.pointer_mut(parent) {
                    Some(Value::Object(fields)) => { fields.insert(name.to_owned(), json); }
                    Some(Value::Array(items)) => items[0] = json,
                    _ => {}
                }
                new
            }
        };
        let found = check_study(&new, Requirements::Cluster);
        check_study(&new, Requirements::Local);
        check_trial(&new);
        check_update(&study(), &new);
        check_update(&new, &study());
        // What is found good can be read.
        if found.0.is_empty() {
            prop_assert!(serde_json::from_value::<HyperparameterStudy>(new).is_ok());
        }
    });
}
