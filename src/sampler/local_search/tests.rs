#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;

use serde_json::{Value, json};

use super::*;
use crate::{
    api::{Algorithm, Origin},
    sampler::{
        Outcome, compile,
        tests::trials::{self, Trial, space},
    },
    space::Slot,
};

fn mixed() -> Space {
    space(json!([
        {"name": "x", "double": {"min": 0.1, "max": 10}},
        {"name": "n", "int": {"min": 1, "max": 20}},
        {"name": "o", "ordinal": {"values": [1, 2, 4, 8]}},
        {"name": "c", "categorical": {"values": ["a", "b", "c"]}},
    ]))
}

fn search(space: &Space, settings: Value) -> Box<dyn Sampler> {
    let settings: LocalSearchSampler = serde_json::from_value(settings).unwrap();
    trials::build("localSearch", &settings, space)
}

fn ask(
    sampler: &dyn Sampler,
    space: &Space,
    trials: &[Trial],
    number: u32,
    duplicates: Duplicates,
) -> Option<(Config, Origin)> {
    trials::ask(sampler, &trials::context(space, 7, duplicates, number), trials)
}

fn run(
    sampler: &dyn Sampler,
    space: &Space,
    count: u32,
    duplicates: Duplicates,
    f: impl Fn(u32, &Config) -> Outcome,
) -> Vec<Trial> {
    trials::run(sampler, &trials::context(space, 7, duplicates, 1), count, f)
}

fn numbers(config: &Config) -> Vec<f64> {
    let number = |slot: &Slot| match *slot {
        Slot::Double(x) => x,
        Slot::Int(x) => x as f64,
        Slot::Choice(x) => f64::from(x),
        _ => 0.0,
    };
    config.0.iter().map(number).collect()
}

#[test]
fn one_parameter_changes_at_a_time_by_a_factor() {
    let space = mixed();
    let start = json!({"start": {"x": 5, "n": 10, "o": 2, "c": "b"}, "factors": [0.5, 1.5]});
    let sampler = search(&space, start);
    let trials = run(&*sampler, &space, 9, Duplicates::Avoid, |number, _| {
        Outcome::Value(f64::from(number))
    });
    let all: HashSet<String> = trials
        .iter()
        .map(|trial| json!(space.write(&trial.1)).to_string())
        .collect();
    let base = json!({"x": 5.0, "n": 10, "o": 2, "c": "b"});
    let changed = |name: &str, value: Value| {
        let mut config = base.clone();
        config[name] = value;
        config.to_string()
    };
    let wanted = [
        base.to_string(),
        changed("x", json!(2.5)),
        changed("x", json!(7.5)),
        changed("n", json!(5)),
        changed("n", json!(15)),
        changed("o", json!(1)),
        changed("o", json!(4)),
        changed("c", json!("a")),
        changed("c", json!("c")),
    ];
    assert_eq!(all, wanted.into());
    assert_eq!(json!(space.write(&trials[0].1)), base);
}

#[test]
fn where_a_product_changes_nothing_the_next_value_is_taken() {
    let space = space(json!([
        {"name": "n", "int": {"min": 0, "max": 9}},
        {"name": "s", "double": {"min": -1, "max": 1, "step": 0.5}},
        {"name": "z", "double": {"min": -1, "max": 1}},
    ]));
    let values = |n: i64, s: f64, z: f64| {
        let base = Config([Slot::Int(n), Slot::Double(s), Slot::Double(z)].into());
        let found = neighbours(&space, &base, &[0.8, 1.2], 1);
        found
            .iter()
            .map(|one| (one.slot, one.rises, numbers(&one.config)[one.slot]))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        values(2, 0.0, 1.0),
        [
            (0, false, 1.0),
            (0, true, 3.0),
            (1, false, -0.5),
            (1, true, 0.5),
            (2, false, 0.8)
        ]
    );
    let at_zero = values(0, -1.0, 0.0);
    assert_eq!(at_zero[..2], [(0, true, 1.0), (1, true, -0.5)]);
    assert!(
        at_zero[2].2 < 0.0 && at_zero[3].2 > 0.0 && at_zero.len() == 4,
        "{at_zero:?}"
    );
}

#[test]
fn the_best_is_improved_on_until_its_neighbours_are_used_up() {
    let space = mixed();
    let sampler = search(&space, json!({}));
    let f = |config: &Config| {
        let x = numbers(config);
        (x[0].ln() - 1.0).powi(2) + (x[1] - 16.0).abs() + x[2] + x[3]
    };
    let trials = run(&*sampler, &space, 150, Duplicates::Avoid, |_, config| {
        Outcome::Value(f(config))
    });
    let best = trials.iter().map(|trial| f(&trial.1)).fold(f64::INFINITY, f64::min);
    assert!(best < 0.02, "{best}");
    let different: HashSet<&Config> = trials.iter().map(|trial| &trial.1).collect();
    assert_eq!(different.len(), trials.len());
    // restarts: far from all that was there
    assert!(trials.iter().any(|trial| f(&trial.1) > 12.0));
}

#[test]
fn repeats_count_and_are_compared_by_their_mean() {
    let space = mixed();
    let sampler = search(&space, json!({"repeats": 3}));
    let trials = run(&*sampler, &space, 30, Duplicates::Allow, |number, config| {
        // the first run of each but the start looks good, the mean does not
        let luck = if number > 3 && number % 3 == 1 { -5.0 } else { 5.0 };
        Outcome::Value(if number <= 3 {
            1.0
        } else {
            luck + numbers(config)[2] * 0.0
        })
    });
    for run in trials.chunks(3) {
        assert!(run.iter().all(|trial| trial.1 == run[0].1));
    }
    let different: HashSet<&Config> = trials.iter().map(|trial| &trial.1).collect();
    assert_eq!(different.len(), 10);
    // the start stays the best: all others are its neighbours
    let changes = |config: &Config| config.0.iter().zip(&trials[0].1.0).filter(|(a, b)| a != b).count();
    assert!(trials[3..].iter().all(|trial| changes(&trial.1) == 1));
}

#[test]
fn repeats_need_duplicates() {
    let space = mixed();
    let algorithm = |duplicates: &str, repeats: u32| -> Algorithm {
        serde_json::from_value(json!({"sampler": {"localSearch": {"repeats": repeats}}, "duplicates": duplicates}))
            .unwrap()
    };
    let error = compile(&algorithm("Avoid", 2), &space).unwrap_err();
    assert_eq!(error.0[0].path, "sampler.localSearch.repeats");
    assert!(compile(&algorithm("Allow", 2), &space).is_ok() && compile(&algorithm("Avoid", 1), &space).is_ok());
}

#[test]
fn many_in_flight_go_different_ways() {
    let space = mixed();
    let sampler = search(&space, json!({}));
    let trials = run(&*sampler, &space, 40, Duplicates::Avoid, |_, _| Outcome::Pending);
    let different: HashSet<&Config> = trials.iter().map(|trial| &trial.1).collect();
    assert_eq!(different.len(), 40);
    let changed: HashSet<usize> = trials[1..5]
        .iter()
        .filter_map(|trial| trial.1.0.iter().zip(&trials[0].1.0).position(|(a, b)| a != b))
        .collect();
    assert_eq!(changed.len(), 4, "each of the first four changes another parameter");
}

#[test]
fn finite_spaces_are_used_up_whatever_comes_back() {
    trials::uses_up_a_small_space(|space| search(space, json!({})));
}

/// What an earlier study found may lack a parameter: it is filled in.
#[test]
fn observations_without_a_parameter_are_built_upon() {
    let space = mixed();
    let sampler = search(&space, json!({}));
    let mut trials = run(&*sampler, &space, 1, Duplicates::Avoid, |_, _| Outcome::Value(5.0));
    let old = Config([Slot::Double(3.0), Slot::Inactive, Slot::Choice(0), Slot::Choice(0)].into());
    trials.insert(0, (0, old, Origin::default(), Outcome::Value(1.0)));
    for number in 2..20 {
        let (config, origin) = ask(&*sampler, &space, &trials, number, Duplicates::Avoid).unwrap();
        assert!(config.0.iter().all(|slot| slot.is_active()));
        trials.push((number, config, origin, Outcome::Value(9.0)));
    }
}

#[test]
fn wrong_settings_are_refused_at_their_fields() {
    let space = mixed();
    let settings = LocalSearchSampler {
        start: serde_json::from_value(json!({"x": 99})).unwrap(),
        factors: Some(vec![1.0, f64::NAN, 2.0, 0.0]),
        repeats: Some(0),
    };
    let errors = settings
        .build(
            Name {
                sampler: "localSearch",
                stage: None,
            },
            &space,
        )
        .unwrap_err();
    let mut paths: Vec<&str> = errors.0.iter().map(|error| error.path.as_str()).collect();
    paths.sort_unstable();
    let wanted = [
        "factors[0]",
        "factors[1]",
        "factors[3]",
        "repeats",
        "start.c",
        "start.n",
        "start.o",
        "start.x",
    ];
    assert_eq!(paths, wanted);
}
