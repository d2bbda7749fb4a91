#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::json;

use super::*;
use crate::{
    api::Origin,
    sampler::{
        Outcome,
        tests::trials::{self, Trial, space},
    },
    space::{Config, Slot},
};

fn doubles(count: usize) -> Space {
    trials::doubles(count, -5.0, 5.0)
}

fn cma_es(space: &Space, settings: serde_json::Value) -> Box<dyn Sampler> {
    let settings: CmaEsSampler = serde_json::from_value(settings).unwrap();
    trials::build("cmaEs", &settings, space)
}

fn context(space: &Space, seed: u64, number: u32) -> Context<'_> {
    trials::context(space, seed, Duplicates::Avoid, number)
}

fn ask(sampler: &dyn Sampler, space: &Space, trials: &[Trial], number: u32, seed: u64) -> Suggestion {
    sampler.suggest(&context(space, seed, number), &trials::history(trials))
}

fn run(sampler: &dyn Sampler, space: &Space, seed: u64, count: u32, f: impl Fn(&Config) -> Outcome) -> Vec<Trial> {
    trials::run(sampler, &context(space, seed, 1), count, |_, config| f(config))
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

fn sphere(config: &Config) -> f64 {
    numbers(config).iter().map(|x| (x - 1.7).powi(2)).sum()
}

fn best(trials: &[Trial]) -> f64 {
    let value = |trial: &Trial| {
        if let Outcome::Value(value) = trial.3 {
            value
        } else {
            f64::INFINITY
        }
    };
    trials.iter().map(value).fold(f64::INFINITY, f64::min)
}

#[test]
fn converges_on_a_shifted_sphere_and_an_ellipsoid() {
    let space = doubles(5);
    let sampler = cma_es(&space, json!({}));
    for seed in 0..5 {
        let trials = run(&*sampler, &space, seed, 600, |config| Outcome::Value(sphere(config)));
        assert!(best(&trials) < 1e-6, "{}", best(&trials));
    }
    let ellipsoid = |config: &Config| {
        let x = numbers(config);
        let turned = [x[0] + x[1], x[0] - x[1], x[2] + x[3], x[2] - x[3], x[4]];
        (0..5).map(|i| 10f64.powi(i) * (turned[i as usize] - 0.9).powi(2)).sum()
    };
    let trials = run(&*sampler, &space, 1, 1500, |config| Outcome::Value(ellipsoid(config)));
    assert!(best(&trials) < 1e-5, "{}", best(&trials));
}

/// What the objective's scale is does not matter, as only ranks count.
#[test]
fn only_ranks_count() {
    let space = doubles(3);
    let sampler = cma_es(&space, json!({}));
    let plain = run(&*sampler, &space, 1, 60, |config| Outcome::Value(sphere(config)));
    for scale in [2f64.powi(-60), 2f64.powi(60)] {
        let scaled = run(&*sampler, &space, 1, 60, |config| {
            Outcome::Value(sphere(config) * scale)
        });
        assert!(plain.iter().zip(&scaled).all(|(a, b)| a.1 == b.1));
    }
}

/// Trials that end in another order, and asks in between whose answer is not taken up, change nothing once all have ended.
#[test]
fn replay_depends_on_the_history_alone() {
    let space = doubles(4);
    let sampler = cma_es(&space, json!({}));
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut trials: Vec<Trial> = Vec::new();
    for number in 1..=82 {
        let Suggestion::New { config, origin } = ask(&*sampler, &space, &trials, number, 9) else {
            panic!()
        };
        trials.push((number, config, origin, Outcome::Pending));
        for trial in &mut trials {
            if trial.3 == Outcome::Pending && rng.random::<f64>() < 0.2 {
                trial.3 = Outcome::Value(sphere(&trial.1));
            }
        }
    }
    for trial in &mut trials {
        trial.3 = Outcome::Value(sphere(&trial.1));
    }
    let answer = ask(&*sampler, &space, &trials, 83, 9);
    let again = cma_es(&space, json!({}));
    assert_eq!(answer, ask(&*again, &space, &trials, 83, 9));
    assert_ne!(answer, ask(&*again, &space, &trials, 83, 10));
}

#[test]
fn stragglers_and_deleted_trials_are_not_waited_for() {
    let space = doubles(5);
    let sampler = cma_es(&space, json!({}));
    let mut trials = run(&*sampler, &space, 1, 30, |config| Outcome::Value(sphere(config)));
    trials[2].3 = Outcome::Pending;
    trials.remove(11);
    let trial = run_on(&*sampler, &space, &mut trials, 300);
    assert!(trial < 1e-3, "{trial}");
}

fn run_on(sampler: &dyn Sampler, space: &Space, trials: &mut Vec<Trial>, count: u32) -> f64 {
    for number in 31..=count {
        let Suggestion::New { config, origin } = ask(sampler, space, trials, number, 1) else {
            panic!()
        };
        let outcome = Outcome::Value(sphere(&config));
        trials.push((number, config, origin, outcome));
    }
    best(trials)
}

#[test]
fn many_in_flight_all_differ() {
    let space = doubles(3);
    let sampler = cma_es(&space, json!({}));
    for before in [0, 40] {
        let mut trials = run(&*sampler, &space, 1, before, |config| Outcome::Value(sphere(config)));
        for number in before + 1..=before + 50 {
            let Suggestion::New { config, origin } = ask(&*sampler, &space, &trials, number, 1) else {
                panic!()
            };
            assert!(trials.iter().all(|trial| trial.1 != config));
            trials.push((number, config, origin, Outcome::Pending));
        }
    }
}

/// The optimum of a number hangs on an int and a category that are wrong at first.
#[test]
fn discrete_coordinates_do_not_get_stuck() {
    let space = space(json!([
        {"name": "x", "double": {"min": -5, "max": 5}},
        {"name": "n", "int": {"min": 0, "max": 20}},
        {"name": "o", "ordinal": {"values": [1, 2, 3]}},
        {"name": "c", "categorical": {"values": ["a", "b", "c", "d"]}},
    ]));
    let f = |config: &Config| {
        let x = numbers(config);
        (x[0] - 2.0).powi(2) + (x[1] - 17.0).abs() + x[2] + if x[3] == 3.0 { 0.0 } else { 2.0 }
    };
    let sampler = cma_es(&space, json!({}));
    for seed in 0..5 {
        let trials = run(&*sampler, &space, seed, 400, |config| Outcome::Value(f(config)));
        assert!(best(&trials) < 1e-2, "seed {seed}: {}", best(&trials));
    }
}

#[test]
fn begins_at_the_best_that_was_known_before() {
    let space = doubles(4);
    let sampler = cma_es(&space, json!({"sigma": 0.001}));
    let known = |x: f64, value| {
        (
            0,
            Config(vec![Slot::Double(x); 4].into()),
            Origin::default(),
            Outcome::Value(value),
        )
    };
    let trials = [known(-3.0, 2.0), known(3.0, 1.0), known(1.0, f64::INFINITY)];
    let Suggestion::New { config, .. } = ask(&*sampler, &space, &trials, 1, 1) else {
        panic!()
    };
    assert!(numbers(&config).iter().all(|x| (x - 3.0).abs() < 0.1), "{config:?}");
}

#[test]
fn restarts_with_twice_the_population_where_all_is_settled() {
    let space = doubles(2);
    let sampler = CmaEs {
        name: Name {
            sampler: "cmaEs",
            stage: None,
        },
        population: 6,
        sigma: 0.2,
    };
    let trials = run(&sampler, &space, 1, 800, |config| Outcome::Value(sphere(config)));
    let history = trials::history(&trials);
    let state = sampler.replay(&context(&space, 1, 801), &Layout::new(&space), &history);
    assert!(state.population() > 6, "{state:?}");
}

/// Whatever comes back: no panic, and only configurations of the space.
#[test]
fn odd_objectives_and_spaces_are_borne() {
    let conditional = json!([
        {"name": "c", "categorical": {"values": ["a", "b"]}},
        {"name": "x", "double": {"min": 1e-6, "max": 1, "scale": "Log"}, "when": "parameters.c == 'a'"},
        {"name": "n", "int": {"min": 1, "max": 100, "scale": "Log"}, "when": "parameters.c == 'b'"},
        {"name": "g", "double": {"normal": {"mean": 0, "stddev": 1}}},
    ]);
    let spaces = [
        doubles(1),
        doubles(200),
        space(conditional),
        space(json!([{"name": "k", "constant": 1}])),
        space(
            json!([{"name": "a", "categorical": {"values": [1, 2, 3]}}, {"name": "b", "categorical": {"values": [1, 2]}}]),
        ),
        space(json!([{"name": "a", "int": {"min": 1, "max": 7}}, {"name": "b", "ordinal": {"values": [1]}}])),
    ];
    let outcomes: [fn(&Config) -> Outcome; 6] = [
        |_| Outcome::Failed,
        |_| Outcome::Pending,
        |_| Outcome::Value(1.0),
        |config| {
            Outcome::Value(if sphere(config) > 2.0 {
                f64::INFINITY
            } else {
                f64::NEG_INFINITY
            })
        },
        |config| Outcome::Value(1e308 * numbers(config)[0].sin()),
        |config| Outcome::Value(sphere(config)),
    ];
    for space in &spaces {
        let sampler = cma_es(space, json!({}));
        for outcome in outcomes {
            let count = if space.dimensions() > 100 { 60 } else { 150 };
            let trials = run(&*sampler, space, 5, count, outcome);
            let different: std::collections::HashSet<_> = trials.iter().map(|trial| &trial.1).collect();
            assert_eq!(different.len(), trials.len());
            let all = space.cardinality().unwrap_or(u128::MAX).min(count.into());
            assert_eq!(trials.len() as u128, all);
            assert!(
                trials
                    .iter()
                    .all(|trial| numbers(&trial.1).iter().all(|x| x.is_finite()))
            );
        }
    }
}

#[test]
fn wrong_settings_are_refused_at_their_fields() {
    let space = doubles(2);
    let name = Name {
        sampler: "cmaEs",
        stage: None,
    };
    let wrong = CmaEsSampler {
        population_size: Some(3),
        sigma: Some(f64::NAN),
    };
    let errors = wrong.build(name, &space).unwrap_err();
    let paths: Vec<&str> = errors.0.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["populationSize", "sigma"]);
}

/// Ten thousand own trials are replayed within a blink (the bound leaves room for slow machines without optimization).
#[test]
fn long_histories_are_affordable() {
    let space = doubles(5);
    let sampler = cma_es(&space, json!({}));
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let trials: Vec<Trial> = (1..=10_000)
        .map(|number| {
            let unit: Vec<f64> = (0..5).map(|_| rng.random()).collect();
            let config = space.decode(&unit);
            let Suggestion::New { origin, .. } = Name {
                sampler: "cmaEs",
                stage: None,
            }
            .proposal(config.clone(), u64::from(number) - 1) else {
                panic!()
            };
            let outcome = Outcome::Value(sphere(&config));
            (number, config, origin, outcome)
        })
        .collect();
    let quickest = (0..5).map(|_| {
        let started = std::time::Instant::now();
        ask(&*sampler, &space, &trials, 10_001, 1);
        started.elapsed()
    });
    let quickest = quickest.min().unwrap();
    assert!(quickest.as_millis() < 500, "{quickest:?}");
    println!("{quickest:?}");
}
