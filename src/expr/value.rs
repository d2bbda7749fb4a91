//! Between JSON and CEL's values, and the variables that an expression is evaluated over.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::{Map, Number, Value};

/// What an expression is evaluated over: variables by name, each any JSON. Numbers keep their kind (`1` is an int, `1.0` a double).
///
/// Cheap to clone: values are shared.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    values: BTreeMap<String, Arc<dyn Val>>,
}

impl Variables {
    /// Sets the variable `name`, e.g. `parameters`, to `value`, e.g. an object.
    pub fn set(&mut self, name: &str, value: &Value) {
        self.values.insert(name.to_owned(), Arc::from(from_json(value)));
    }

    /// Sets the variable `name` to an object of these fields, without building it as JSON first.
    pub fn set_object<'a>(&mut self, name: &str, fields: impl IntoIterator<Item = (&'a str, &'a Value)>) {
        let object: Arc<dyn Val> = Arc::new(object(fields));
        self.values.insert(name.to_owned(), object);
    }

    /// The variable's value.
    pub(super) fn get(&self, name: &str) -> Option<&dyn Val> {
        self.values.get(name).map(AsRef::as_ref)
    }
}

impl VariableResolver for Variables {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        self.values.get(variable).map(|value| CowVal::Borrowed(value.as_ref()))
    }
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, &'a Value)>) -> CelMap<'static> {
    let entries: HashMap<CelMapKey<'static>, Box<dyn Val>> = fields
        .into_iter()
        .map(|(name, value)| (CelMapKey::from(name.to_owned()), from_json(value)))
        .collect();
    CelMap::from(entries)
}

/// JSON as a CEL value: an integer is an `int` (a `uint` beyond its range), any other number a `double`.
fn from_json(value: &Value) -> Box<dyn Val> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Box::new(CelInt::from(value)),
            (None, Some(value)) => Box::new(CelUInt::from(value)),
            // With serde_json's own number type every other number is a double.
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(value) => Box::new(CelString::from(value.clone())),
        Value::Array(values) => Box::new(CelList::from(values.iter().map(from_json).collect::<Vec<_>>())),
        Value::Object(fields) => Box::new(object(fields.iter().map(|(name, value)| (name.as_str(), value)))),
    }
}

/// A CEL value as JSON.
///
/// # Errors
/// Where JSON has no such value: bytes, types, numbers that are not finite.
pub(super) fn to_json(value: &dyn Val) -> Result<Value, String> {
    if let Some(value) = value.downcast_ref::<CelBool>() {
        return Ok(Value::Bool(*value.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelInt>() {
        return Ok(Value::from(*value.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelUInt>() {
        return Ok(Value::from(*value.inner()));
    }
    if let Some(value) = value.downcast_ref::<CelDouble>() {
        let value = *value.inner();
        return Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| format!("the value is {}, which is not a finite number", not_finite(value)));
    }
    if let Some(value) = value.downcast_ref::<CelString>() {
        return Ok(Value::String(value.inner().to_owned()));
    }
    if value.downcast_ref::<CelNull>().is_some() {
        return Ok(Value::Null);
    }
    if let Some(list) = value.downcast_ref::<CelList>() {
        return list.inner().iter().map(|item| to_json(item.as_ref())).collect();
    }
    if let Some(map) = value.downcast_ref::<CelMap>() {
        let mut entries: Vec<_> = map.inner().iter().collect();
        // A hash map's order differs from run to run.
        entries.sort_by(|(a, _), (b, _)| compare_keys(a, b));
        let mut fields = Map::new();
        for (key, value) in entries {
            fields.insert(key_text(key), to_json(value.as_ref())?);
        }
        return Ok(Value::Object(fields));
    }
    Err(format!(
        "a value of type {} cannot be written as JSON",
        value.get_type().name()
    ))
}

/// How a person calls a double that is not finite.
fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "infinity"
    } else {
        "minus infinity"
    }
}

fn key_text(key: &CelMapKey<'_>) -> String {
    match key {
        CelMapKey::Bool(key) => key.inner().to_string(),
        CelMapKey::Int(key) => key.inner().to_string(),
        CelMapKey::UInt(key) => key.inner().to_string(),
        CelMapKey::String(key) => key.inner().to_owned(),
    }
}

/// An order over keys that does not depend on how a map stores them: kinds apart, then by value.
pub(super) fn compare_keys(a: &CelMapKey<'_>, b: &CelMapKey<'_>) -> std::cmp::Ordering {
    let rank = |key: &CelMapKey<'_>| match key {
        CelMapKey::Bool(key) => (0, i128::from(*key.inner())),
        CelMapKey::Int(key) => (1, i128::from(*key.inner())),
        CelMapKey::UInt(key) => (1, i128::from(*key.inner())),
        CelMapKey::String(_) => (2, 0),
    };
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (CelMapKey::String(a), CelMapKey::String(b)) => a.inner().cmp(b.inner()),
        _ => std::cmp::Ordering::Equal,
    })
}

/// A value as text: a string as it is, a number in its shortest form that reads back the same, `true`, other JSON compact.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,4}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_survives_the_way_through_cel(value in any_json()) {
            prop_assert_eq!(to_json(from_json(&value).as_ref()), Ok(value));
        }

        #[test]
        fn a_doubles_text_reads_back_the_same(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let back: f64 = text(&Value::from(value)).parse().unwrap();
            prop_assert_eq!(back.to_bits(), value.to_bits());
        }
    }

    #[test]
    fn text_is_what_a_command_line_wants() {
        for (value, expected) in [
            (json!(1e-7), "1e-7"),
            (json!(0.001), "0.001"),
            (json!(1.0), "1.0"),
            (json!(-3), "-3"),
            (json!("a b"), "a b"),
            (json!(true), "true"),
            (json!(null), "null"),
            (json!([1, "a"]), r#"[1,"a"]"#),
            (json!({"b": 1, "a": [true]}), r#"{"a":[true],"b":1}"#),
        ] {
            assert_eq!(text(&value), expected);
        }
    }
}
