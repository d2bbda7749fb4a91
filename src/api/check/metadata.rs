//! What every Kubernetes object has: `apiVersion`, `kind`, `metadata`.

use serde_json::{Map, Value};

use super::{Requirements, walk};
use crate::api::FieldErrors;

const API_VERSION: &str = "hyperstudy.dev/v1alpha1";

/// What may stand in `metadata`, and whether it is a map of strings.
const FIELDS: [(&str, bool); 15] = [
    ("annotations", true),
    ("creationTimestamp", false),
    ("deletionGracePeriodSeconds", false),
    ("deletionTimestamp", false),
    ("finalizers", false),
    ("generateName", false),
    ("generation", false),
    ("labels", true),
    ("managedFields", false),
    ("name", false),
    ("namespace", false),
    ("ownerReferences", false),
    ("resourceVersion", false),
    ("selfLink", false),
    ("uid", false),
];

/// The object, where it says that it is of `kind`; otherwise nothing else about it is worth a word.
pub(super) fn kind<'a>(kind: &str, object: &'a Value, errors: &mut FieldErrors) -> Option<&'a Map<String, Value>> {
    let Value::Object(fields) = object else {
        errors.push(
            "",
            format!("this is {}, not an object of kind {kind}", walk::named(object)),
        );
        return None;
    };
    for (field, expected) in [("apiVersion", API_VERSION), ("kind", kind)] {
        match fields.get(field) {
            Some(Value::String(given)) if given == expected => {}
            Some(Value::String(given)) => errors.push(field, format!("has to be `{expected}`, not `{given}`")),
            Some(Value::Null) | None => errors.push(field, format!("is missing: write `{field}: {expected}`")),
            Some(other) => errors.push(field, format!("has to be `{expected}`, not {}", walk::named(other))),
        }
    }
    errors.0.is_empty().then_some(fields)
}

/// Checks `metadata` and gives the name that rules see; `None` where there is none.
pub(super) fn name(
    object: &Map<String, Value>,
    requirements: Requirements,
    errors: &mut FieldErrors,
) -> Option<String> {
    let missing = "is missing: give the object a name";
    let metadata = match object.get("metadata") {
        Some(Value::Object(metadata)) => metadata,
        Some(Value::Null) | None => {
            errors.push("metadata.name", missing);
            return None;
        }
        Some(other) => {
            errors.push("metadata", format!("has to be an object, not {}", walk::named(other)));
            return None;
        }
    };
    let mut name = None;
    for (field, value) in metadata {
        let path = format!("metadata.{field}");
        match FIELDS.iter().find(|(known, _)| known == field) {
            None => errors.push(path, walk::unknown(field, FIELDS.iter().map(|(known, _)| *known)).0),
            Some((_, true)) => strings(&path, value, errors),
            Some(("name", _)) => match value {
                Value::String(given) => name = Some(given.clone()),
                Value::Null => {}
                other => {
                    errors.push(path, format!("has to be a string, not {}", walk::named(other)));
                    return None;
                }
            },
            Some(("namespace" | "generateName", _)) if !matches!(value, Value::String(_) | Value::Null) => {
                errors.push(path, format!("has to be a string, not {}", walk::named(value)));
            }
            Some(_) => {}
        }
    }
    if name.is_some() {
        return name;
    }
    match metadata.get("generateName") {
        // The API server puts five letters and digits behind it.
        Some(Value::String(start)) if requirements == Requirements::Cluster => Some(format!("{start}xxxxx")),
        _ => {
            errors.push("metadata.name", missing);
            None
        }
    }
}

/// Labels and annotations.
fn strings(path: &str, value: &Value, errors: &mut FieldErrors) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if !value.is_string() {
                    errors.push(
                        walk::below(path, key),
                        format!("has to be a string, not {}: put it in quotes", walk::named(value)),
                    );
                }
            }
        }
        Value::Null => {}
        other => errors.push(path, format!("has to be an object, not {}", walk::named(other))),
    }
}
