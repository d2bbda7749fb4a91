//! What the journal's lines say.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    api::{Origin, ParameterMap, RequestRef, StudySpec, StudyStatus, TrialStatus},
    metrics,
};

/// One line of the journal: something that has become so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Entry {
    /// The study exists, or its spec was changed.
    Study(Box<StudyEntry>),
    /// A trial was created.
    Trial(Box<TrialEntry>),
    /// A trial's status is now this.
    Status(Box<StatusEntry>),
    /// What a trial whose end is recorded next reported on the way.
    Reports(ReportsEntry),
    /// A request was decided.
    Request(RequestEntry),
    /// The result files were written.
    Written(WrittenEntry),
    /// The study's status is now this, as far as it does not follow from its trials.
    StudyStatus(Box<StudyStatus>),
}

/// The study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyEntry {
    /// Its UID, chosen when it was created.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// The generation of its spec, from 1.
    pub generation: i64,
    /// Its spec.
    pub spec: StudySpec,
}

/// A trial as it was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialEntry {
    /// Its number.
    pub number: u32,
    /// Its configuration.
    pub parameters: ParameterMap,
    /// What proposed it.
    pub origin: Origin,
    /// The trial whose folder it goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<u32>,
}

/// A trial's status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusEntry {
    /// The trial.
    pub number: u32,
    /// Its status.
    pub status: TrialStatus,
}

/// A trial's reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportsEntry {
    /// The trial.
    pub number: u32,
    /// Its reports, in order.
    pub reports: Vec<Report>,
}

/// One report, each number as JSON or, where it is not finite, as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    objective: Number,
    iteration: Number,
    metrics: BTreeMap<String, Number>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestEntry {
    /// The request.
    pub request: RequestRef,
    /// The trial that it has become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted: Option<u32>,
    /// Why it was rejected, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

/// The result files as they were written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WrittenEntry {
    /// Which state of the trials they show.
    pub revision: u64,
    /// When.
    pub at: Timestamp,
}

impl ReportsEntry {
    /// The reports of trial `number`.
    pub fn new(number: u32, reports: &[(f64, metrics::Report)]) -> Self {
        let reports = reports
            .iter()
            .map(|(objective, report)| Report {
                objective: Number(*objective),
                iteration: Number(report.iteration),
                metrics: report
                    .metrics
                    .iter()
                    .map(|(name, value)| (name.clone(), Number(*value)))
                    .collect(),
            })
            .collect();
        Self { number, reports }
    }

    /// The same as the study's rooms know them.
    pub fn into_reports(self) -> Arc<[(f64, metrics::Report)]> {
        self.reports
            .into_iter()
            .map(|report| {
                let metrics = report
                    .metrics
                    .into_iter()
                    .map(|(name, value)| (name, value.0))
                    .collect();
                (
                    report.objective.0,
                    metrics::Report {
                        iteration: report.iteration.0,
                        metrics,
                    },
                )
            })
            .collect()
    }
}

/// A number that need not be finite.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Number, E> {
                value.parse().map(Number).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn reports_survive_with_numbers_that_json_does_not_know() {
        let metrics = [("a", f64::NEG_INFINITY), ("b", 0.1 + 0.2), ("c", 3.0)];
        let report = metrics::Report {
            iteration: 2.0,
            metrics: metrics.map(|(n, v)| (n.to_owned(), v)).into(),
        };
        let entry = ReportsEntry::new(4, &[(f64::NAN, report.clone()), (1.5, report.clone())]);
        let line = serde_json::to_string(&Entry::Reports(entry)).unwrap();
        let Entry::Reports(read) = serde_json::from_str(&line).unwrap() else {
            panic!("{line}")
        };
        let read = read.into_reports();
        assert!(read[0].0.is_nan());
        assert_eq!(read[1], (1.5, report));
    }
}
