//! A structural schema, read once into what the walk needs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::rule::Rule;

/// The schema of one value.
#[derive(Debug)]
pub(super) struct Node {
    /// What the value is.
    pub shape: Shape,
    /// Whether null is a value like others.
    pub nullable: bool,
    /// What stands for it where it is left out.
    pub default: Option<Value>,
    /// The rules that stand here.
    pub rules: Vec<Rule>,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Shape {
    /// Any JSON.
    Any,
    /// True or false.
    Boolean,
    /// A whole number between bounds.
    Integer(Bounds<i64>),
    /// A number between bounds.
    Number(Bounds<f64>),
    /// A string: its length, and its choices where they are few.
    Text {
        length: Bounds<usize>,
        choices: Vec<String>,
    },
    /// A point in time.
    Time,
    /// A list.
    List {
        items: Box<Node>,
        length: Bounds<usize>,
        /// The field by which items differ; none where they need not.
        key: Option<String>,
    },
    /// An object with known fields, some of them required, exactly one of some of them given.
    Object {
        fields: BTreeMap<String, Node>,
        required: Vec<String>,
        one_of: Vec<String>,
    },
    /// An object with any keys.
    Map { values: Box<Node>, most: usize },
}

/// The least and the greatest, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<T> {
    pub least: Option<T>,
    pub most: Option<T>,
}

impl Node {
    /// Reads a schema.
    pub fn new(schema: &Value) -> Self {
        let list = |key: &str| schema.get(key).and_then(Value::as_array).into_iter().flatten();
        let strings = |key: &str| {
            list(key)
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let size = |key: &str| schema.get(key).and_then(Value::as_f64).map(|n| n as usize);
        let number = |key: &str| schema.get(key).and_then(Value::as_f64);
        let sizes = |least: &str, most: &str| Bounds {
            least: size(least),
            most: size(most),
        };
        let shape = match schema.get("type").and_then(Value::as_str) {
            Some("boolean") => Shape::Boolean,
            Some("integer") => Shape::Integer(Bounds {
                least: number("minimum").map(|n| n as i64),
                most: number("maximum").map(|n| n as i64),
            }),
            Some("number") => Shape::Number(Bounds {
                least: number("minimum"),
                most: number("maximum"),
            }),
            Some("string") if schema.get("format").and_then(Value::as_str) == Some("date-time") => Shape::Time,
            Some("string") => Shape::Text {
                length: sizes("minLength", "maxLength"),
                choices: strings("enum"),
            },
            Some("array") => Shape::List {
                items: Box::new(schema.get("items").map_or_else(Self::any, Self::new)),
                length: sizes("minItems", "maxItems"),
                key: strings("x-kubernetes-list-map-keys").into_iter().next(),
            },
            Some("object") => match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => Shape::Map {
                    values: Box::new(Self::new(values)),
                    most: size("maxProperties").unwrap_or(usize::MAX),
                },
                _ => Shape::Object {
                    one_of: if size("minProperties") == Some(1) && size("maxProperties") == Some(1) {
                        let fields = schema.get("properties").and_then(Value::as_object);
                        fields.into_iter().flat_map(|fields| fields.keys().cloned()).collect()
                    } else {
                        list("oneOf")
                            .filter_map(|branch| branch.pointer("/required/0")?.as_str())
                            .map(str::to_owned)
                            .collect()
                    },
                    fields: schema
                        .get("properties")
                        .and_then(Value::as_object)
                        .into_iter()
                        .flatten()
                        .map(|(name, schema)| (name.clone(), Self::new(schema)))
                        .collect(),
                    required: strings("required"),
                },
            },
            _ => Shape::Any,
        };
        Self {
            shape,
            nullable: schema.get("nullable") == Some(&Value::Bool(true)),
            default: schema.get("default").cloned(),
            rules: list("x-kubernetes-validations").filter_map(Rule::new).collect(),
        }
    }

    fn any() -> Self {
        Self {
            shape: Shape::Any,
            nullable: true,
            default: None,
            rules: Vec::new(),
        }
    }
}
