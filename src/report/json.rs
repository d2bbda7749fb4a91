//! `best_result.json` and `study_config.json`.

use std::borrow::Cow;

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap},
};
use serde_json::Value;

use super::{Row, StudyReport, columns::Columns};

/// The best trial's row as an object, without its status and with its folder, in the order of the table; `None` where no trial
/// has an objective. Inactive parameters are absent, and numbers that JSON does not have are null.
pub fn best_result(study: &StudyReport<'_>) -> Option<Vec<u8>> {
    let (row, objective) = study.best()?;
    let best = Best {
        row,
        objective,
        columns: Columns::of(study),
    };
    pretty(&best).ok()
}

struct Best<'a> {
    row: &'a Row<'a>,
    objective: f64,
    columns: Columns<'a>,
}

impl Serialize for Best<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("Trial-ID", &self.row.number)?;
        map.serialize_entry("Iteration", &self.row.iteration.map(plain))?;
        for (name, column) in &self.columns.parameters {
            if let Some(value) = self.row.parameters.get(*name) {
                map.serialize_entry(column, value)?;
            }
        }
        map.serialize_entry("Objective", &self.objective)?;
        for (name, column) in &self.columns.metrics {
            if let Some(value) = self.row.metrics.get(*name) {
                map.serialize_entry(column, &plain(*value))?;
            }
        }
        map.serialize_entry("output_path", &self.row.output_path)?;
        map.end()
    }
}

/// A whole number without a fraction, as one writes the number of an epoch.
fn plain(value: f64) -> Value {
    #[allow(clippy::cast_possible_truncation, reason = "whole and small enough")]
    if value == value.trunc() && value.abs() < 1e15 {
        Value::from(value as i64)
    } else {
        Value::from(value)
    }
}

/// What was asked for: the study's name and UID, the version of the program, and the spec.
///
/// # Errors
/// A spec that JSON cannot hold.
pub fn study_config(study: &StudyReport<'_>) -> serde_json::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Config<'a> {
        name: &'a str,
        uid: &'a str,
        version: Cow<'static, str>,
        spec: &'a crate::api::StudySpec,
    }
    pretty(&Config {
        name: study.name,
        uid: study.uid,
        version: env!("CARGO_PKG_VERSION").into(),
        spec: study.spec,
    })
}

fn pretty(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value).map_err(serde_json::Error::custom)?;
    text.push(b'\n');
    Ok(text)
}
