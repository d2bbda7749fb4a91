//! The walk over an object along its schema.

use std::{collections::BTreeMap, fmt::Display};

use serde_json::{Map, Value};

use super::{
    Requirements, metadata,
    node::{Bounds, Node, Shape},
    rule,
};
use crate::api::FieldErrors;

/// How deep any JSON may be nested: what is read back from where it was written may have 128 levels in all.
const MOST_LEVELS: usize = 64;

/// A walk, and what it found.
pub(super) struct Walk<'a> {
    /// Paths of required fields that may be left out.
    pub optional: &'a [&'a str],
    /// What is wrong.
    pub errors: &'a mut FieldErrors,
}

/// Whether rules above a value can look at it: not where something is missing or of the wrong type, which is then the one cause.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sound {
    Yes,
    No,
}

impl Walk<'_> {
    /// The whole object.
    pub fn root(&mut self, node: &Node, object: &Map<String, Value>, old: Option<&Value>, requirements: Requirements) {
        let Shape::Object { fields, .. } = &node.shape else {
            return;
        };
        let known = ["apiVersion", "kind", "metadata", "spec", "status"];
        for field in object.keys().filter(|field| !known.contains(&field.as_str())) {
            self.errors.push(field, unknown(field, known.into_iter()).0);
        }
        let name = metadata::name(object, requirements, self.errors);
        let (Some(spec), Some(schema)) = (object.get("spec").filter(|s| !s.is_null()), fields.get("spec")) else {
            if fields.contains_key("spec") {
                self.errors.push("spec", MISSING);
            }
            return;
        };
        let sound = self.value(schema, "spec", spec, old.and_then(|old| old.get("spec")));
        if let (Some(schema), Some(status)) = (fields.get("status"), object.get("status").filter(|s| !s.is_null())) {
            self.value(schema, "status", status, None);
        }
        let (Some(name), Sound::Yes) = (name, sound) else {
            return;
        };
        // The status is the API server's: it stays as it is whatever the file says.
        let whole = |object: &Map<String, Value>, name: &str, status: Option<&Value>| {
            let metadata = rule::map([("name".to_owned(), cel::Value::from(name))].into_iter());
            let field = |key: &str, value: Option<&Value>| {
                let (node, value) = (fields.get(key)?, value.filter(|v| !v.is_null())?);
                Some((key.to_owned(), rule::stored(node, value)))
            };
            let entries = [
                Some(("metadata".to_owned(), metadata)),
                field("spec", object.get("spec")),
                field("status", status),
            ];
            rule::map(entries.into_iter().flatten())
        };
        let status = old.and_then(|old| old.get("status"));
        let new = whole(object, &name, status);
        let old = old.and_then(Value::as_object).map(|old| whole(old, &name, status));
        self.rules(node, "", &new, old.as_ref());
    }

    /// One value and all in it; `old` is what it was, on an update.
    fn value(&mut self, node: &Node, path: &str, value: &Value, old: Option<&Value>) -> Sound {
        if value.is_null() && !node.nullable {
            self.errors
                .push(path, "has no value: give it one, or leave the field out");
            return Sound::No;
        }
        let sound = match (&node.shape, value) {
            (Shape::Any, value) if is_deeper(value, MOST_LEVELS) => {
                self.errors.push(
                    path,
                    format!("is nested deeper than {MOST_LEVELS} levels: make it flatter"),
                );
                Sound::No
            }
            (Shape::Any, _) | (Shape::Boolean, Value::Bool(_)) => Sound::Yes,
            (Shape::Integer(bounds), Value::Number(n)) if whole(n).is_some() => {
                self.bounds(path, whole(n).unwrap_or_default(), *bounds)
            }
            (Shape::Number(bounds), Value::Number(n)) => self.bounds(path, n.as_f64().unwrap_or_default(), *bounds),
            (Shape::Text { length, choices }, Value::String(text)) => self.text(path, text, *length, choices),
            (Shape::Time, Value::String(text)) if text.parse::<jiff::Timestamp>().is_ok() => Sound::Yes,
            (Shape::List { items, length, key }, Value::Array(list)) => {
                self.list(path, items, *length, key.as_deref(), list)
            }
            (Shape::Map { values, most }, Value::Object(entries)) => self.map(path, values, *most, entries),
            (Shape::Object { .. }, Value::Object(given)) => self.object(node, path, given, old),
            (shape, value) => {
                self.errors.push(path, wrong_type(shape, value));
                Sound::No
            }
        };
        // An object's rules have been looked at with its fields' names mended.
        if sound == Sound::Yes && !node.rules.is_empty() && !matches!(node.shape, Shape::Object { .. }) {
            let old = old.map(|old| rule::stored(node, old));
            self.rules(node, path, &rule::stored(node, value), old.as_ref());
        }
        sound
    }

    fn rules(&mut self, node: &Node, path: &str, new: &cel::Value, old: Option<&cel::Value>) {
        for rule in node.rules.iter().filter(|rule| old.is_some() || !rule.on_update) {
            if let Some(message) = rule.broken(new, old) {
                let at = match (path, rule.field.as_str()) {
                    // The schema cannot name this field, as it has no `metadata`.
                    ("", "") => "metadata.name".to_owned(),
                    (path, "") => path.to_owned(),
                    ("", field) => field.to_owned(),
                    (path, field) => format!("{path}.{field}"),
                };
                self.errors.push(at, message);
            }
        }
    }

    fn bounds<T: Copy + PartialOrd + Display>(&mut self, path: &str, n: T, bounds: Bounds<T>) -> Sound {
        if let Some(least) = bounds.least.filter(|least| n < *least) {
            self.errors.push(path, format!("has to be at least {least}, not {n}"));
        }
        if let Some(most) = bounds.most.filter(|most| n > *most) {
            self.errors.push(path, format!("may be at most {most}, not {n}"));
        }
        Sound::Yes
    }

    fn text(&mut self, path: &str, text: &str, length: Bounds<usize>, choices: &[String]) -> Sound {
        if !choices.is_empty() && !choices.iter().any(|c| c == text) {
            let hint = nearest(text, choices.iter().map(String::as_str))
                .map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
            let all = choices.join(", ");
            self.errors.push(path, format!("`{text}` is not one of {all}{hint}"));
            return Sound::No;
        }
        let count = text.chars().count();
        if length.least.is_some_and(|least| count < least) {
            self.errors.push(path, "may not be empty");
            return Sound::No;
        }
        if let Some(most) = length.most.filter(|most| count > *most) {
            self.errors
                .push(path, format!("may have at most {most} characters, not {count}"));
            return Sound::No;
        }
        Sound::Yes
    }

    fn list(&mut self, path: &str, items: &Node, length: Bounds<usize>, key: Option<&str>, list: &[Value]) -> Sound {
        let count = list.len();
        let most = length.most.unwrap_or(usize::MAX);
        if length.least.is_some_and(|least| count < least) {
            self.errors.push(path, "may not be empty");
            return Sound::No;
        }
        if count > most {
            let items = if most == 1 { "item" } else { "items" };
            self.errors
                .push(path, format!("may have at most {most} {items}, not {count}"));
            return Sound::No;
        }
        let mut sound = Sound::Yes;
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for (i, item) in list.iter().enumerate() {
            if self.value(items, &format!("{path}[{i}]"), item, None) == Sound::No {
                sound = Sound::No;
            }
            let Some(key) = key else { continue };
            let Some(name) = item.get(key).and_then(Value::as_str) else {
                continue;
            };
            if let Some(first) = seen.get(name) {
                let message =
                    format!("`{name}` is there twice, first as {path}[{first}]: each `{key}` may be used once");
                self.errors.push(format!("{path}[{i}].{key}"), message);
            } else {
                seen.insert(name, i);
            }
        }
        sound
    }

    fn map(&mut self, path: &str, values: &Node, most: usize, entries: &Map<String, Value>) -> Sound {
        let count = entries.len();
        if count > most {
            self.errors
                .push(path, format!("may have at most {most} entries, not {count}"));
            return Sound::No;
        }
        let mut sound = Sound::Yes;
        for (key, value) in entries {
            if self.value(values, &below(path, key), value, None) == Sound::No {
                sound = Sound::No;
            }
        }
        sound
    }

    fn object(&mut self, node: &Node, path: &str, given: &Map<String, Value>, old: Option<&Value>) -> Sound {
        let Shape::Object {
            fields,
            required,
            one_of,
        } = &node.shape
        else {
            return Sound::Yes;
        };
        // A misspelt field is taken for the one that was meant, so that it is not missed as well.
        let mut mended: Map<String, Value> = Map::new();
        let mut misspelt: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, value) in given {
            if fields.contains_key(name) {
                mended.insert(name.clone(), value.clone());
            }
        }
        for (name, value) in given.iter().filter(|(name, _)| !fields.contains_key(*name)) {
            let (message, meant) = unknown(name, fields.keys().map(String::as_str));
            self.errors.push(below(path, name), message);
            if let Some(meant) = meant.filter(|meant| !mended.contains_key(*meant)) {
                mended.insert(meant.to_owned(), value.clone());
                misspelt.insert(meant, name);
            }
        }
        let mut sound = Sound::Yes;
        for (name, field) in fields {
            let at = below(path, misspelt.get(name.as_str()).copied().unwrap_or(name));
            let found = match mended.get(name) {
                Some(value) => self.value(field, &at, value, old.and_then(|old| old.get(name))),
                None if required.contains(name) && !self.optional.contains(&at.as_str()) => {
                    self.errors.push(at, MISSING);
                    Sound::No
                }
                None => Sound::Yes,
            };
            if found == Sound::No {
                sound = found;
            }
        }
        if sound == Sound::No {
            return sound;
        }
        let new = rule::stored(node, &Value::Object(mended.clone()));
        let old = old.map(|old| rule::stored(node, old));
        let before = self.errors.0.len();
        self.rules(node, path, &new, old.as_ref());
        let count = one_of.iter().filter(|name| mended.contains_key(*name)).count();
        if !one_of.is_empty() && count != 1 && self.errors.0.len() == before {
            let names: Vec<_> = one_of.iter().map(|name| format!("`{name}`")).collect();
            let names = names.join(", ");
            let message = if count == 0 {
                format!("something is missing: give one of {names}")
            } else {
                format!("give exactly one of {names}")
            };
            self.errors.push(path, message);
            return Sound::No;
        }
        sound
    }
}

const MISSING: &str = "is missing: this field is required";

/// A number without a fraction.
fn whole(n: &serde_json::Number) -> Option<i64> {
    n.as_i64()
}

/// What a value should have been, and what it is.
fn wrong_type(shape: &Shape, value: &Value) -> String {
    let wanted = match shape {
        Shape::Any => "a value",
        Shape::Boolean => "true or false",
        Shape::Integer(_) => "a whole number",
        Shape::Number(_) => "a number",
        Shape::Text { .. } => "a string",
        Shape::Time => "a time like 2026-01-31T12:00:00Z",
        Shape::List { .. } => "a list",
        Shape::Object { .. } | Shape::Map { .. } => "an object",
    };
    let hint = match (shape, value) {
        (Shape::Integer(_) | Shape::Number(_) | Shape::Boolean, Value::String(text)) => {
            if text.parse::<f64>().is_ok() || text == "true" || text == "false" {
                ": write it without quotes"
            } else if matches!(text.as_str(), "yes" | "no" | "on" | "off") {
                ": write true or false"
            } else {
                ""
            }
        }
        (Shape::Text { .. }, Value::Number(_) | Value::Bool(_)) => ": put it in quotes",
        (Shape::List { .. }, _) => ": write its items with `- ` or in `[ ]`",
        _ => "",
    };
    format!("has to be {wanted}, not {}{hint}", named(value))
}

/// Whether `value` has more than `levels` levels of lists and objects.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let left = levels.checked_sub(1);
    match value {
        Value::Array(items) => left.is_none_or(|left| items.iter().any(|item| is_deeper(item, left))),
        Value::Object(fields) => left.is_none_or(|left| fields.values().any(|field| is_deeper(field, left))),
        _ => false,
    }
}

/// What a value is, for people.
pub(super) fn named(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(text) if text.chars().count() <= 40 => format!("the string `{text}`"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// What to say of an unknown field, and which one was meant.
pub(super) fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> (String, Option<&'a str>) {
    match nearest(name, known.clone()) {
        Some(near) => (format!("unknown field `{name}`: did you mean `{near}`?"), Some(near)),
        None => {
            let known: Vec<_> = known.map(|name| format!("`{name}`")).collect();
            let message = match known.as_slice() {
                [] => format!("unknown field `{name}`: nothing can be set here"),
                known => format!("unknown field `{name}`: known are {}", known.join(", ")),
            };
            (message, None)
        }
    }
}

/// The candidate that `name` is most likely a misspelling of.
fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let simple = |text: &str| text.to_lowercase().replace(['_', '-', ' '], "");
    let wanted = simple(name);
    let most = (wanted.chars().count() / 3).max(1);
    candidates
        // What differs more in length is none; comparing takes as much memory as both lengths multiplied.
        .filter(|candidate| simple(candidate).chars().count().abs_diff(wanted.chars().count()) <= most)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &simple(candidate)), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The path of the field `name` of what is at `path`.
pub(super) fn below(path: &str, name: &str) -> String {
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        format!("{path}.{name}")
    } else {
        format!("{path}[{name:?}]")
    }
}
