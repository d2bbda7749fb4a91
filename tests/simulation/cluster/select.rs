//! Which objects a list or a watch is about.

use serde_json::Value;

use super::{answer::Refusal, route::Call};

/// Which objects are meant.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    namespace: Option<String>,
    name: Option<String>,
    labels: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum Condition {
    Has(String),
    HasNot(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

impl Selection {
    /// What a call asks for.
    pub fn read(call: &Call) -> Result<Self, Refusal> {
        let mut selection = Self {
            namespace: call.namespace.clone(),
            name: None,
            labels: Vec::new(),
        };
        for field in call.param("fieldSelector").split(',').filter(|f| !f.is_empty()) {
            match field.split_once('=').map(|(k, v)| (k, v.trim_start_matches('='))) {
                Some(("metadata.name", name)) => selection.name = Some(name.to_owned()),
                Some(("metadata.namespace", namespace)) => selection.namespace = Some(namespace.to_owned()),
                _ => return Err(Refusal::bad(format!("field label not supported: {field}"))),
            }
        }
        for condition in split(call.param("labelSelector")) {
            selection.labels.push(Condition::read(condition)?);
        }
        Ok(selection)
    }

    /// Whether it means this object.
    pub fn holds(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let is = |field: &str, wanted: &Option<String>| wanted.as_deref().is_none_or(|w| metadata[field] == w);
        is("namespace", &self.namespace)
            && is("name", &self.name)
            && self.labels.iter().all(|c| c.holds(&metadata["labels"]))
    }
}

/// The conditions of a label selector; commas in parentheses separate values.
fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|p| !p.is_empty());
    parts
}

impl Condition {
    fn read(text: &str) -> Result<Self, Refusal> {
        let list = |values: &str| -> Vec<String> {
            let inside = values.trim().trim_start_matches('(').trim_end_matches(')');
            inside.split(',').map(|v| v.trim().to_owned()).collect()
        };
        let key = |k: &str| k.trim().to_owned();
        let one = |v: &str| vec![v.trim().to_owned()];
        Ok(if let Some((k, v)) = text.split_once(" notin ") {
            Self::NotIn(key(k), list(v))
        } else if let Some((k, v)) = text.split_once(" in ") {
            Self::In(key(k), list(v))
        } else if let Some((k, v)) = text.split_once("!=") {
            Self::NotIn(key(k), one(v))
        } else if let Some((k, v)) = text.split_once("==").or_else(|| text.split_once('=')) {
            Self::In(key(k), one(v))
        } else if let Some(k) = text.strip_prefix('!') {
            Self::HasNot(key(k))
        } else if text.contains(char::is_whitespace) {
            return Err(Refusal::bad(format!("unable to parse requirement: {text}")));
        } else {
            Self::Has(key(text))
        })
    }

    fn holds(&self, labels: &Value) -> bool {
        let value = |key: &String| labels[key.as_str()].as_str();
        match self {
            Self::Has(key) => value(key).is_some(),
            Self::HasNot(key) => value(key).is_none(),
            Self::In(key, values) => value(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::NotIn(key, values) => value(key).is_none_or(|v| !values.iter().any(|w| w == v)),
        }
    }
}
