//! The output parameters of a Workflow as a metrics file.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    declared::argo_text,
    list,
    nodes::{entry, nodes},
    text,
};

/// The output parameters of a Workflow, the global ones and those of the template that it started with, as a metrics file: a JSON object
/// of those that are numbers. Where both have a name, the template's counts.
pub fn outputs(workflow: &Value) -> Vec<u8> {
    let mut numbers = BTreeMap::new();
    let status = workflow.get("status").unwrap_or(&Value::Null);
    let nodes = nodes(workflow);
    let entry = entry(workflow, &nodes).unwrap_or(&Value::Null);
    for holder in [status, entry] {
        let parameters = holder
            .get("outputs")
            .map_or(&[][..], |outputs| list(outputs, "parameters"));
        for parameter in parameters {
            let value = parameter.get("value").map(argo_text).unwrap_or_default();
            // As Python and Go write them, `nan` and `+Inf` among them; a file ends with a line end.
            if let Ok(number) = value.trim().parse::<f64>() {
                numbers.insert(text(parameter, "name"), number);
            }
        }
    }
    let fields: Vec<String> = numbers
        .iter()
        .map(|(name, number)| format!("{}: {}", Value::from(*name), shown(*number)))
        .collect();
    format!("{{{}}}", fields.join(", ")).into_bytes()
}

/// A number as Python writes it into JSON.
fn shown(number: f64) -> String {
    match number {
        _ if number.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => Value::from(number).to_string(),
    }
}
