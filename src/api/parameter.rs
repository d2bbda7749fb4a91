//! Parameters: what is searched.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{is_default, rules};

/// A parameter: its name, and exactly one of `double`, `int`, `ordinal`, `categorical`, `constant`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    {"required": ["double"]},
    {"required": ["int"]},
    {"required": ["ordinal"]},
    {"required": ["categorical"]},
    {"required": ["constant"]}
]))]
#[x_kube(validation = (
    "[has(self.double), has(self.int), has(self.ordinal), has(self.categorical)].filter(x, x).size() <= 1",
    "a parameter is of one kind: keep only one of `double`, `int`, `ordinal`, `categorical` and `constant`"
))]
pub struct Parameter {
    /// The parameter's name, as expressions (`parameters.<name>`) and templates know it: letters, digits and `_`, at most 63 characters.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::PARAMETER_NAME, validation = rules::NOT_RESERVED)]
    pub name: String,

    /// A real number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub double: Option<Double>,

    /// A whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int: Option<Int>,

    /// One of several values that have an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<Ordinal>,

    /// One of several values that have no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categorical: Option<Categorical>,

    /// Always this value, any JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rules::any_json")]
    pub constant: Option<Value>,

    /// The value tried first, where every active parameter has one, and used where a request or a `list` leaves this parameter out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rules::any_json")]
    pub default: Option<Value>,

    /// The condition under which this parameter is active: CEL over the other parameters, e.g. `parameters.optimizer == "sgd"`; at most 1024 characters.
    /// An inactive parameter is absent from the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub when: Option<String>,
}

/// A real number between `min` and `max`, or around `normal.mean`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("has(self.normal) || (has(self.min) && has(self.max))", "give both `min` and `max`, or `normal`"),
    validation = ("!has(self.min) || !has(self.max) || self.min < self.max", "`min` has to be below `max`"),
    validation = ("self.scale != 'Log' || has(self.normal) || !has(self.min) || self.min > 0.0", "`scale: Log` needs `min` above 0: raise `min`, or use `scale: Linear`"),
    validation = ("self.scale != 'Log' || !has(self.normal)", "`scale: Log` does not go with `normal`: leave one of them out"),
    validation = ("!has(self.step) || self.step > 0.0", "`step` has to be above 0"),
    validation = ("!has(self.step) || (has(self.min) && has(self.max))", "`step` needs `min` and `max`, from which it counts"),
    validation = (
        "!has(self.step) || !has(self.min) || !has(self.max) || !(self.step > 0.0) || !(self.min < self.max) \
         || (self.max - self.min) / self.step <= 1000000000.0",
        "`step` is too small: there may be at most 1000000000 steps between `min` and `max`"
    ),
    validation = (
        "!has(self.step) || !has(self.min) || !has(self.max) || !(self.step > 0.0) || !(self.min < self.max) \
         || (self.max - self.min) / self.step > 1000000000.0 \
         || ((self.max - self.min) / self.step >= 0.5 \
         && (self.max - self.min) / self.step - double(int((self.max - self.min) / self.step + 0.5)) <= 0.000001 \
         && double(int((self.max - self.min) / self.step + 0.5)) - (self.max - self.min) / self.step <= 0.000001)",
        "`step` does not fit: `max` minus `min` has to be a multiple of it"
    )
)]
pub struct Double {
    /// The least value. May be left out with `normal` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::NUMBER)]
    pub min: Option<f64>,

    /// The greatest value, above `min`. May be left out with `normal` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::NUMBER)]
    pub max: Option<f64>,

    /// How values are spread: `Linear`, or `Log` for magnitudes, which needs `min` above 0. Not with `normal`. Default Linear.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Linear"))]
    pub scale: Scale,

    /// Only `min`, `min + step`, `min + 2 step`, ... up to `max`; `max - min` is a multiple of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::NUMBER)]
    pub step: Option<f64>,

    /// Values are spread as a normal distribution, cut at `min` and `max` where they are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normal: Option<Normal>,
}

/// A normal distribution.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Normal {
    /// Its mean.
    #[x_kube(validation = rules::NUMBER)]
    pub mean: f64,
    /// Its standard deviation, above 0.
    #[x_kube(validation = rules::NUMBER, validation = ("self > 0.0", "`stddev` has to be above 0"))]
    pub stddev: f64,
}

/// A whole number between `min` and `max`, both included.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = ("self.min < self.max", "`min` has to be below `max`"),
    validation = ("self.scale != 'Log' || self.min > 0", "`scale: Log` needs `min` above 0: raise `min`, or use `scale: Linear`"),
    validation = (
        "!has(self.step) || self.step < 1 || self.min >= self.max || (self.max - self.min) % self.step == 0",
        "`step` does not fit: `max` minus `min` has to be a multiple of it"
    )
)]
pub struct Int {
    /// The least value; from -2^53 to 2^53, as all of an `int`.
    #[schemars(range(min = -9007199254740992_i64, max = 9007199254740992_i64))]
    pub min: i64,

    /// The greatest value, above `min`.
    #[schemars(range(min = -9007199254740992_i64, max = 9007199254740992_i64))]
    pub max: i64,

    /// How values are spread: `Linear`, or `Log` for magnitudes, which needs `min` above 0. Default Linear.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(extend("default" = "Linear"))]
    pub scale: Scale,

    /// Only `min`, `min + step`, `min + 2 step`, ... up to `max`; `max - min` is a multiple of it. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9007199254740992_i64))]
    pub step: Option<i64>,
}

/// How the values of a number are spread over its range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly in the logarithm: as many between 1 and 10 as between 10 and 100.
    Log,
}

/// Values in an order.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ordinal {
    /// The values, each once, in their order; any JSON, at most 1000.
    #[schemars(schema_with = "rules::choices")]
    pub values: Vec<Value>,
}

/// Values without an order.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Categorical {
    /// The values, each once; any JSON, at most 1000.
    #[schemars(schema_with = "rules::choices")]
    pub values: Vec<Value>,

    /// How often each value is drawn in relation to the others: as many numbers above 0 as there are values. Default: all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(
        validation = ("self.all(w, w > 0.0 && w <= 1e300)", "every weight has to be above 0 and at most 1e300: leave out values that are never to be drawn"),
        merge_strategy = ListMerge::Atomic
    )]
    pub weights: Option<Vec<f64>>,
}
