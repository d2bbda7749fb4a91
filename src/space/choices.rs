//! The values of an `ordinal` or `categorical`: any JSON, found again by what they are.

use std::{borrow::Cow, collections::HashMap};

use serde_json::{Number, Value};

use super::lattice::EXACT;

/// Few enough values to compare one by one.
const FEW: usize = 16;

/// A list of different JSON values.
#[derive(Debug)]
pub(super) struct Choices {
    values: Box<[Value]>,
    /// Each value's index by its canonical form, where there are many.
    index: HashMap<Value, u32>,
}

impl Choices {
    /// `values` that are all different (as [`duplicate`] sees it), fewer than 2^32.
    pub(super) fn new(values: &[Value]) -> Self {
        let index = if values.len() > FEW {
            (0..)
                .zip(values)
                .map(|(i, value)| (canonical(value).into_owned(), i))
                .collect()
        } else {
            HashMap::new()
        };
        Self {
            values: values.into(),
            index,
        }
    }

    pub(super) fn values(&self) -> &[Value] {
        &self.values
    }

    /// The index of `value`; `1` and `1.0` are the same, as API servers write one for the other.
    pub(super) fn find(&self, value: &Value) -> Option<u32> {
        if self.values.len() > FEW {
            return self.index.get(canonical(value).as_ref()).copied();
        }
        (0..)
            .zip(&self.values)
            .find(|(_, own)| same(own, value))
            .map(|(i, _)| i)
    }
}

/// The first two indices of `values` whose values are the same.
pub(super) fn duplicate(values: &[Value]) -> Option<(usize, usize)> {
    let mut seen = HashMap::new();
    values.iter().enumerate().find_map(|(i, value)| {
        seen.insert(canonical(value).into_owned(), i)
            .map(|earlier| (earlier, i))
    })
}

/// Whether two values are the same JSON, `1` and `1.0` being one number.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a == b,
        _ => a == b || canonical(a) == canonical(b),
    }
}

/// `value` with every number that is whole and small enough written as an integer.
fn canonical(value: &Value) -> Cow<'_, Value> {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(x) if number.is_f64() && x.fract() == 0.0 && x.abs() < EXACT as f64 => {
                Cow::Owned(Value::Number(Number::from(x as i64)))
            }
            _ => Cow::Borrowed(value),
        },
        Value::Array(items) => Cow::Owned(items.iter().map(|item| canonical(item).into_owned()).collect()),
        Value::Object(map) => Cow::Owned(Value::Object(
            map.iter()
                .map(|(key, item)| (key.clone(), canonical(item).into_owned()))
                .collect(),
        )),
        Value::Null | Value::Bool(_) | Value::String(_) => Cow::Borrowed(value),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_values_as_api_servers_write_them() {
        let few = [
            json!("adam"),
            json!(1.0),
            json!(2),
            json!([1, {"a": 2.0}]),
            json!(null),
            json!(true),
            json!("1"),
        ];
        let many: Vec<Value> = few
            .iter()
            .cloned()
            .chain((0..50).map(|i| json!(format!("v{i}"))))
            .collect();
        for values in [&few[..], &many] {
            let choices = Choices::new(values);
            for (value, found) in [
                (json!("adam"), Some(0)),
                (json!(1), Some(1)),
                (json!(2.0), Some(2)),
                (json!([1.0, {"a": 2}]), Some(3)),
                (json!(null), Some(4)),
                (json!(true), Some(5)),
                (json!("1"), Some(6)),
                (json!(false), None),
                (json!(1.5), None),
            ] {
                assert_eq!(choices.find(&value), found, "{value}");
            }
        }
        assert_eq!(duplicate(&[json!("a"), json!(1), json!("b"), json!(1.0)]), Some((1, 3)));
        assert_eq!(duplicate(&many), None);
    }
}
