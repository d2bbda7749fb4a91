//! Parameters, conditions and constraints.

use super::{Spec, X, each_is_refused, parameters, with};

#[test]
fn ranges_scales_and_steps() {
    each_is_refused(&[
        (
            parameters("{name: x, double: {min: 1, max: 1}}"),
            "spec.parameters[0].double",
            &["`min`", "below `max`"],
        ),
        (
            parameters("{name: x, double: {min: 2, max: 1}}"),
            "spec.parameters[0].double",
            &["`min`", "below `max`"],
        ),
        (
            parameters("{name: x, int: {min: 3, max: 3}}"),
            "spec.parameters[0].int",
            &["`min`", "below `max`"],
        ),
        (
            parameters("{name: x, int: {min: 4, max: 3}}"),
            "spec.parameters[0].int",
            &["`min`", "below `max`"],
        ),
        (
            parameters("{name: x, double: {max: 1}}"),
            "spec.parameters[0].double",
            &["`min`"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1, scale: Log}}"),
            "spec.parameters[0].double",
            &["Log", "`min` above 0"],
        ),
        (
            parameters("{name: x, double: {min: -1, max: 1, scale: Log}}"),
            "spec.parameters[0].double",
            &["Log", "`min` above 0"],
        ),
        (
            parameters("{name: x, int: {min: 0, max: 8, scale: Log}}"),
            "spec.parameters[0].int",
            &["Log", "`min` above 0"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1, step: 0.3}}"),
            "spec.parameters[0].double",
            &["`step`", "fit"],
        ),
        (
            parameters("{name: x, int: {min: 0, max: 10, step: 3}}"),
            "spec.parameters[0].int",
            &["`step`", "fit"],
        ),
        (
            parameters("{name: x, int: {min: 0, max: 10, step: 20}}"),
            "spec.parameters[0].int",
            &["`step`", "fit"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1, step: 0}}"),
            "spec.parameters[0].double",
            &["`step`", "above 0"],
        ),
        (
            parameters("{name: x, int: {min: 0, max: 1, step: -1}}"),
            "spec.parameters[0].int.step",
            &["at least 1"],
        ),
        (
            parameters("{name: x, double: {normal: {mean: 0, stddev: 0}}}"),
            "spec.parameters[0].double.normal.stddev",
            &["above 0"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1}, default: 2}"),
            "spec.parameters[0].default",
            &["2", "between"],
        ),
    ]);
}

#[test]
fn names_and_choices() {
    each_is_refused(&[
        (
            parameters(&format!("{X}, {X}")),
            "spec.parameters[1].name",
            &["`x`", "twice"],
        ),
        (
            parameters("{name: in, double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["reserved"],
        ),
        (
            parameters("{name: 'true', double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["reserved"],
        ),
        // YAML 1.1, as kubectl reads it.
        (
            parameters("{name: y, double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["true", "quotes"],
        ),
        (
            parameters("{name: a-b, double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["letters"],
        ),
        (
            parameters("{name: 1x, double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["digit"],
        ),
        (
            parameters("{double: {min: 0, max: 1}}"),
            "spec.parameters[0].name",
            &["missing"],
        ),
        (
            parameters("{name: x}"),
            "spec.parameters[0]",
            &["`double`", "`constant`"],
        ),
        (
            parameters("{name: x, double: {min: 0, max: 1}, int: {min: 0, max: 1}}"),
            "spec.parameters[0]",
            &["only one of"],
        ),
        (parameters(""), "spec.parameters", &["empty"]),
        (with("parameters", ""), "spec.parameters", &["missing"]),
        (
            parameters("{name: x, categorical: {values: []}}"),
            "spec.parameters[0].categorical.values",
            &["empty"],
        ),
        (
            parameters("{name: x, ordinal: {values: []}}"),
            "spec.parameters[0].ordinal.values",
            &["empty"],
        ),
        (
            parameters("{name: x, categorical: {values: [a, a]}}"),
            "spec.parameters[0].categorical.values[1]",
            &["already"],
        ),
        (
            parameters("{name: x, categorical: {values: [a, b], weights: [1]}}"),
            "spec.parameters[0].categorical.weights",
            &["1 numbers for 2 values"],
        ),
        (
            parameters("{name: x, categorical: {values: [a, b], weights: [1, 0]}}"),
            "spec.parameters[0].categorical.weights",
            &["above 0"],
        ),
    ]);
}

#[test]
fn expressions() {
    let when = |condition: &str| {
        parameters(&format!(
            "{X}, {{name: z, double: {{min: 0, max: 1}}, when: '{condition}'}}"
        ))
    };
    each_is_refused(&[
        (
            with("constraints", "['parameters.x <']"),
            "spec.constraints[0]",
            &["column 15", "the end"],
        ),
        (
            with("constraints", "['parameters.xx < 1.0']"),
            "spec.constraints[0]",
            &["no parameter `xx`", "`x`"],
        ),
        (
            with("constraints", "['x < 1.0']"),
            "spec.constraints[0]",
            &["`parameters.x`"],
        ),
        (
            with("constraints", "['parameters.x + 1 < 2']"),
            "spec.constraints[0]",
            &["double + int", "convert"],
        ),
        (
            with("constraints", "['parameters.x']"),
            "spec.constraints[0]",
            &["bool"],
        ),
        (
            when("parameters.x >> 0.5"),
            "spec.parameters[1].when",
            &["column 15", "unexpected"],
        ),
        (
            when("parameters.opt == \"a\""),
            "spec.parameters[1].when",
            &["no parameter `opt`"],
        ),
        (when("parameters.z > 0.5"), "spec.parameters[1].when", &["itself"]),
        (
            with("objectives", "[{value: 'metrics.a +', goal: Minimize}]"),
            "spec.objectives[0].value",
            &["column 12"],
        ),
        (
            parameters(
                "{name: a, int: {min: 0, max: 3}, when: 'parameters.b > 1'}, \
                 {name: b, int: {min: 0, max: 3}, when: 'parameters.c > 1'}, \
                 {name: c, int: {min: 0, max: 3}, when: 'parameters.a > 1'}",
            ),
            "spec.parameters[0].when",
            &["circle", "a needs b needs c needs a"],
        ),
        (
            Spec::good()
                .with("parameters", "[{name: x, double: {min: 0, max: 1}, default: 0.5}]")
                .with("constraints", "['parameters.x > 0.6']")
                .yaml(),
            "spec.constraints[0]",
            &["default", "0.5"],
        ),
        (
            with("constraints", "['parameters.x > 2.0']"),
            "spec.constraints[0]",
            &["none of the", "configurations"],
        ),
        (
            with("constraints", "['parameters.x > 0.6', 'parameters.x < 0.4']"),
            "spec.constraints",
            &["none of the", "all of them"],
        ),
        (
            Spec::good()
                .with("parameters", "[{name: x, int: {min: 0, max: 3}}]")
                .with("constraints", "['parameters.x > 5']")
                .yaml(),
            "spec.constraints[0]",
            &["none of the 4"],
        ),
    ]);
}
