//! What is wrong with a declaration is said.

use super::*;

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
            &one("double: {normal: {mean: 0, stddev: 1e307}}"),
            "parameters[0].double.normal: is wider than a double can hold",
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
    let list = vec!["1"; 200].join(",");
    let nested = format!("[{list}].all(x, [{list}].all(y, x + y > parameters.a))");
    let errors = compile(yaml, &["parameters.a > 1", &nested]).unwrap_err();
    assert!(
        errors
            .starts_with("constraints[1]: is evaluated for thousands of configurations, and that would take too long"),
        "{errors}"
    );
    let short = "[parameters.a, parameters.c, 7].all(x, [1, 2, 3].exists(y, x + y > 0))";
    assert!(compile(yaml, &[short; 20]).is_ok(), "loops over what is short are fine");
    let finite = "[{name: a, int: {min: 0, max: 20}}, {name: c, int: {min: 0, max: 9}}]";
    let errors = compile(finite, &["parameters.a > parameters.c", "parameters.c > parameters.a"]).unwrap_err();
    assert_eq!(
        errors,
        "constraints: none of the 210 configurations that there are meets all of them: loosen one"
    );
}
