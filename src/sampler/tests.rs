//! Tests of all samplers: studies run to their end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contract;
mod earlier;
mod learning;
mod parallel;
mod properties;
mod same;
mod suite;
pub(super) mod trials;
mod values;

use serde_json::{Value, json};

use super::*;
use crate::api::{Parameter, ParameterMap, RequestRef};

fn space(yaml: &str, constraints: &[&str]) -> Space {
    let parameters: Vec<Parameter> = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
    let constraints: Vec<String> = constraints.iter().map(|&c| c.to_owned()).collect();
    Space::compile(&parameters, &constraints).unwrap_or_else(|e| panic!("{e}"))
}

fn sampler(spec: Value, space: &Space) -> Result<Box<dyn Sampler>, String> {
    let algorithm = serde_json::from_value(json!({"sampler": spec})).unwrap();
    compile(&algorithm, space).map_err(|e| e.to_string())
}

/// A study under way: all its trials, each with its origin.
#[derive(Clone, Default)]
struct Study {
    trials: Vec<(Config, Origin)>,
    /// What decides what comes out of each trial; without it, all are still running.
    luck: Option<u64>,
}

impl Study {
    fn ask(&self, sampler: &dyn Sampler, space: &Space, seed: u64, duplicates: Duplicates) -> Suggestion {
        let history: Vec<Observation<'_>> = (1..)
            .zip(&self.trials)
            .map(|(number, (config, origin))| Observation {
                number,
                config,
                origin,
                outcome: self.outcome(number),
            })
            .collect();
        let context = Context {
            space,
            seed,
            duplicates,
            parallelism: 1,
            budget: None,
            number: self.trials.len() as u32 + 1,
        };
        sampler.suggest(&context, &history)
    }

    fn outcome(&self, number: u32) -> Outcome {
        let drawn = self.luck.map(|luck| seed(None, &format!("{luck} {number}")) % 1_000);
        match drawn {
            None | Some(0..100) => Outcome::Pending,
            Some(100..300) => Outcome::Failed,
            // some of them equal
            Some(drawn) => Outcome::Value((drawn / 50) as f64),
        }
    }

    /// Runs up to `n` trials; whether it was done before.
    fn run(&mut self, sampler: &dyn Sampler, space: &Space, seed: u64, duplicates: Duplicates, n: usize) -> bool {
        for _ in 0..n {
            match self.ask(sampler, space, seed, duplicates) {
                Suggestion::New { config, origin } => {
                    assert!(space.is_feasible(&config));
                    self.trials.push((config, origin));
                }
                Suggestion::Done => return true,
                other => panic!("{other:?}"),
            }
        }
        self.ask(sampler, space, seed, duplicates) == Suggestion::Done
    }

    fn request(&mut self, space: &Space, parameters: Value) {
        let config = space.read(&serde_json::from_value(parameters).unwrap()).unwrap();
        let request = Some(RequestRef {
            name: "mine".into(),
            uid: "1".into(),
        });
        self.trials.push((
            config,
            Origin {
                request,
                ..Origin::default()
            },
        ));
    }

    fn written(&self, space: &Space) -> Vec<Value> {
        self.trials
            .iter()
            .map(|(config, _)| json!(space.write(config)))
            .collect()
    }

    fn origins(&self) -> Vec<(String, Option<u32>, u64)> {
        let origin = |o: &Origin| (o.sampler.clone().unwrap_or_default(), o.stage, o.index.unwrap_or(99));
        self.trials.iter().map(|(_, o)| origin(o)).collect()
    }
}

fn whole(spec: Value, space: &Space) -> Vec<Value> {
    let mut study = Study::default();
    assert!(study.run(&*sampler(spec, space).unwrap(), space, 1, Duplicates::Avoid, 1000));
    study.written(space)
}

#[test]
fn a_grid_goes_through_the_product_the_last_fastest() {
    let space = space(
        "[{name: z, categorical: {values: [a, b]}}, {name: c, constant: 1}, {name: a, int: {min: 1, max: 3}}]",
        &["parameters.a < 3 || parameters.z == 'b'"],
    );
    assert_eq!(
        json!(whole(json!({"grid": {}}), &space)),
        json!([
            {"z": "a", "a": 1, "c": 1}, {"z": "a", "a": 2, "c": 1},
            {"z": "b", "a": 1, "c": 1}, {"z": "b", "a": 2, "c": 1}, {"z": "b", "a": 3, "c": 1},
        ])
    );
}

#[test]
fn grid_values_are_evenly_spaced_on_their_own_scale() {
    for (kind, points, wanted) in [
        (
            json!({"double": {"min": 1, "max": 3}}),
            5,
            json!([1.0, 1.5, 2.0, 2.5, 3.0]),
        ),
        (json!({"double": {"min": 1, "max": 3}}), 1, json!([2.0])),
        (
            json!({"double": {"min": 1, "max": 100, "scale": "Log"}}),
            3,
            json!([1.0, 10.0, 100.0]),
        ),
        (
            json!({"double": {"min": 0, "max": 1, "step": 0.1}}),
            3,
            json!([0.0, 0.5, 1.0]),
        ),
        (
            json!({"double": {"min": 0, "max": 1, "step": 0.5}}),
            50,
            json!([0.0, 0.5, 1.0]),
        ),
        (json!({"int": {"min": 8, "max": 64, "step": 8}}), 3, json!([8, 40, 64])),
        (json!({"int": {"min": 1, "max": 4}}), 4, json!([1, 2, 3, 4])),
        (json!({"int": {"min": 1, "max": 4}}), 1, json!([3])),
        (
            json!({"int": {"min": 0, "max": 9007199254740990u64}}),
            3,
            json!([0, 4503599627370495u64, 9007199254740990u64]),
        ),
        (
            json!({"int": {"min": 1, "max": 1000, "scale": "Log"}}),
            2,
            json!([1, 1000]),
        ),
        (json!({"ordinal": {"values": [3, 2, 1]}}), 2, json!([3, 2, 1])),
    ] {
        let mut parameter = kind.clone();
        parameter["name"] = json!("x");
        let space = Space::compile(&[serde_json::from_value(parameter).unwrap()], &[]).unwrap();
        let values: Vec<Value> = whole(json!({"grid": {"pointsPerParameter": points}}), &space)
            .iter()
            .map(|c| c["x"].clone())
            .collect();
        let close = |a: &Value, b: &Value| {
            a == b || (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-12 * b.as_f64().unwrap()
        };
        let wanted = wanted.as_array().unwrap();
        assert!(
            values.len() == wanted.len() && values.iter().zip(wanted).all(|(a, b)| close(a, b)),
            "{kind}: {values:?}"
        );
    }
    let space = space("[{name: x, double: {normal: {mean: 5, stddev: 1}}}]", &[]);
    let values: Vec<f64> = whole(json!({"grid": {"pointsPerParameter": 3}}), &space)
        .iter()
        .map(|c| c["x"].as_f64().unwrap())
        .collect();
    assert!(
        (values[0] - 4.0326).abs() < 1e-3 && values[1] == 5.0 && (values[2] - 5.9674).abs() < 1e-3,
        "{values:?}"
    );
}

#[test]
fn grid_points_that_come_to_the_same_are_run_once() {
    let space = space(
        r#"
        - {name: momentum, double: {min: 0, max: 1}, when: 'parameters.optimizer == "sgd"'}
        - {name: optimizer, categorical: {values: [adam, sgd]}}
        "#,
        &[],
    );
    for duplicates in [Duplicates::Avoid, Duplicates::Allow] {
        let mut study = Study::default();
        let grid = sampler(json!({"grid": {"pointsPerParameter": 3}}), &space).unwrap();
        assert!(study.run(&*grid, &space, 1, duplicates, 10));
        assert_eq!(
            json!(study.written(&space)),
            json!([
                {"optimizer": "adam"}, {"momentum": 0.0, "optimizer": "sgd"},
                {"momentum": 0.5, "optimizer": "sgd"}, {"momentum": 1.0, "optimizer": "sgd"},
            ])
        );
    }
}

#[test]
fn a_request_skips_no_grid_point() {
    let space = space("[{name: a, int: {min: 1, max: 4}}]", &[]);
    let grid = sampler(json!({"grid": {}}), &space).unwrap();
    let run = |duplicates| {
        let mut study = Study::default();
        study.run(&*grid, &space, 1, duplicates, 2);
        study.request(&space, json!({"a": 4}));
        study.run(&*grid, &space, 1, duplicates, 9);
        study
            .written(&space)
            .iter()
            .map(|c| c["a"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(run(Duplicates::Avoid), [1, 2, 4, 3]);
    assert_eq!(run(Duplicates::Allow), [1, 2, 4, 3, 4]);
}

#[test]
fn a_list_runs_in_order_and_once() {
    let space = space(
        "[{name: a, int: {min: 1, max: 4}, default: 3}, {name: b, double: {min: 0, max: 1}, default: 0.5}]",
        &[],
    );
    let list = json!({"list": [{"a": 2}, {"a": 1, "b": 1}, {"a": 2, "b": 0.5}, {"b": 0}]});
    assert_eq!(
        json!(whole(list.clone(), &space)),
        json!([{"a": 2, "b": 0.5}, {"a": 1, "b": 1.0}, {"a": 3, "b": 0.0}])
    );
    let mut study = Study::default();
    assert!(study.run(&*sampler(list, &space).unwrap(), &space, 1, Duplicates::Allow, 10));
    assert_eq!(study.trials.len(), 4);
    let errors = sampler(json!({"list": [{"a": 2}, {"a": 9, "c": 1}]}), &space).unwrap_err();
    assert_eq!(
        errors,
        "sampler.list[1].c: there is no parameter `c`\nsampler.list[1].a: 9 is not a whole number between 1 and 4"
    );
}

#[test]
fn a_chain_hands_over_after_its_trials_or_when_done() {
    let space = space("[{name: a, int: {min: 1, max: 40}}]", &[]);
    let chain = json!({"chain": [
        {"sampler": {"list": [{"a": 7}, {"a": 8}]}},
        {"sampler": {"grid": {"pointsPerParameter": 3}}, "trials": 2},
        {"sampler": {"random": {}}, "trials": 2},
        {"sampler": {"sobol": {}}},
    ]});
    let chain = sampler(chain, &space).unwrap();
    let mut study = Study::default();
    study.run(&*chain, &space, 1, Duplicates::Avoid, 2);
    study.request(&space, json!({"a": 1}));
    assert!(study.run(&*chain, &space, 1, Duplicates::Avoid, 100));
    let origins = study.origins();
    let name = |sampler: &str, stage, index| (sampler.to_owned(), stage, index);
    assert_eq!(
        origins[..7],
        [
            name("list", Some(0), 0),
            name("list", Some(0), 1),
            name("", None, 99),
            name("grid", Some(1), 1),
            name("grid", Some(1), 2),
            name("random", Some(2), 0),
            name("random", Some(2), 1),
        ]
    );
    assert!(origins[7..].iter().all(|o| o.0 == "sobol"));
    assert_eq!(study.trials.len(), 40, "every value once");
    assert!(chain.is_finite(&space, Duplicates::Avoid) && !chain.is_finite(&space, Duplicates::Allow));
}

#[test]
fn defaults_come_first_except_before_grid_and_list() {
    let space = space("[{name: a, int: {min: 1, max: 4}, default: 3}]", &[]);
    let first = |spec: Value| {
        let mut study = Study::default();
        study.run(&*sampler(spec, &space).unwrap(), &space, 1, Duplicates::Allow, 20);
        (
            study.origins()[0].clone(),
            study.origins().iter().filter(|o| o.0 == "default").count(),
        )
    };
    let default = (("default".to_owned(), None, 0), 1);
    assert_eq!(first(json!({"random": {}})), default);
    assert_eq!(first(json!({"sobol": {}})), default);
    assert_eq!(first(json!({"chain": [{"sampler": {"random": {}}}]})), default);
    assert_eq!(first(json!({"grid": {}})).1, 0);
    assert_eq!(
        first(json!({"chain": [{"sampler": {"list": [{"a": 1}]}}, {"sampler": {"random": {}}}]})).1,
        0
    );
    // somebody asked for them already
    let mut study = Study::default();
    study.request(&space, json!({}));
    let random = sampler(json!({"random": {}}), &space).unwrap();
    assert!(study.run(&*random, &space, 1, Duplicates::Avoid, 20));
    assert_eq!(
        (
            study.trials.len(),
            study.origins().iter().filter(|o| o.0 == "default").count()
        ),
        (4, 0)
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let wide: Vec<String> = (0..9)
        .map(|i| format!("{{name: x{i}, double: {{min: 0, max: 1}}}}"))
        .collect();
    let wide = space(&format!("[{}]", wide.join(", ")), &[]);
    let many: Vec<String> = (0..257)
        .map(|i| format!("{{name: x{i}, int: {{min: 0, max: 1}}}}"))
        .collect();
    let many = space(&format!("[{}]", many.join(", ")), &[]);
    for (space, spec, message) in [
        (
            &wide,
            json!({"random": {}, "grid": {}}),
            "sampler: choose exactly one of",
        ),
        (
            &wide,
            json!({"random": {}, "chain": []}),
            "sampler: choose exactly one of",
        ),
        (&wide, json!({"chain": []}), "sampler.chain: is empty"),
        (&wide, json!({"list": []}), "sampler.list: is empty"),
        (
            &wide,
            json!({"grid": {}}),
            "sampler.grid.pointsPerParameter: is missing: `x0`, `x1`",
        ),
        (
            &wide,
            json!({"grid": {"pointsPerParameter": 0}}),
            "sampler.grid.pointsPerParameter: 0 is not between",
        ),
        (
            &wide,
            json!({"grid": {"pointsPerParameter": 4000000000u32}}),
            "sampler.grid.pointsPerParameter: 4000000000",
        ),
        (
            &wide,
            json!({"grid": {"pointsPerParameter": 1000}}),
            "the grid has about 1e27 points",
        ),
        (&many, json!({"grid": {}}), "the grid has about 2e77 points"),
        (
            &many,
            json!({"sobol": {}}),
            "sampler.sobol: has 256 dimensions, and 257 parameters are not constant",
        ),
        (
            &wide,
            json!({"chain": [{"sampler": {"random": {}}}, {"sampler": {"sobol": {}}}]}),
            "sampler.chain[0].trials: is missing",
        ),
        (
            &wide,
            json!({"chain": [{"sampler": {"random": {}}, "trials": 0}]}),
            "sampler.chain[0].trials: 0 trials",
        ),
        (
            &wide,
            json!({"chain": [{"sampler": {}}]}),
            "sampler.chain[0].sampler: choose exactly one of",
        ),
        (
            &wide,
            json!({"chain": [{"sampler": {"grid": {}}}]}),
            "sampler.chain[0].sampler.grid.pointsPerParameter: is missing",
        ),
    ] {
        let errors = sampler(spec.clone(), space).expect_err(&spec.to_string());
        assert!(errors.contains(message), "{spec}: {errors}");
    }
}

#[test]
fn a_hard_constraint_ends_the_study_instead_of_hanging_it() {
    let space = space("[{name: a, double: {min: 0, max: 1}}]", &["parameters.a < 0.0005"]);
    let mut study = Study::default();
    for spec in [json!({"random": {}}), json!({"sobol": {}})] {
        study.run(&*sampler(spec, &space).unwrap(), &space, 3, Duplicates::Avoid, 3);
    }
}

#[test]
fn seeds_follow_from_the_uid() {
    assert_eq!(seed(Some(-1), "x"), u64::MAX);
    assert_eq!(seed(Some(7), "x"), 7);
    // the first eight bytes of SHA-256("abc")
    assert_eq!(seed(None, "abc"), 0xba78_16bf_8f01_cfea);
}
