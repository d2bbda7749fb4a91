//! The environment variables of a container.

use serde::Deserialize;
use serde_json::Value;

use super::has;
use crate::api::FieldErrors;

/// How to reach S3: a trial on this machine is handed these by the program that runs it.
const OF_S3: [&str; 7] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
];

/// A variable with its value, in which nothing is expanded yet.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    pub name: String,
    pub value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    name: String,
    value: Option<String>,
    value_from: Option<Value>,
}

/// The variables of `container`, which stands at `path`. Of the same name the last counts, as in Kubernetes.
pub(super) fn read(
    container: &Value,
    path: &str,
    errors: &mut FieldErrors,
    warnings: &mut Vec<String>,
) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::new();
    for (i, entry) in super::read::<Vec<Value>>(container.get("env"), &format!("{path}.env"), errors)
        .iter()
        .enumerate()
    {
        let path = format!("{path}.env[{i}]");
        let Entry {
            name,
            value,
            value_from,
        } = super::read(Some(entry), &path, errors);
        if OF_S3.contains(&name.as_str()) {
            warnings.push(format!(
                "{path}: `{name}` is set to reach the S3 server on this machine"
            ));
        } else if let Some(from) = value_from {
            if let Some(what) = needed_source(&from) {
                errors.push(
                    format!("{path}.valueFrom"),
                    format!("`{name}` comes from {what}, which needs a cluster: give it a `value`, or mark it `optional: true`"),
                );
            }
        } else if name.is_empty() || name.contains(['=', '\0']) {
            errors.push(format!("{path}.name"), "is no name of an environment variable");
        } else {
            variables.retain(|variable| variable.name != name);
            variables.push(Variable {
                name,
                value: value.unwrap_or_default(),
            });
        }
    }
    for (i, entry) in super::read::<Vec<Value>>(container.get("envFrom"), &format!("{path}.envFrom"), errors)
        .iter()
        .enumerate()
    {
        if let Some(what) = needed_source(entry) {
            errors.push(
                format!("{path}.envFrom[{i}]"),
                format!(
                    "is {what}, which needs a cluster: list the variables under `env`, or mark it `optional: true`"
                ),
            );
        }
    }
    variables
}

/// Where a value comes from, unless it may be missing.
fn needed_source(from: &Value) -> Option<String> {
    for (key, what) in [
        ("secretKeyRef", "the secret"),
        ("configMapKeyRef", "the config map"),
        ("secretRef", "the secret"),
        ("configMapRef", "the config map"),
    ] {
        if let Some(reference) = from.get(key) {
            let is_optional = reference.get("optional") == Some(&Value::Bool(true));
            let name = reference.get("name").and_then(Value::as_str).unwrap_or_default();
            return (!is_optional).then(|| format!("{what} `{name}`"));
        }
    }
    if has(from, "fieldRef") || has(from, "resourceFieldRef") {
        return Some("its pod".to_owned());
    }
    Some("something that is not known here".to_owned())
}

/// Kubernetes' own substitution in `command`, `args` and values: `$(NAME)` is the variable's value where there is one, `$$` is `$`.
pub(super) fn expand(text: &str, known: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let name = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        match name.and_then(|(name, after)| Some((known.iter().find(|(n, _)| n == name)?, after))) {
            Some(((_, value), after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}
