//! Bad parameters.

use serde_json::{Value, json};

use crate::cases::Case;

/// A study that has one more parameter.
pub fn parameter(parameter: &Value) -> Value {
    json!({"/spec/parameters/-": parameter})
}

/// A double with these settings.
pub fn double(settings: &Value) -> Value {
    parameter(&json!({"name": "d", "double": settings}))
}

/// An int with these settings.
pub fn int(settings: &Value) -> Value {
    parameter(&json!({"name": "i", "int": settings}))
}

/// Changes after which a study's parameters are bad.
pub fn bad() -> Vec<Case> {
    [
        (json!({"/spec/parameters": []}), "spec.parameters", "may not be empty"),
        (
            parameter(&json!({"name": "a"})),
            "spec.parameters[2]",
            "give one of `double`",
        ),
        (
            parameter(&json!({"name": "a", "constant": 1, "int": {"min": 0, "max": 1}})),
            "spec.parameters[2]",
            "exactly one of `double`",
        ),
        (
            parameter(&json!({"name": "a", "double": {"min": 0, "max": 1}, "int": {"min": 0, "max": 1}})),
            "spec.parameters[2]",
            "is of one kind",
        ),
        (
            parameter(&json!({"constant": 1})),
            "spec.parameters[2].name",
            "is missing",
        ),
        (
            parameter(&json!({"name": "lr", "constant": 1})),
            "spec.parameters[2].name",
            "`lr` is there twice",
        ),
        (
            parameter(&json!({"name": "9a", "constant": 1})),
            "spec.parameters[2].name",
            "does not start with a digit",
        ),
        (
            parameter(&json!({"name": "", "constant": 1})),
            "spec.parameters[2].name",
            "letters, digits and `_`",
        ),
        (
            parameter(&json!({"name": "a-b", "constant": 1})),
            "spec.parameters[2].name",
            "letters, digits and `_`",
        ),
        (
            parameter(&json!({"name": "in", "constant": 1})),
            "spec.parameters[2].name",
            "reserved in CEL",
        ),
        (
            parameter(&json!({"name": "a", "constant": 1, "when": ""})),
            "spec.parameters[2].when",
            "may not be empty",
        ),
        (
            double(&json!({"min": 0})),
            "spec.parameters[2].double",
            "give both `min` and `max`, or `normal`",
        ),
        (
            double(&json!({})),
            "spec.parameters[2].double",
            "give both `min` and `max`, or `normal`",
        ),
        (
            double(&json!({"min": 1, "max": 1})),
            "spec.parameters[2].double",
            "`min` has to be below `max`",
        ),
        (
            double(&json!({"min": 2, "max": 1, "step": 0.3})),
            "spec.parameters[2].double",
            "`min` has to be below `max`",
        ),
        (
            double(&json!({"normal": {"mean": 0, "stddev": 1}, "min": 2, "max": 1})),
            "spec.parameters[2].double",
            "`min` has to be below `max`",
        ),
        (
            double(&json!({"min": 0, "max": 1, "scale": "Log"})),
            "spec.parameters[2].double",
            "needs `min` above 0",
        ),
        (
            double(&json!({"normal": {"mean": 1, "stddev": 1}, "scale": "Log"})),
            "spec.parameters[2].double",
            "does not go with `normal`",
        ),
        (
            double(&json!({"min": 1, "max": 2, "scale": "log"})),
            "spec.parameters[2].double.scale",
            "did you mean `Log`?",
        ),
        (
            double(&json!({"min": 0, "max": 1, "step": 0})),
            "spec.parameters[2].double",
            "`step` has to be above 0",
        ),
        (
            double(&json!({"min": 0, "max": 1, "step": -0.1})),
            "spec.parameters[2].double",
            "`step` has to be above 0",
        ),
        (
            double(&json!({"min": 0, "max": 1, "step": 0.3})),
            "spec.parameters[2].double",
            "`step` does not fit",
        ),
        (
            double(&json!({"min": 0, "max": 1, "step": 2})),
            "spec.parameters[2].double",
            "`step` does not fit",
        ),
        (
            double(&json!({"min": 0, "max": 1, "step": 1e300})),
            "spec.parameters[2].double",
            "`step` does not fit",
        ),
        (
            double(&json!({"min": -1e300, "max": 1e300, "step": 1e-300})),
            "spec.parameters[2].double",
            "`step` is too small",
        ),
        (
            double(&json!({"normal": {"mean": 1, "stddev": 1}, "step": 1})),
            "spec.parameters[2].double",
            "`step` needs `min` and `max`",
        ),
        (
            double(&json!({"normal": {"mean": 1, "stddev": 0}})),
            "spec.parameters[2].double.normal.stddev",
            "above 0",
        ),
        (
            double(&json!({"normal": {"mean": 1, "stddev": -1}})),
            "spec.parameters[2].double.normal.stddev",
            "above 0",
        ),
        (
            double(&json!({"normal": {"stddev": 1}})),
            "spec.parameters[2].double.normal.mean",
            "is missing",
        ),
        (
            double(&json!({"min": 0, "max": 1e301})),
            "spec.parameters[2].double.max",
            "between -1e300 and 1e300",
        ),
        (int(&json!({"min": 0})), "spec.parameters[2].int.max", "is missing"),
        (
            int(&json!({"min": 1, "max": 1})),
            "spec.parameters[2].int",
            "`min` has to be below `max`",
        ),
        (
            int(&json!({"min": 3, "max": 1, "step": 3})),
            "spec.parameters[2].int",
            "`min` has to be below `max`",
        ),
        (
            int(&json!({"min": 0, "max": 1, "scale": "Log"})),
            "spec.parameters[2].int",
            "needs `min` above 0",
        ),
        (
            int(&json!({"min": 0, "max": 10, "step": 3})),
            "spec.parameters[2].int",
            "`step` does not fit",
        ),
        (
            int(&json!({"min": 0, "max": 10, "step": 0})),
            "spec.parameters[2].int.step",
            "at least 1",
        ),
        (
            int(&json!({"min": 0, "max": 10, "step": 2.5})),
            "spec.parameters[2].int.step",
            "a whole number",
        ),
        (
            int(&json!({"min": 0, "max": i64::MAX})),
            "spec.parameters[2].int.max",
            "may be at most 9007199254740992",
        ),
        (
            parameter(&json!({"name": "o", "ordinal": {"values": []}})),
            "spec.parameters[2].ordinal.values",
            "may not be empty",
        ),
        (
            parameter(&json!({"name": "o", "ordinal": {}})),
            "spec.parameters[2].ordinal.values",
            "is missing",
        ),
        (
            parameter(&json!({"name": "o", "categorical": {"values": [1, 2], "weights": [1, 0]}})),
            "spec.parameters[2].categorical.weights",
            "has to be above 0",
        ),
    ]
    .into_iter()
    .map(|(change, path, says)| Case::new(change, path, says))
    .collect()
}
