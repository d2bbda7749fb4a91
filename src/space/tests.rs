//! Tests of the space as a whole, as users write it: YAML in, messages or configurations out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;

mod configurations;
mod declarations;
mod properties;

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
