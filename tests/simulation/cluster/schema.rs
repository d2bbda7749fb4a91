//! What the CustomResourceDefinitions of the two kinds do to their objects: unknown fields go, defaults come, rules refuse.

use std::{cell::RefCell, collections::HashMap, sync::OnceLock};

use hyperstudy::api::{FieldErrors, check, schema::crds};
use serde_json::{Map, Value};

use super::kinds::Kind;

/// How a list is merged when it is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// As a whole.
    Atomic,
    /// Item by item, told apart by these fields.
    Keys(Vec<String>),
    /// Item by item, each its own key.
    Set,
}

/// A part of a kind's schema; `None` where nothing is known.
pub type Node = Option<&'static Value>;

/// The schema of a kind; none for those that take anything.
pub fn of(kind: &Kind) -> Node {
    static SCHEMAS: OnceLock<Vec<(String, Value)>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        let crds = crds().into_iter();
        crds.map(|crd| {
            let value = serde_json::to_value(&crd).unwrap();
            let schema = value.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned();
            (crd.spec.names.kind, schema.unwrap_or_default())
        })
        .collect()
    });
    schemas
        .iter()
        .find(|(name, _)| *name == kind.kind)
        .map(|(_, schema)| schema)
}

/// The schema of a field.
pub fn field(node: Node, name: &str) -> Node {
    let node = node?;
    node["properties"]
        .get(name)
        .or_else(|| node.get("additionalProperties"))
}

/// The schema of a list's items.
pub fn items(node: Node) -> Node {
    node?.get("items")
}

/// How a list at this place is merged; `path` knows what is the same for all kinds.
pub fn merge(node: Node, path: &[String]) -> Merge {
    match path {
        [metadata, finalizers] if metadata == "metadata" && finalizers == "finalizers" => return Merge::Set,
        [metadata, owners] if metadata == "metadata" && owners == "ownerReferences" => {
            return Merge::Keys(vec!["uid".to_owned()]);
        }
        _ => {}
    }
    let Some(node) = node else { return Merge::Atomic };
    match node["x-kubernetes-list-type"].as_str() {
        Some("set") => Merge::Set,
        Some("map") => {
            let keys = node["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
            Merge::Keys(keys.filter_map(|k| k.as_str().map(str::to_owned)).collect())
        }
        _ => Merge::Atomic,
    }
}

/// Removes what the schema does not know, and adds its defaults.
pub fn tidy(kind: &Kind, object: &mut Value) {
    let Some(root) = of(kind) else { return };
    if let Value::Object(fields) = object {
        fields.retain(|name, _| {
            matches!(name.as_str(), "apiVersion" | "kind" | "metadata") || root["properties"].get(name).is_some()
        });
        for (name, value) in fields.iter_mut().filter(|(name, _)| *name != "metadata") {
            if let Some(node) = root["properties"].get(name) {
                walk(node, value);
            }
        }
    }
}

fn walk(node: &'static Value, value: &mut Value) {
    let untyped = node["x-kubernetes-preserve-unknown-fields"] == true;
    match value {
        Value::Object(fields) => {
            let additional = node.get("additionalProperties");
            let known = node["properties"].as_object();
            if let Some(known) = known {
                // A null where there is a default, or where null means nothing, is as good as nothing.
                fields.retain(|name, value| match known.get(name) {
                    Some(field) => !(value.is_null() && field.get("type").is_some() && field["nullable"] != true),
                    None => untyped || additional.is_some(),
                });
                for (name, field) in known {
                    if let Some(default) = field.get("default") {
                        fields.entry(name.clone()).or_insert_with(|| default.clone());
                    }
                }
            } else if !untyped && additional.is_none() {
                fields.clear();
            }
            for (name, value) in fields.iter_mut() {
                if let Some(field) = known.and_then(|k| k.get(name)).or(additional) {
                    walk(field, value);
                }
            }
        }
        Value::Array(items) => {
            if let Some(node) = node.get("items") {
                items.iter_mut().for_each(|item| walk(node, item));
            }
        }
        _ => {}
    }
}

/// Why an object may not be as it is, by the rules of its kind; `old` is what it replaces, and `status` whether that alone is written.
pub fn wrong(kind: &Kind, old: Option<&Value>, new: &Value, status: bool) -> Option<String> {
    match (kind.kind, old) {
        ("HyperparameterStudy", None) => told(check::check_study(new, check::Requirements::Cluster)),
        ("HyperparameterTrial", None) => told(check::check_trial(new)),
        ("HyperparameterStudy" | "HyperparameterTrial", Some(old)) if status => wrong_status(old, new),
        ("HyperparameterStudy" | "HyperparameterTrial", Some(old)) if old["spec"] == new["spec"] => {
            unchanged(kind, new)
        }
        ("HyperparameterStudy" | "HyperparameterTrial", Some(old)) => {
            told(without_status(check::check_update(old, new)))
        }
        _ => None,
    }
}

fn told(errors: FieldErrors) -> Option<String> {
    (!errors.0.is_empty()).then(|| errors.to_string())
}

fn without_status(mut errors: FieldErrors) -> FieldErrors {
    errors.0.retain(|error| !error.path.starts_with("status"));
    errors
}

/// What is wrong with a status. What is not written, the rest, stays as it is, good or bad: no rule looks from there at the status.
fn wrong_status(old: &Value, new: &Value) -> Option<String> {
    let bare = |object: &Value| {
        let fields = ["apiVersion", "kind", "metadata", "status"].map(|name| (name, &object[name]));
        let mut bare: Value = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        bare["spec"] = Value::Object(Map::new());
        bare
    };
    let mut errors = check::check_update(&bare(old), &bare(new));
    errors.0.retain(|error| error.path.starts_with("status"));
    told(errors)
}

thread_local! {
    static JUDGED: RefCell<HashMap<String, Option<String>>> = RefCell::default();
}

/// What is wrong with an object whose spec stays what it is: the same each time, and most writes are of this sort.
fn unchanged(kind: &Kind, object: &Value) -> Option<String> {
    let what = format!("{} {} {}", kind.kind, object["metadata"]["name"], object["spec"]);
    let known = JUDGED.with_borrow(|judged| judged.get(&what).cloned());
    known.unwrap_or_else(|| {
        let wrong = told(without_status(check::check_update(object, object)));
        JUDGED.with_borrow_mut(|judged| judged.insert(what, wrong.clone()));
        wrong
    })
}
