//! Tests of the space as a whole, as users write it: YAML in, messages or configurations out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::*;
use crate::api::ParameterMap;

fn parameters(yaml: &str) -> Vec<Parameter> {
    serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"))
}

fn compile(yaml: &str, constraints: &[&str]) -> Result<Space, String> {
    let constraints: Vec<String> = constraints.iter().map(|&c| c.to_owned()).collect();
    Space::compile(&parameters(yaml), &constraints).map_err(|e| e.to_string())
}

fn space(yaml: &str) -> Space {
    compile(yaml, &[]).unwrap_or_else(|e| panic!("{e}"))
}

fn map(value: Value) -> ParameterMap {
    serde_json::from_value(value).unwrap()
}

/// The study of the documentation.
const MOLDING: &str = r#"
- {name: lr, double: {min: 1e-7, max: 0.1, scale: Log}}
- {name: units_1, int: {min: 8, max: 64, step: 8}}
- {name: units_2, int: {min: 8, max: 64, step: 8}, default: 16}
- {name: batch_size, ordinal: {values: [8, 16, 32]}}
- {name: optimizer, categorical: {values: [adam, sgd], weights: [2, 1]}}
- {name: momentum, double: {min: 0, max: 0.99}, when: 'parameters.optimizer == "sgd"'}
- {name: dropout, double: {normal: {mean: 0.3, stddev: 0.1}, min: 0, max: 0.9}}
- {name: loss, constant: mse}
"#;

#[test]
fn says_what_is_wrong_and_where() {
    let one = |kind: &str| format!("[{{name: x, {kind}}}]");
    let table = [
        ("[]", "parameters: is empty"),
        ("[{name: 1x, constant: 1}]", "parameters[0].name: `1x` cannot be"),
        ("[{name: 'ä', constant: 1}]", "at most 63 letters"),
        ("[{name: in, constant: 1}]", "parameters[0].name: `in` is a word of CEL"),
        (
            "[{name: x, constant: 1}, {name: x, constant: 2}]",
            "parameters[1].name: parameters[0] is called `x` already",
        ),
        ("[{name: x}]", "parameters[0]: what kind"),
        ("[{name: x, constant: null}]", "a constant cannot be null"),
        (
            "[{name: x, constant: 1, int: {min: 1, max: 2}}]",
            "parameters[0]: choose exactly one",
        ),
        (
            &one("double: {min: 2, max: 1}"),
            "parameters[0].double.max: 1.0 is not above `min`, 2.0",
        ),
        (&one("double: {min: 1, max: 1}"), "use `constant`"),
        (
            &one("double: {min: .nan, max: 1}"),
            "parameters[0].double.min: is not a finite number",
        ),
        (
            &one("double: {min: 0, max: .inf}"),
            "parameters[0].double.max: is not a finite number",
        ),
        (
            &one("double: {min: -1.7e308, max: 1.7e308}"),
            "wider than a double can hold",
        ),
        (
            &one("double: {max: 1}"),
            "parameters[0].double.min: is missing: give it, or `normal`",
        ),
        (&one("double: {min: 1}"), "parameters[0].double.max: is missing"),
        (
            &one("double: {min: 0, max: 1, scale: Log}"),
            "parameters[0].double.min: 0.0 has no logarithm",
        ),
        (
            &one("double: {min: 0, max: 1, step: 0}"),
            "parameters[0].double.step: 0.0 is not above 0",
        ),
        (&one("double: {min: 0, max: 1, step: 0.3}"), "e.g. `max: 0.9`"),
        (
            &one("double: {min: 0, max: 1, step: 1e-300}"),
            "parameters[0].double.step: 1e-300 gives more values",
        ),
        (
            &one("double: {min: 1, max: 1e15, step: 1, scale: Log}"),
            "cannot tell apart",
        ),
        (
            &one("double: {normal: {mean: 0, stddev: 0}}"),
            "parameters[0].double.normal.stddev: 0.0 is not above 0",
        ),
        (
            &one("double: {normal: {mean: .inf, stddev: 1}}"),
            "parameters[0].double.normal.mean: is not a finite",
        ),
        (
            &one("double: {normal: {mean: 1, stddev: 1}, scale: Log}"),
            "parameters[0].double.scale: a normal",
        ),
        (
            &one("double: {normal: {mean: 1, stddev: 1}, min: 1, max: 0}"),
            "parameters[0].double.max",
        ),
        (
            &one("double: {normal: {mean: 1, stddev: 1}, min: 100, max: 101}"),
            "next to nothing of the distribution",
        ),
        (
            &one("double: {normal: {mean: 1, stddev: 1}, min: 0, step: 0.5}"),
            "parameters[0].double.max: is missing: give it, as `step` needs it",
        ),
        (
            &one("double: {normal: {mean: 1, stddev: 1}, min: 0, max: 1, step: 1e-6}"),
            "leave the step out or make it larger",
        ),
        (
            &one("int: {min: 2, max: 1}"),
            "parameters[0].int.max: 1 is not above `min`, 2",
        ),
        (&one("int: {min: 1, max: 1}"), "use `constant`"),
        (
            &one("int: {min: 0, max: 8, scale: Log}"),
            "parameters[0].int.min: 0 has no logarithm",
        ),
        (
            &one("int: {min: 0, max: 8, step: 0}"),
            "parameters[0].int.step: 0 is not above 0",
        ),
        (
            &one("int: {min: 0, max: 8, step: -1}"),
            "parameters[0].int.step: -1 is not above 0",
        ),
        (&one("int: {min: 8, max: 63, step: 8}"), "e.g. `max: 64`"),
        (&one("int: {min: 0, max: 2, step: 5}"), "e.g. `max: 5`"),
        (
            &one("int: {min: -9223372036854775808, max: 9223372036854775807}"),
            "more than 2^53 values",
        ),
        (
            &one("int: {min: -9223372036854775808, max: 9223372036854775807, step: 9223372036854775807}"),
            "do not reach",
        ),
        (
            &one("int: {min: 1, max: 9223372036854775807, scale: Log}"),
            "parameters[0].int",
        ),
        (&one("ordinal: {values: []}"), "parameters[0].ordinal.values: is empty"),
        (
            &one("categorical: {values: []}"),
            "parameters[0].categorical.values: is empty",
        ),
        (
            &one("categorical: {values: [a, b, a]}"),
            "parameters[0].categorical.values[2]: \"a\" stands at values[0]",
        ),
        (&one("ordinal: {values: [1, 1.0]}"), "parameters[0].ordinal.values[1]"),
        (
            &one("categorical: {values: [a, b], weights: [1]}"),
            "parameters[0].categorical.weights: has 1 numbers for 2",
        ),
        (
            &one("categorical: {values: [a, b], weights: [1, 0]}"),
            "parameters[0].categorical.weights[1]: 0.0 is not",
        ),
        (
            &one("categorical: {values: [a, b], weights: [1, .inf]}"),
            "weights[1]: inf is not a finite",
        ),
        (
            &one("int: {min: 0, max: 8}, default: 9"),
            "parameters[0].default: 9 is not a whole number between 0 and 8",
        ),
        (
            &one("int: {min: 0, max: 8}, default: 1.5"),
            "parameters[0].default: 1.5 is not",
        ),
        (
            &one("int: {min: 0, max: 8, step: 2}, default: 3"),
            "between 0 and 8 in steps of 2",
        ),
        (
            &one("double: {min: 0, max: 1}, default: '0.5'"),
            "\"0.5\" is not a number between 0.0 and 1.0",
        ),
        (
            &one("double: {min: 0, max: 1, step: 0.25}, default: 0.3"),
            "in steps of 0.25",
        ),
        (
            &one("ordinal: {values: [8, 16]}, default: 32"),
            "32 is not one of 8, 16",
        ),
        (
            &one("constant: 1, default: 1"),
            "parameters[0].default: a constant has its value already",
        ),
        (
            &one("constant: 1, when: 'parameters.x == 1'"),
            "parameters[0].when: `x` cannot depend on itself",
        ),
        (
            &one("constant: 1, when: 'true'"),
            "parameters[0].when: `true` reads no parameter",
        ),
        (&one("constant: 1, when: 'parameters.y =='"), "parameters[0].when: "),
        (
            "[{name: alpha, constant: 1}, {name: b, constant: 1, when: 'parameters.alhpa == 1'}]",
            "parameters[1].when: there is no parameter `alhpa`: do you mean `alpha`?",
        ),
        (
            "[{name: alpha, constant: 1}, {name: b, constant: 1, when: 'alpha == 1'}]",
            "parameters[1].when: `alpha` is not known here: write `parameters.alpha`",
        ),
        (
            "[{name: a, constant: 1}, {name: b, constant: 1, when: 'size(parameters) == 1'}]",
            "parameters[1].when: `parameters` cannot be used as a whole",
        ),
        (
            "[{name: a, int: {min: 0, max: 3}}, {name: b, constant: 1, when: 'parameters.a'}]",
            "parameters[1].when: cannot be evaluated, e.g. with {\"a\":0}",
        ),
        (
            "[{name: o, categorical: {values: [adam, sgd]}}, {name: b, constant: 1, when: 'parameters.o == \"sdg\"'}]",
            "parameters[1].when: holds for none of the 2 combinations of values of `o`",
        ),
        (
            "[{name: a, constant: 1, when: 'parameters.c == 1'}, {name: b, constant: 1, when: 'parameters.a == 1'}, {name: c, constant: 1, when: 'parameters.b == 1'}]",
            "parameters[0].when: the conditions go round in a circle: a needs c needs b needs a",
        ),
    ];
    for (yaml, message) in table {
        let errors = compile(yaml, &[]).expect_err(yaml);
        assert!(errors.contains(message), "{yaml}\ngives  {errors}\nwanted {message}");
        assert_eq!(errors.lines().count(), 1, "{yaml}\ngives {errors}");
    }
}

#[test]
fn says_everything_at_once_in_the_order_of_the_fields() {
    let yaml = r#"
    - {name: a-b, double: {min: 1, max: 0, step: -1}}
    - {name: x, categorical: {values: [a, a], weights: [1, 2, 3]}, when: 'parameters.nothing == 1'}
    - {name: x, constant: 1, default: 2}
    "#;
    let errors = compile(yaml, &["parameters.y > 1", "parameters.x >"]).unwrap_err();
    let paths: Vec<&str> = errors.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "parameters[0].name",
            "parameters[0].double.step",
            "parameters[0].double.max",
            "parameters[1].categorical.values[1]",
            "parameters[1].categorical.weights",
            "parameters[1].when",
            "parameters[2].name",
            "parameters[2].default",
            "constraints[0]",
            "constraints[1]",
        ],
        "{errors}"
    );
}

#[test]
fn refuses_constraints_that_fail_or_that_nothing_meets() {
    let yaml = "[{name: a, int: {min: 0, max: 20}, default: 3}, {name: b, double: {min: 0, max: 1}, default: 0.5}, {name: c, int: {min: 0, max: 9}, default: 1}]";
    for (constraints, message) in [
        (
            &["parameters.a * parameters.b > 1.0"][..],
            "constraints[0]: cannot be evaluated, e.g. with {\"a\":0,\"b\":0.0}",
        ),
        (&["parameters.a + parameters.c"], "constraints[0]: cannot be evaluated"),
        (
            &["10 / parameters.a > 1"],
            "constraints[0]: cannot be evaluated, e.g. with {\"a\":0}",
        ),
        (
            &["parameters.a > 20"],
            "constraints[0]: holds for none of the 21 combinations of values of `a`",
        ),
        (
            &["parameters.a > 2", "parameters.b > 1.0"],
            "constraints[1]: none of the 10000 configurations that were tried",
        ),
        (
            &["parameters.b > 0.6", "parameters.b < 0.4"],
            "constraints: none of the 10000 configurations that were tried meets all",
        ),
        (
            &["parameters.a > parameters.c", "parameters.c > parameters.a"],
            "constraints: none of the 10000",
        ),
        (&["parameters.a > 3"], "constraints[0]: the defaults {\"a\":3} break it"),
        (&["true"], "constraints[0]: `true` reads no parameter"),
    ] {
        let errors = compile(yaml, constraints).expect_err(&format!("{constraints:?}"));
        assert!(
            errors.contains(message),
            "{constraints:?}\ngives  {errors}\nwanted {message}"
        );
    }
    let finite = "[{name: a, int: {min: 0, max: 20}}, {name: c, int: {min: 0, max: 9}}]";
    let errors = compile(finite, &["parameters.a > parameters.c", "parameters.c > parameters.a"]).unwrap_err();
    assert_eq!(
        errors,
        "constraints: none of the 210 configurations that there are meets all of them: loosen one"
    );
}

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

fn any_parameter() -> impl Strategy<Value = Value> {
    let scale = prop_oneof![Just("Linear"), Just("Log")];
    prop_oneof![
        (1e-6..1e3f64, 1e-3..1e6f64, scale.clone()).prop_map(|(min, width, scale)| json!({"double": {"min": min, "max": min + width, "scale": scale}})),
        (-1e3..1e3f64, 1e-3..1e3f64, any::<bool>(), any::<bool>()).prop_map(|(mean, stddev, low, high)| {
            let mut spec = json!({"normal": {"mean": mean, "stddev": stddev}});
            if low { spec["min"] = json!(mean - 2.0 * stddev); }
            if high { spec["max"] = json!(mean + stddev); }
            json!({"double": spec})
        }),
        (1i64..1000, 1i64..100, 1i64..10_000, 0i32..6, scale.clone()).prop_map(|(min, step, count, digits, scale)| {
            let decimal = |v: i64| format!("{v}e-{digits}").parse::<f64>().unwrap();
            json!({"double": {"min": decimal(min), "max": decimal(min + step * count), "step": decimal(step), "scale": scale}})
        }),
        (1i64..1000, 1i64..100, 1i64..1_000_000, scale).prop_map(|(min, step, count, scale)| json!({"int": {"min": min, "max": min + step * count, "step": step, "scale": scale}})),
        (any::<i64>(), 1i64..i64::MAX / 4, 2u32..40).prop_map(|(min, step, count)| {
            let max = (i128::from(min) + i128::from(step) * i128::from(count)).min(i128::from(i64::MAX) - i128::from((i128::from(i64::MAX) - i128::from(min)).rem_euclid(i128::from(step)) as i64));
            if max <= i128::from(min) { json!({"constant": 1}) } else { json!({"int": {"min": min, "max": max as i64, "step": step}}) }
        }),
        (1usize..40).prop_map(|n| json!({"ordinal": {"values": (0..n).map(|i| json!({"v": i})).collect::<Vec<_>>()}})),
        prop::collection::vec(1e-3..1e3f64, 1..30).prop_map(|w| json!({"categorical": {"values": (0..w.len()).map(|i| format!("v{i}")).collect::<Vec<_>>(), "weights": w}})),
        (-10.0..10.0f64, 0.1..10.0f64).prop_map(|(mean, stddev)| json!({"double": {"normal": {"mean": mean, "stddev": stddev}, "min": -10, "max": 10, "step": 0.25}})),
        Just(json!({"constant": {"a": [1, null]}})),
    ]
}

proptest! {
    /// Whatever the space, a configuration comes back from the unit cube, from its JSON, and from that JSON's text.
    #[test]
    fn configurations_come_back(kinds in prop::collection::vec(any_parameter(), 1..8), seed in any::<u64>()) {
        let parameters: Vec<Parameter> = kinds.iter().enumerate().map(|(i, kind)| {
            let mut parameter = kind.clone();
            parameter["name"] = json!(format!("p{i}"));
            serde_json::from_value(parameter).unwrap()
        }).collect();
        let space = Space::compile(&parameters, &[]).unwrap_or_else(|e| panic!("{e}\n{kinds:?}"));
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for round in 0..20 {
            let unit: Vec<f64> = (0..space.dimensions()).map(|_| match round { 0 => 0.0, 1 => 1.0, _ => rng.random() }).collect();
            let config = space.decode(&unit);
            prop_assert!(space.is_feasible(&config));
            let mut back = vec![f64::NAN; space.dimensions()];
            space.encode(&config, &mut back);
            prop_assert!(back.iter().all(|u| (0.0..=1.0).contains(u)));
            for ((slot, again), kind) in config.0.iter().zip(&space.decode(&back).0).zip(&kinds) {
                match (slot, again) {
                    (Slot::Double(a), Slot::Double(b)) if kind["double"]["step"].is_null() => {
                        let scale = a.abs().max(kind["double"]["normal"]["stddev"].as_f64().unwrap_or(0.0));
                        prop_assert!((a - b).abs() <= 1e-9 * scale, "{a} {b} {kind}");
                    }
                    (a, b) => prop_assert_eq!(a, b, "{}", kind),
                }
            }
            let written = space.write(&config);
            prop_assert_eq!(space.parse(&written), Some(config.clone()));
            prop_assert_eq!(space.read(&written), Ok(config.clone()));
            let text: ParameterMap = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
            prop_assert_eq!(space.parse(&text), Some(config));
        }
    }

    /// No unit vector and no JSON makes it panic.
    #[test]
    fn nothing_panics(kinds in prop::collection::vec(any_parameter(), 1..4), unit in prop::collection::vec(any::<f64>(), 0..6)) {
        let parameters: Vec<Parameter> = kinds.iter().enumerate().map(|(i, kind)| {
            let mut parameter = kind.clone();
            parameter["name"] = json!(format!("p{i}"));
            serde_json::from_value(parameter).unwrap()
        }).collect();
        let space = Space::compile(&parameters, &[]).unwrap();
        let config = space.decode(&unit);
        prop_assert_eq!(space.parse(&space.write(&config)), Some(config));
        for value in [json!(null), json!("x"), json!(1e300), json!(-1), json!(u64::MAX), json!([1]), json!(true)] {
            let _ = space.read(&(0..kinds.len()).map(|i| (format!("p{i}"), value.clone())).collect());
        }
    }

    /// Whatever somebody declares, compiling says so or gives a space.
    #[test]
    fn any_declaration_is_answered(min in any::<Option<f64>>(), max in any::<Option<f64>>(), step in any::<Option<f64>>(), normal in any::<Option<(f64, f64)>>(), log in any::<bool>(), a in any::<i64>(), b in any::<i64>(), by in any::<Option<i64>>()) {
        use crate::api::{Double, Int, Normal, Scale};
        let scale = if log { Scale::Log } else { Scale::Linear };
        let double = Double { min, max, step, scale, normal: normal.map(|(mean, stddev)| Normal { mean, stddev }) };
        let int = Int { min: a, max: b, step: by, scale };
        for parameter in [Parameter { name: "x".into(), double: Some(double), ..Default::default() }, Parameter { name: "x".into(), int: Some(int), ..Default::default() }] {
            if let Ok(space) = Space::compile(&[parameter], &[]) {
                for unit in [0.0, 0.3, 1.0] {
                    let config = space.decode(&[unit]);
                    prop_assert_eq!(space.parse(&space.write(&config)), Some(config));
                }
            }
        }
    }
}
