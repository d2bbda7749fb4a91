//! The parameters that a template declares.

use serde_json::Value;

use super::{at, text};
use crate::{api::FieldErrors, expr};

/// A parameter that is declared in one place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Declared {
    /// Its name.
    pub name: String,
    /// Where it stands, e.g. `spec.arguments.parameters[2]`.
    pub path: String,
    /// Its own value.
    pub own: Own,
    /// The values that it may have, where these are listed.
    pub choices: Option<Vec<Choice>>,
}

/// The value that a parameter has where none is passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// None.
    Missing,
    /// This one.
    Value(String),
    /// One from a ConfigMap.
    Elsewhere,
}

/// A value that a parameter may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// As Argo reads it.
    text: String,
    /// As this program writes it, which differs for some numbers.
    ours: String,
}

impl Declared {
    /// Whether `value` is one of those that it may have.
    pub fn allows(&self, value: &str) -> bool {
        let is_it = |choice: &Choice| choice.text == value || choice.ours == value;
        self.choices.as_ref().is_none_or(|choices| choices.iter().any(is_it))
    }

    /// The values that it may have, for people.
    pub fn allowed(&self) -> String {
        let choices = self.choices.as_deref().unwrap_or_default();
        match choices {
            [] => "none: its `enum` is empty".to_owned(),
            _ => super::listed(choices.iter().map(|choice| choice.ours.as_str())),
        }
    }
}

/// Where parameters are declared, which decides what gives them a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// `spec.arguments`: Argo does not look at `default` here.
    Workflow,
    /// The `inputs` of a template.
    Inputs,
}

/// Reads the parameters of `holder`, which stands at `path`; errors are below `document`.
pub(super) fn read(holder: &Value, path: &str, level: Level, errors: &mut FieldErrors) -> Vec<Declared> {
    let path = format!("{path}.parameters");
    let entries = match at(holder, "parameters") {
        None => return Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            errors.push(path, "has to be a list");
            return Vec::new();
        }
    };
    let mut declared = Vec::with_capacity(entries.len());
    for (i, entry) in entries.iter().enumerate() {
        let path = format!("{path}[{i}]");
        let name = text(entry, "name");
        if name.is_empty() {
            errors.push(format!("{path}.name"), "is missing: a parameter has a name");
            continue;
        }
        let choices = match at(entry, "enum") {
            None => None,
            Some(Value::Array(values)) => Some(values.iter().map(choice).collect()),
            Some(_) => {
                errors.push(format!("{path}.enum"), "has to be a list");
                None
            }
        };
        declared.push(Declared {
            name: name.to_owned(),
            path,
            own: own(entry, level),
            choices,
        });
    }
    declared
}

fn own(entry: &Value, level: Level) -> Own {
    let default = || at(entry, "default").filter(|_| level == Level::Inputs);
    if let Some(value) = at(entry, "value").or_else(default) {
        return Own::Value(argo_text(value));
    }
    match at(entry, "valueFrom").and_then(|from| at(from, "configMapKeyRef")) {
        Some(_) => Own::Elsewhere,
        None => Own::Missing,
    }
}

fn choice(value: &Value) -> Choice {
    Choice {
        text: argo_text(value),
        ours: expr::text(value),
    }
}

/// A value as Argo reads it, which takes scalars for texts: numbers without exponent, anything else than a scalar as nothing.
pub(super) fn argo_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) => value.to_string(),
        Value::Number(number) => number
            .as_f64()
            .map_or_else(|| number.to_string(), |number| number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}
