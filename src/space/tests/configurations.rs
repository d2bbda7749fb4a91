//! Configurations: their bounds, their reading, how they are spread.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::*;

#[test]
fn the_documented_study_compiles_and_its_bounds_are_exact() {
    let space = compile(MOLDING, &["parameters.units_1 >= parameters.units_2"]).unwrap();
    assert_eq!(
        (space.dimensions(), space.cardinality(), space.defaults()),
        (7, None, None)
    );
    let low = space.write(&space.decode(&[0.0; 7]));
    let high = space.write(&space.decode(&[1.0; 7]));
    assert_eq!(
        json!(low),
        json!({"lr": 1e-7, "units_1": 8, "units_2": 8, "batch_size": 8, "optimizer": "adam", "dropout": 0.0, "loss": "mse"})
    );
    assert_eq!(
        json!(high),
        json!({"lr": 0.1, "units_1": 64, "units_2": 64, "batch_size": 32, "optimizer": "sgd", "momentum": 0.99, "dropout": 0.9, "loss": "mse"})
    );
    let mut unit = [0.0; 7];
    space.encode(&space.read(&high).unwrap(), &mut unit);
    assert_eq!((unit[0], unit[5], unit[6]), (1.0, 1.0, 1.0));
    space.encode(&space.read(&low).unwrap(), &mut unit);
    assert_eq!((unit[0], unit[5], unit[6]), (0.0, 0.5, 0.0));
    assert!(!space.is_feasible(&space.decode(&[0.5, 0.1, 0.9, 0.5, 0.5, 0.5, 0.5])));
}

#[test]
fn reads_what_people_write() {
    let space = compile(MOLDING, &["parameters.units_1 >= parameters.units_2"]).unwrap();
    let read = |value: Value| {
        space
            .read(&map(value))
            .map(|c| json!(space.write(&c)))
            .map_err(|e| e.to_string())
    };
    // an integer for a double, defaults and constants left out, 8.0 for 8
    assert_eq!(
        read(json!({"lr": 0.01, "units_1": 16.0, "batch_size": 8.0, "optimizer": "sgd", "momentum": 0, "dropout": 0})),
        Ok(
            json!({"lr": 0.01, "units_1": 16, "units_2": 16, "batch_size": 8, "optimizer": "sgd", "momentum": 0.0, "dropout": 0.0, "loss": "mse"})
        )
    );
    let errors = read(json!({"lr": 1, "unit_1": 9, "units_2": 9, "optimizer": "adam", "momentum": 0.5, "loss": "mae"}))
        .unwrap_err();
    for message in [
        "unit_1: there is no parameter `unit_1`: do you mean `units_1`?",
        "lr: 1 is not a number between 1e-7 and 0.1",
        "units_1: is missing and has no default: give it",
        "units_2: 9 is not a whole number between 8 and 64 in steps of 8",
        "batch_size: is missing",
        "momentum: is inactive here, as its condition `parameters.optimizer == \"sgd\"` does not hold: leave it out",
        "dropout: is missing",
        "loss: \"mae\" is not the constant \"mse\": leave it out",
    ] {
        assert!(errors.contains(message), "{errors}\nlacks {message}");
    }
    assert_eq!(errors.lines().count(), 8, "{errors}");
    let errors =
        read(json!({"lr": 0.01, "units_1": 8, "batch_size": 8, "optimizer": "adam", "dropout": 0})).unwrap_err();
    assert_eq!(
        errors,
        "units_1: {\"units_1\":8,\"units_2\":16} breaks the constraint `parameters.units_1 >= parameters.units_2`"
    );
    // whether momentum is active depends on what is wrong: it is not complained about
    let errors = read(json!({"lr": 0.01, "units_1": 16, "batch_size": 8, "optimizer": "x", "dropout": 0})).unwrap_err();
    assert_eq!(errors, "optimizer: \"x\" is not one of \"adam\", \"sgd\"");
}

#[test]
fn what_is_left_out_of_a_tree_of_conditions_is_inactive() {
    let space = compile(
        r#"
        - {name: leaf, int: {min: 0, max: 9}, when: 'has(parameters.deep) && parameters.deep > 1'}
        - {name: deep, int: {min: 0, max: 3}, when: 'parameters.kind == "a"'}
        - {name: kind, categorical: {values: [a, b]}}
        - {name: mark, constant: [1, 2], when: 'parameters.kind == "b"'}
        "#,
        &["parameters.leaf < 8"],
    )
    .unwrap();
    let at = |unit: [f64; 3]| json!(space.write(&space.decode(&unit)));
    assert_eq!(at([0.5, 1.0, 0.0]), json!({"kind": "a", "deep": 3, "leaf": 5}));
    assert_eq!(at([0.5, 0.0, 0.0]), json!({"kind": "a", "deep": 0}));
    assert_eq!(at([0.5, 1.0, 1.0]), json!({"kind": "b", "mark": [1, 2]}));
    // the constraint reads what is inactive: it holds
    assert!(space.is_feasible(&space.decode(&[1.0, 1.0, 1.0])));
    assert!(!space.is_feasible(&space.decode(&[1.0, 1.0, 0.0])));
    for unit in [[0.5, 1.0, 0.0], [0.5, 0.0, 0.0], [0.5, 1.0, 1.0]] {
        let config = space.decode(&unit);
        assert_eq!(space.parse(&space.write(&config)), Some(config.clone()));
        assert_eq!(space.read(&space.write(&config)), Ok(config));
    }
    assert_eq!(space.parse(&map(json!({"deep": 1}))), None, "kind has no condition");
    assert_eq!(space.parse(&map(json!({"kind": "a", "depth": 1}))), None);
    assert_eq!(space.parse(&map(json!({"kind": "c"}))), None);
}

#[test]
fn defaults_are_complete_or_none() {
    let kind = "{name: kind, categorical: {values: [a, b]}, default: a}";
    let complete = |rest: &str| space(&format!("[{kind}, {rest}]")).defaults().is_some();
    assert!(complete(
        "{name: x, int: {min: 0, max: 1}, default: 1}, {name: c, constant: 1}"
    ));
    assert!(!complete("{name: x, int: {min: 0, max: 1}}"));
    assert!(complete(
        "{name: x, int: {min: 0, max: 1}, when: 'parameters.kind == \"b\"'}"
    ));
    assert!(!complete(
        "{name: x, int: {min: 0, max: 1}, when: 'parameters.kind == \"a\"'}"
    ));
}

#[test]
fn cardinality_saturates() {
    assert_eq!(space(MOLDING).cardinality(), None);
    assert_eq!(
        space("[{name: a, int: {min: 1, max: 3}}, {name: c, constant: 1}]").cardinality(),
        Some(3)
    );
    let wide: Vec<String> = (0..3)
        .map(|i| format!("{{name: x{i}, int: {{min: 0, max: 9007199254740991}}}}"))
        .collect();
    assert_eq!(space(&format!("[{}]", wide.join(", "))).cardinality(), Some(u128::MAX));
}

#[test]
fn whole_ranges_of_i64_do_not_overflow() {
    let space = space("[{name: a, int: {min: -9223372036854775808, max: 9223372036854775807, step: 4294967297}}]");
    for (unit, value) in [(0.0, i64::MIN), (1.0, i64::MAX)] {
        let config = space.decode(&[unit]);
        assert_eq!(config.0[0], Slot::Int(value));
        let mut back = [0.0];
        space.encode(&config, &mut back);
        assert_eq!(space.decode(&back), config);
    }
}

/// Values are drawn as declared: evenly, evenly in the logarithm, normally, by weight. (A peer drew every double log-uniformly.)
#[test]
fn values_are_spread_as_declared() {
    let space = space(
        r#"
        - {name: linear, double: {min: 1e-4, max: 1}}
        - {name: log, double: {min: 1e-4, max: 1, scale: Log}}
        - {name: normal, double: {normal: {mean: 2, stddev: 3}}}
        - {name: cut, double: {normal: {mean: 0, stddev: 1}, min: 0, max: 10}}
        - {name: stepped, double: {min: 0, max: 0.3, step: 0.1}}
        - {name: stepped_log, double: {min: 1, max: 100, step: 1, scale: Log}}
        - {name: int, int: {min: 1, max: 1000}}
        - {name: int_log, int: {min: 1, max: 1000, scale: Log}}
        - {name: weighted, categorical: {values: [a, b, c], weights: [1, 2, 5]}}
        - {name: ordinal, ordinal: {values: [1, 2, 3, 4]}}
        - {name: stepped_normal, double: {normal: {mean: 0, stddev: 1}, min: -5, max: 5, step: 0.5}}
        "#,
    );
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let n = 20_000;
    let draws: Vec<Config> = (0..n)
        .map(|_| space.decode(&std::array::from_fn::<f64, 11, _>(|_| rng.random())))
        .collect();
    let share =
        |slot: usize, below: &dyn Fn(Slot) -> bool| draws.iter().filter(|c| below(c.0[slot])).count() as f64 / n as f64;
    let double = |x: f64| move |slot: Slot| matches!(slot, Slot::Double(v) if v <= x);
    let int = |x: i64| move |slot: Slot| matches!(slot, Slot::Int(v) if v <= x);
    for (what, got, wanted) in [
        ("linear", share(0, &double(0.25)), 0.25),
        ("linear", share(0, &double(0.01)), 0.01),
        ("log", share(1, &double(0.01)), 0.5),
        ("log", share(1, &double(0.1)), 0.75),
        ("normal", share(2, &double(2.0)), 0.5),
        ("normal", share(2, &double(5.0)), 0.841),
        ("cut", share(3, &double(0.6745)), 0.5),
        ("stepped", share(4, &double(0.1)), 0.5),
        (
            "stepped_log",
            share(5, &double(10.0)),
            (10.5f64 / 0.5).ln() / (100.5f64 / 0.5).ln(),
        ),
        ("int", share(6, &int(250)), 0.25),
        (
            "int_log",
            share(7, &int(10)),
            (10.5f64 / 0.5).ln() / (1000.5f64 / 0.5).ln(),
        ),
        ("weighted", share(8, &|slot| slot == Slot::Choice(2)), 0.625),
        ("ordinal", share(9, &|slot| slot == Slot::Choice(2)), 0.25),
        ("stepped_normal", share(10, &double(0.75)), 0.7734),
    ] {
        assert!((got - wanted).abs() < 0.015, "{what}: {got} instead of {wanted}");
    }
}

#[test]
fn a_condition_may_ask_whether_another_parameter_is_there() {
    let yaml = r#"
- {name: optimizer, categorical: {values: [adam, sgd]}}
- {name: momentum, double: {min: 0, max: 0.9}, when: 'parameters.optimizer == "sgd"'}
- {name: beta, double: {min: 0.5, max: 0.9}, when: '!has(parameters.momentum)'}
- {name: nesterov, categorical: {values: [true, false]}, when: 'has(parameters.momentum) && parameters.momentum > 0.1'}
"#;
    let parameters: Vec<crate::api::Parameter> = serde_saphyr::from_str(yaml).unwrap();
    let space = Space::compile(
        &parameters,
        &["has(parameters.momentum) && parameters.momentum < 0.8".to_owned()],
    )
    .unwrap();
    let names = |unit: [f64; 4]| space.write(&space.decode(&unit)).into_keys().collect::<Vec<_>>();
    assert_eq!(names([0.1, 0.5, 0.5, 0.5]), ["beta", "optimizer"]);
    assert_eq!(names([0.9, 0.5, 0.5, 0.5]), ["momentum", "nesterov", "optimizer"]);
    assert_eq!(names([0.9, 0.0, 0.5, 0.5]), ["momentum", "optimizer"]);
    // A constraint over an inactive parameter holds, whatever it asks.
    assert!(space.is_feasible(&space.decode(&[0.1, 0.5, 0.5, 0.5])));
    assert!(!space.is_feasible(&space.decode(&[0.9, 1.0, 0.5, 0.5])));
}
