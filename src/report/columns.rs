//! The columns of the results: what they are called, and how a value is written in a cell.

use std::{borrow::Cow, collections::BTreeSet};

use serde_json::Value;

use super::StudyReport;

/// The columns that are always there; the last is one of `best_result.json` alone.
pub const FIXED: [&str; 5] = ["Trial-ID", "Status", "Iteration", "Objective", "output_path"];

/// The columns of parameters and metrics, each list in alphabetical order.
pub struct Columns<'a> {
    /// Each parameter's name and its column.
    pub parameters: Vec<(&'a str, Cow<'a, str>)>,
    /// Each metric's name and its column.
    pub metrics: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Columns<'a> {
    /// The columns for what the finished trials have. No two have the same name: `metric.` or `parameter.` goes in front of one that is taken.
    pub fn of(study: &StudyReport<'a>) -> Self {
        let mut metrics: BTreeSet<&'a str> = BTreeSet::new();
        let mut note = |name: &'a str| {
            if !metrics.contains(name) {
                metrics.insert(name);
            }
        };
        for row in study.trials.iter().filter(|row| row.phase.is_finished()) {
            row.metrics.keys().for_each(|name| note(name));
            for (_, report) in row.reports {
                report.metrics.keys().for_each(|name| note(name));
            }
        }
        let mut taken: BTreeSet<Cow<'a, str>> = FIXED.iter().map(|name| Cow::Borrowed(*name)).collect();
        let parameters = named(study.parameters(), "parameter", &mut taken);
        let metrics = named(metrics, "metric", &mut taken);
        Self { parameters, metrics }
    }
}

fn named<'a>(names: BTreeSet<&'a str>, kind: &str, taken: &mut BTreeSet<Cow<'a, str>>) -> Vec<(&'a str, Cow<'a, str>)> {
    let column = |name: &'a str| {
        let mut column = Cow::Borrowed(name);
        while taken.contains(&column) {
            column = Cow::Owned(format!("{kind}.{column}"));
        }
        taken.insert(column.clone());
        (name, column)
    };
    names.into_iter().map(column).collect()
}

/// A number in the shortest form that reads back the same; NaN and infinities as pandas reads them.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "inf" } else { "-inf" }.to_owned()
    } else if value == value.trunc() && value.abs() < 1e15 {
        format!("{value:.0}")
    } else {
        // Debug writes very large and very small ones with an exponent.
        format!("{value:?}")
    }
}

/// A parameter's value in a cell: text as it is, numbers in their shortest form, everything else as compact JSON.
pub fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(n) if n.is_f64() => Cow::Owned(n.as_f64().map_or_else(|| n.to_string(), number)),
        other => Cow::Owned(other.to_string()),
    }
}
