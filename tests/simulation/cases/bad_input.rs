//! What persons get wrong, as objects in a cluster: each is told what is wrong, and nobody else notices.

use std::time::Duration;

use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::lab::*;
use crate::{
    controller::Controller,
    watchdog::{note_panics, panics},
    world::{NAMESPACE, World},
};

const STUDIES: &str = "hyperparameterstudies";

/// A mistake: what it is, the study with it, and a word that whoever made it reads.
type Mistake = (&'static str, Value, &'static str);

fn with(pointer: &str, value: Value) -> Value {
    let mut study = Scene::Smooth.study();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = study.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list.push(value),
        parent => parent[field] = value,
    }
    study
}

fn parameter(parameter: Value) -> Value {
    with("/spec/parameters", json!([parameter]))
}

/// What persons get wrong, as far as it is about a study. Unknown fields are not among it: `kubectl` has the API server refuse them, and whoever
/// insists has them dropped.
fn mistakes() -> Vec<Mistake> {
    let double = |min: f64, max: f64| json!({"name": "lr", "double": {"min": min, "max": max}});
    let cycle = json!([
        {"name": "a", "double": {"min": 0, "max": 1}, "when": "parameters.b > 0.5"},
        {"name": "b", "double": {"min": 0, "max": 1}, "when": "parameters.a > 0.5"},
    ]);
    let inactive = json!([
        {"name": "kind", "categorical": {"values": ["x", "y"]}},
        {"name": "lr", "double": {"min": 0, "max": 1}, "when": "parameters.kind == \"x\""},
    ]);
    let mut constrained = parameter(json!({"name": "lr", "double": {"min": 0, "max": 1}, "default": 0.9}));
    constrained["spec"]["constraints"] = json!(["parameters.lr < 0.5"]);
    let mut unsatisfiable = Scene::Smooth.study();
    unsatisfiable["spec"]["constraints"] = json!(["parameters.lr < 0.0 - 1.0"]);
    let mut endless = Scene::Smooth.study();
    endless["spec"]["budget"] = json!({});
    let mut conditional = with("/spec/parameters", inactive);
    conditional["spec"]["constraints"] = json!(["parameters.lr < 0.5"]);
    vec![
        ("min not below max", parameter(double(1.0, 0.5)), "parameters[0]"),
        (
            "a log scale at zero",
            parameter(json!({"name": "lr", "double": {"min": 0, "max": 1, "scale": "Log"}})),
            "parameters[0]",
        ),
        (
            "a step that does not fit",
            parameter(json!({"name": "lr", "double": {"min": 0, "max": 1, "step": 3}})),
            "parameters[0]",
        ),
        (
            "names that are the same",
            with("/spec/parameters", json!([double(0.0, 1.0), double(0.0, 1.0)])),
            "parameters[1]",
        ),
        (
            "a reserved name",
            parameter(json!({"name": "in", "double": {"min": 0, "max": 1}})),
            "parameters[0].name",
        ),
        (
            "no choices",
            parameter(json!({"name": "lr", "categorical": {"values": []}})),
            "values",
        ),
        (
            "weights of another length",
            parameter(json!({"name": "lr", "categorical": {"values": [1, 2], "weights": [1]}})),
            "weights",
        ),
        (
            "CEL that does not parse",
            with("/spec/constraints", json!(["parameters.lr <"])),
            "constraints[0]",
        ),
        (
            "CEL with an unknown parameter",
            with("/spec/constraints", json!(["parameters.momentum < 1.0"])),
            "momentum",
        ),
        ("CEL with an inactive parameter", conditional, "lr"),
        (
            "a cycle among conditions",
            with("/spec/parameters", cycle),
            "parameters[",
        ),
        ("defaults that break a constraint", constrained, "constraints[0]"),
        ("constraints that nothing satisfies", unsatisfiable, "constraints"),
        ("an endless sampler without a budget", endless, "budget"),
        (
            "an argument that the template does not declare",
            with(
                "/spec/trial/arguments",
                json!({"parameters": [{"name": "momentum", "value": "1"}]}),
            ),
            "momentum",
        ),
        (
            "a template that is not there",
            with("/spec/trial/workflowTemplateRef", json!({"name": "none"})),
            "none",
        ),
        (
            "a metrics path with ..",
            with("/spec/trial/metrics", json!({"file": "../metrics.json"})),
            "metrics",
        ),
        (
            "a folder of another study",
            with("/spec/storage/outputPath", json!("s3://data/taken")),
            "taken",
        ),
        (
            "a bucket that is not there",
            with("/spec/storage/outputPath", json!("s3://none/runs")),
            "none",
        ),
        (
            "a secret that is not there",
            with(
                "/spec/storage/s3/accessKeySecret",
                json!({"name": "gone", "key": "access"}),
            ),
            "gone",
        ),
        (
            "an argument that cannot be computed",
            with(
                "/spec/trial/arguments",
                json!({"parameters": [{"name": "lr", "value": "${parameters.nothing}"}]}),
            ),
            "nothing",
        ),
        (
            "a retry limit that is no number",
            with("/spec/retries", json!({"limit": "often"})),
            "often",
        ),
        ("a spec that is no object", with("/spec", json!("fast")), "fast"),
    ]
}

fn condition(study: &Value, kind: &str) -> Value {
    let all = study["status"]["conditions"].as_array();
    all.into_iter()
        .flatten()
        .find(|c| c["type"] == kind)
        .cloned()
        .unwrap_or_default()
}

/// A world with a healthy study `s` among others: `Err` with what is wrong with the healthy one.
fn beside(seed: u64, others: impl FnOnce(&World) -> Vec<String>, look: impl FnOnce(&World, &[String])) {
    let good = Scene::Smooth.undisturbed();
    Scene::Smooth.simulate(seed, async |world| {
        world
            .buckets
            .put("data", "taken/bad-17/.owner", br#"{"uid": "another", "name": "other"}"#);
        let controller = Controller::start(&world);
        let names = others(&world);
        world.cluster.create(NAMESPACE, Scene::Smooth.study()).unwrap();
        let healthy = ended_beside(&world, Duration::from_secs(20)).await.unwrap();
        assert_eq!(
            (&healthy.counts, &healthy.best, &healthy.table),
            (&good.counts, &good.best, &good.table)
        );
        sleep(Duration::from_secs(10)).await;
        look(&world, &names);
        controller.kill();
    });
}

/// Everything in the list: refused by the rules where they can, and told in `Ready` where they cannot or are those of an older version. Nothing is run.
#[test]
fn each_mistake_is_told_and_stops_nobody_else() {
    note_panics();
    for past_the_rules in [false, true] {
        let mistakes = mistakes();
        let mut told: Vec<(String, String)> = Vec::new();
        let apply = |world: &World| {
            let mut names = Vec::new();
            for (place, (_, study, _)) in mistakes.iter().enumerate() {
                let mut study = study.clone();
                let name = format!("bad-{place}");
                study["metadata"]["name"] = name.as_str().into();
                if past_the_rules {
                    study["metadata"]["uid"] = format!("uid-{place}").into();
                    study["metadata"]["namespace"] = NAMESPACE.into();
                    study["metadata"]["generation"] = 1.into();
                    study["metadata"]["creationTimestamp"] = crate::clock::stamp().into();
                    world.cluster.plant(STUDIES, NAMESPACE, study);
                } else if let Err(refusal) = world.cluster.create(NAMESPACE, study) {
                    told.push((name.clone(), refusal));
                }
                names.push(name);
            }
            names
        };
        let mut seen = Vec::new();
        beside(3, apply, |world, names| {
            for name in names {
                seen.push((name.clone(), world.cluster.get(STUDIES, NAMESPACE, name)));
                let own = |w: &&Value| w["metadata"]["labels"]["hyperstudy.dev/study"] == **name;
                assert_eq!(
                    world.cluster.all("workflows").iter().filter(own).count(),
                    0,
                    "{name} runs"
                );
            }
        });
        assert_eq!(panics(), [""; 0]);
        for (place, (what, _, word)) in mistakes.iter().enumerate() {
            let name = format!("bad-{place}");
            let refusal = told
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, refusal)| refusal.clone());
            let said = refusal.unwrap_or_else(|| {
                let study = seen
                    .iter()
                    .find(|(n, _)| *n == name)
                    .and_then(|(_, s)| s.clone())
                    .unwrap_or_default();
                let ready = condition(&study, "Ready");
                assert_eq!(ready["status"], "False", "{what}: {study}");
                ready["message"].as_str().unwrap_or_default().to_owned()
            });
            assert!(said.contains(word), "{what} (past the rules: {past_the_rules}): {said}");
            assert!(said.len() < 2000 && !said.is_empty(), "{what}: {said}");
        }
    }
}

/// A manifest with everything in it, for mutations.
fn rich(name: &str) -> Value {
    let mut study = Scene::Smooth.study();
    study["metadata"]["name"] = name.into();
    let spec = &mut study["spec"];
    spec["parameters"] = json!([
        {"name": "lr", "double": {"min": 0.001, "max": 1.0, "scale": "Log"}, "default": 0.1},
        {"name": "units", "int": {"min": 8, "max": 64, "step": 8}},
        {"name": "kind", "categorical": {"values": ["adam", "sgd"], "weights": [1, 3]}},
        {"name": "momentum", "double": {"min": 0, "max": 0.9, "step": 0.1}, "when": "parameters.kind == \"sgd\""},
        {"name": "seed", "constant": 7},
    ]);
    spec["constraints"] = json!(["parameters.units >= 8"]);
    spec["budget"] = json!({"trials": 3, "duration": "30m", "failedTrials": 3});
    spec["retries"] = json!({"limit": 1});
    spec["trial"]["timeout"] = "1m".into();
    spec["trial"]["metrics"] = json!({"file": "metrics.json"});
    spec["trial"]["arguments"] = json!({"parameters": [{"name": "lr", "value": "${string(parameters.lr)}"}]});
    spec["startDeadline"] = "10m".into();
    spec["ttlAfterFinished"] = "1h".into();
    study
}

/// Every place in a value, as pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| places(value, &format!("{at}/{}", name.replace('/', "~1")), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(i, item)| places(item, &format!("{at}/{i}"), found)),
        _ => {}
    }
}

/// One to three changes at any place of the spec.
fn mutated(study: &Value, dice: &mut ChaCha8Rng) -> Value {
    let mut study = study.clone();
    for _ in 0..dice.random_range(1..4) {
        let mut found = Vec::new();
        places(&study["spec"], "/spec", &mut found);
        let place = found.choose(dice).cloned().unwrap_or_default();
        let others = [
            json!(null),
            json!(-1),
            json!(0),
            json!(1e300),
            json!(9_007_199_254_740_993_i64),
            json!(""),
            json!("x".repeat(3000)),
            json!([]),
            json!({}),
            json!(true),
            json!("${"),
            json!("parameters."),
            json!("\u{0}\u{7f}"),
            json!([1, [2, {"a": null}]]),
            json!("99999999999h"),
            json!("s3://"),
            json!("../.."),
            json!({"min": 1, "max": 0}),
            json!(1.5),
            json!("parameters.lr > 0.0 && parameters.lr"),
        ];
        let other = others.choose(dice).cloned().unwrap_or_default();
        let donor = found
            .choose(dice)
            .and_then(|p| study.pointer(p))
            .cloned()
            .unwrap_or_default();
        if let Some(value) = study.pointer_mut(&place) {
            match (dice.random_range(0..5), value) {
                (0, Value::Object(fields)) => {
                    let name = fields.keys().nth(dice.random_range(0..fields.len().max(1))).cloned();
                    name.map(|name| fields.remove(&name));
                }
                (0, Value::Array(items)) => items.clear(),
                (1, Value::Array(items)) if !items.is_empty() => items.push(items[0].clone()),
                (1, Value::Object(fields)) => drop(fields.insert("unknown".to_owned(), other)),
                (2, value) => *value = donor,
                (_, value) => *value = other,
            }
        }
    }
    study
}

#[test]
fn a_thousand_mutated_manifests_stop_nobody_else() {
    note_panics();
    let mut dice = ChaCha8Rng::seed_from_u64(11);
    let (mut refused, mut told, mut ran) = (0, 0, 0);
    for round in 0..20 {
        let (mut manifests, mut by_rules) = (Vec::new(), 0);
        let apply = |world: &World| {
            let mut names = Vec::new();
            for place in 0..50 {
                let name = format!("m-{round}-{place}");
                let mut study = mutated(&rich(&name), &mut dice);
                manifests.push(study.clone());
                // Half of them meet the rules of this version, half those of one that had none.
                if place % 2 == 0 {
                    by_rules += usize::from(world.cluster.create(NAMESPACE, study).is_err());
                } else {
                    study["metadata"]["uid"] = format!("uid-{round}-{place}").into();
                    study["metadata"]["namespace"] = NAMESPACE.into();
                    study["metadata"]["generation"] = 1.into();
                    study["metadata"]["creationTimestamp"] = crate::clock::stamp().into();
                    world.cluster.plant(STUDIES, NAMESPACE, study);
                }
                names.push(name);
            }
            names
        };
        let mut silent = Vec::new();
        beside(round, apply, |world, names| {
            for name in names {
                let Some(study) = world.cluster.get(STUDIES, NAMESPACE, name) else {
                    continue;
                };
                let ready = condition(&study, "Ready");
                let phase = study["status"]["phase"].as_str().unwrap_or_default();
                if ready["status"] == "False" && !ready["message"].as_str().unwrap_or_default().is_empty() {
                    told += 1;
                } else if matches!(phase, "Succeeded" | "Failed" | "Running" | "Suspended") {
                    ran += 1;
                } else {
                    silent.push(format!("{name} is {}: {}", study["status"], study["spec"]));
                }
            }
        });
        refused += by_rules;
        assert_eq!(silent, [""; 0]);
        assert_eq!(panics(), [""; 0], "{manifests:?}");
    }
    eprintln!("1000 mutated manifests: {refused} refused by the rules, {told} told in Ready, {ran} still good");
    assert!(refused > 200 && told > 200, "{refused}, {told}, {ran}");
}
