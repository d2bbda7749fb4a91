//! Cases: what is changed in a good object, and what is said about it.

use std::collections::BTreeSet;

use hyperstudy::api::FieldErrors;
use kube::Error;
use serde_json::{Value, json};

/// A good study.
pub fn study() -> Value {
    json!({
        "apiVersion": "hyperstudy.dev/v1alpha1",
        "kind": "HyperparameterStudy",
        "metadata": {"name": "injection-molding", "namespace": "default"},
        "spec": {
            "objectives": [{"metric": "mean_squared_error", "goal": "Minimize"}],
            "parameters": [
                {"name": "lr", "double": {"min": 1e-7, "max": 0.1, "scale": "Log"}},
                {"name": "units", "int": {"min": 8, "max": 64, "step": 8}}
            ],
            "algorithm": {"sampler": {"random": {}}},
            "budget": {"trials": 10},
            "trial": {"workflowTemplateRef": {"name": "ffnn"}},
            "storage": {"outputPath": "s3://ml-data/runs"}
        }
    })
}

/// A change that is refused.
pub struct Case {
    /// What stands where, by JSON pointer; null takes away, `-` at the end appends.
    pub change: Value,
    /// The path of each error, and part of its message here. The API server names the path too, and where the message is a rule's
    /// it says the same.
    pub says: Vec<(String, String)>,
}

impl Case {
    /// A change that breaks one thing.
    pub fn new(change: Value, path: &str, says: &str) -> Self {
        Self {
            change,
            says: vec![(path.to_owned(), says.to_owned())],
        }
    }
}

/// `object` with `change` made in it.
pub fn with(object: &Value, change: &Value) -> Value {
    let mut object = object.clone();
    for (path, value) in change.as_object().unwrap() {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let missing = format!("{path}: there is no {parent}");
        match object.pointer_mut(parent).expect(&missing) {
            Value::Object(fields) if value.is_null() => {
                fields.remove(name);
            }
            Value::Object(fields) => {
                fields.insert(name.to_owned(), value.clone());
            }
            Value::Array(items) if name == "-" => items.push(value.clone()),
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            other => panic!("{path}: {other} has no fields"),
        }
    }
    object
}

/// The messages of all rules in a kind's schema.
pub fn rules_of(kind: &str) -> BTreeSet<String> {
    let crds = hyperstudy::api::schema::crds();
    let crd = crds.iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let mut messages = BTreeSet::new();
    collect(&serde_json::to_value(crd).unwrap(), &mut messages);
    messages
}

fn collect(value: &Value, messages: &mut BTreeSet<String>) {
    for rule in value
        .get("x-kubernetes-validations")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        messages.insert(rule["message"].as_str().unwrap().to_owned());
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|v| collect(v, messages)),
        Value::Array(items) => items.iter().for_each(|v| collect(v, messages)),
        _ => {}
    }
}

/// Holds what was said here and what the API server said against the case and against each other; says how they differ.
fn compare(case: &Case, here: &FieldErrors, there: Result<Value, Error>, kind: &str) -> Option<String> {
    let Case { change, says } = case;
    let found: Vec<_> = here.0.iter().map(|e| (e.path.clone(), e.message.clone())).collect();
    let is_said = |(path, part): &(String, String)| found.iter().any(|(p, m)| p == path && m.contains(part.as_str()));
    if found.len() != says.len() || !says.iter().all(is_said) {
        return Some(format!("{change}\n  here: {here}\n  expected: {says:?}"));
    }
    let status = match there {
        Err(Error::Api(status)) if status.code == 422 => status,
        Err(e) => return Some(format!("{change}\n  the API server fails: {e}")),
        Ok(_) => return Some(format!("{change}\n  the API server takes it; here: {here}")),
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let causes: Vec<_> = causes.map(|c| (place(&c.field), c.message.clone())).collect();

    let rules = rules_of(kind);
    let rule = |message: &str| rules.iter().find(|r| message.ends_with(r.as_str())).cloned();
    let broken = |said: &[(String, String)]| -> BTreeSet<(String, String)> {
        said.iter()
            .filter_map(|(path, message)| Some((path.clone(), rule(message)?)))
            .collect()
    };
    let unfinished = causes
        .iter()
        .any(|(_, m)| m.contains("some validation rules were not checked"));
    if !unfinished && broken(&found) != broken(&causes) {
        return Some(format!("{change}\n  here: {here}\n  there: {}", status.message));
    }
    let is_named = |path: &str| {
        // Of `oneOf` it says the path in the message only.
        let quoted = format!("\"{path}\"");
        causes
            .iter()
            .any(|(field, m)| field == path || path.starts_with(&format!("{field}.")) || m.contains(&quoted))
    };
    found
        .iter()
        .find(|(path, message)| rule(message).is_none() && !is_named(path))
        .map(|(path, _)| format!("{change}\n  nothing there about {path}: {}", status.message))
}

/// What went wrong in a table of cases: all of it is told when this is dropped.
#[derive(Default)]
pub struct Wrong(Vec<String>);

impl Wrong {
    /// A case that has to be refused, here and there alike.
    pub fn refused(&mut self, case: &Case, here: &FieldErrors, there: Result<Value, Error>, kind: &str) {
        self.0.extend(compare(case, here, there, kind));
    }

    /// A change that has to be taken, here and there; gives what is stored then.
    pub fn taken(&mut self, change: &Value, here: &FieldErrors, there: Result<Value, Error>) -> Option<Value> {
        if !here.0.is_empty() {
            self.0.push(format!("{change}\n  here: {here}"));
        }
        match there {
            Ok(stored) => Some(stored),
            Err(e) => {
                self.0.push(format!("{change}\n  there: {e}"));
                None
            }
        }
    }
}

impl Drop for Wrong {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{} wrong:\n{}", self.0.len(), self.0.join("\n"));
        }
    }
}

/// A path as the API server writes it, as it is written here.
fn place(field: &str) -> String {
    match field {
        "" | "<nil>" => "metadata.name".to_owned(),
        field => field.to_owned(),
    }
}

/// A table's cell as text where it is a number.
pub fn loose(cell: Value) -> Value {
    match cell {
        Value::Number(n) => json!(n.to_string()),
        other => other,
    }
}
