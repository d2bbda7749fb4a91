//! A rule of the schema: CEL over `self` and, on an update, `oldSelf`.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use cel::{Context, Env, Program, objects::Key};
use serde_json::Value;

use super::node::{Node, Shape};

/// A compiled rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// Its text.
    pub text: String,
    /// What to do where it does not hold.
    message: String,
    /// The field that is to blame, below the place of the rule; empty for the place itself.
    pub field: String,
    /// Whether it compares with the old value: then it says nothing about a new object.
    pub on_update: bool,
    program: Option<Program>,
}

fn env() -> &'static Arc<Env> {
    static ENV: OnceLock<Arc<Env>> = OnceLock::new();
    ENV.get_or_init(|| {
        let mut env = Env::stdlib();
        // Kubernetes has these functions. A rule that misses one does not compile, which a test would see.
        let _ = env.add_extension(cel::extensions::strings);
        Arc::new(env)
    })
}

impl Rule {
    /// Reads an entry of `x-kubernetes-validations`.
    pub fn new(entry: &Value) -> Option<Self> {
        let text = entry.get("rule")?.as_str()?.to_owned();
        let string = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self {
            message: string("message"),
            field: string("fieldPath").trim_start_matches('.').to_owned(),
            on_update: text.contains("oldSelf"),
            program: env().compile(&text).ok(),
            text,
        })
    }

    /// Whether it can be evaluated here.
    #[cfg(test)]
    pub fn compiles(&self) -> bool {
        self.program.is_some()
    }

    /// What to do, where the rule does not hold of `new`.
    pub fn broken(&self, new: &cel::Value, old: Option<&cel::Value>) -> Option<String> {
        let Some(program) = &self.program else {
            return Some(format!("the rule `{}` cannot be read; {}", self.text, self.message));
        };
        let mut context = Context::with_env(Arc::clone(env()));
        context.add_variable_from_value("self", new.clone());
        if let Some(old) = old {
            context.add_variable_from_value("oldSelf", old.clone());
        }
        match program.execute(&context) {
            Ok(cel::Value::Bool(true)) => None,
            Ok(cel::Value::Bool(false)) => Some(self.message.clone()),
            // As the API server does, which refuses what a rule cannot judge.
            Ok(_) | Err(_) => Some(format!("a rule cannot be judged here; {}", self.message)),
        }
    }
}

/// A value as rules see it: typed by its schema, its nulls left out and its defaults filled in, as the API server stores it.
pub(super) fn stored(node: &Node, value: &Value) -> cel::Value {
    match (&node.shape, value) {
        (Shape::Number(_), Value::Number(n)) => cel::Value::Float(n.as_f64().unwrap_or_default()),
        (Shape::List { items, .. }, Value::Array(list)) => {
            cel::Value::List(Arc::new(list.iter().map(|item| stored(items, item)).collect()))
        }
        (Shape::Map { values, .. }, Value::Object(entries)) => {
            map(entries.iter().map(|(key, value)| (key.clone(), stored(values, value))))
        }
        (Shape::Object { fields, .. }, Value::Object(given)) => map(fields.iter().filter_map(|(name, field)| {
            let value = given.get(name).filter(|v| field.nullable || !v.is_null());
            let value = value.or(field.default.as_ref())?;
            Some((name.clone(), stored(field, value)))
        })),
        _ => plain(value),
    }
}

/// JSON that no schema types.
fn plain(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(b) => cel::Value::Bool(*b),
        Value::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => cel::Value::Int(n),
            (None, Some(n)) => cel::Value::UInt(n),
            (None, None) => cel::Value::Float(n.as_f64().unwrap_or_default()),
        },
        Value::String(s) => cel::Value::String(Arc::new(s.clone())),
        Value::Array(list) => cel::Value::List(Arc::new(list.iter().map(plain).collect())),
        Value::Object(fields) => map(fields.iter().map(|(key, value)| (key.clone(), plain(value)))),
    }
}

/// A CEL map.
pub(super) fn map(entries: impl Iterator<Item = (String, cel::Value)>) -> cel::Value {
    let map: HashMap<Key, cel::Value> = entries
        .map(|(key, value)| (Key::String(Arc::new(key)), value))
        .collect();
    cel::Value::Map(cel::objects::Map { map: Arc::new(map) })
}
