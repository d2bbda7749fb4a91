//! A study's objective: checked once, then read out of each trial's reports.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{MetricsError, Reading, Report, error::Name, json, reports::Reports, unpack::unpack};
use crate::{
    api::{FieldErrors, Goal, Reduce},
    expr::{Expression, Variables},
};

/// How many metrics of a report are kept in a trial's status.
const METRICS_KEPT: usize = 64;
/// How long the name of one may be to be kept, in bytes: an API server takes no keys of any length.
const LONGEST_NAME: usize = 253;
/// What metrics are taken to be when an expression is tried before there are any.
const SAMPLES: [f64; 4] = [0.25, 1.0, 3.0, 100.0];

/// The compiled objective of a study.
#[derive(Debug)]
pub struct Objective {
    /// Whether less or more is better.
    pub goal: Goal,
    source: Source,
    reduce: Reduce,
    target: Option<f64>,
}

#[derive(Debug)]
enum Source {
    Metric(String),
    Value(Box<Formula>),
}

/// An objective that is computed.
#[derive(Debug)]
struct Formula {
    text: String,
    expression: Expression,
    /// The same as a text: it tells NaN and infinities, which an expression does not give as numbers.
    as_text: Option<Expression>,
}

impl Objective {
    /// Compiles an objective; the paths of errors are below the objective.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn compile(spec: &crate::api::Objective) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        if spec.target.is_some_and(|target| !target.is_finite()) {
            errors.push("target", "is not a finite number");
        }
        let source = match (&spec.metric, &spec.value) {
            (Some(metric), None) if metric.is_empty() => {
                errors.push(
                    "metric",
                    "is empty: name the key of the metrics file that has the objective",
                );
                None
            }
            (Some(metric), None) => Some(Source::Metric(metric.clone())),
            (None, Some(value)) => match compile_value(value) {
                Ok(source) => Some(source),
                Err(message) => {
                    errors.push("value", message);
                    None
                }
            },
            (Some(_), Some(_)) => {
                errors.push("", "has both `metric` and `value`: give one of them");
                None
            }
            (None, None) => {
                errors.push(
                    "",
                    "has neither `metric` nor `value`: give `metric`, the key of the metrics file that has the objective",
                );
                None
            }
        };
        match source {
            Some(source) => errors.or_ok(Self {
                goal: spec.goal,
                source,
                reduce: spec.reduce,
                target: spec.target,
            }),
            None => Err(errors),
        }
    }

    /// The key with which less is better: the value itself, or its negation where the goal is to maximize.
    pub fn loss(&self, value: f64) -> f64 {
        match self.goal {
            Goal::Minimize => value,
            Goal::Maximize => -value,
        }
    }

    /// Whether `value` reaches the target, where there is one.
    pub fn is_reached(&self, value: f64) -> bool {
        self.target.is_some_and(|target| self.loss(value) <= self.loss(target))
    }

    /// The metrics that it is made of.
    pub fn metrics(&self) -> Vec<&str> {
        match &self.source {
            Source::Metric(key) => vec![key],
            Source::Value(formula) => formula
                .expression
                .fields_of("metrics")
                .iter()
                .map(String::as_str)
                .collect(),
        }
    }

    /// The value over the numbers of one report; `None` where it is not finite or not there.
    pub fn over(&self, metrics: &BTreeMap<String, f64>) -> Option<f64> {
        let value = match &self.source {
            Source::Metric(key) => metrics.get(key).copied(),
            Source::Value(formula) => formula.evaluate(metrics).ok(),
        };
        value.filter(|value| value.is_finite())
    }

    /// Reads the metrics file of a trial that ended by itself.
    ///
    /// # Errors
    /// The reason why it gives no objective.
    pub fn read(&self, file: &[u8]) -> Result<Reading, MetricsError> {
        self.read_text(text(&unpack(file)?)?)
    }

    /// Reads the metrics file of a trial that was ended, or that runs: as [`Objective::read`] does, but a last line that is torn, because
    /// it was being written, is passed over.
    ///
    /// # Errors
    /// The reason why it gives no objective.
    pub fn read_unfinished(&self, file: &[u8]) -> Result<Reading, MetricsError> {
        let unpacked = unpack(file)?;
        // The tear may go through a character.
        let last_line = unpacked.iter().rposition(|byte| *byte == b'\n').map_or(0, |n| n + 1);
        let whole = text(&unpacked).and_then(|text| self.read_text(text));
        match whole {
            Err(MetricsError::MetricsNotJson { .. }) if last_line < unpacked.len() => {
                self.read_text(text(&unpacked[..last_line])?)
            }
            whole => whole,
        }
    }

    fn read_text(&self, text: &str) -> Result<Reading, MetricsError> {
        let reports = Reports::of(json::parse(text)?)?;
        let values = self.values(&reports)?;
        let chosen = self.choose(&values)?;
        let Reports { reports, .. } = reports;
        let (objective, report) = (values[chosen].unwrap_or(f64::NAN), &reports[chosen]);
        Ok(Reading {
            objective,
            iteration: report.iteration,
            metrics: report
                .metrics
                .iter()
                .filter(|(name, number)| number.is_finite() && name.len() <= LONGEST_NAME)
                .take(METRICS_KEPT)
                .map(|(name, number)| (name.clone(), *number))
                .collect(),
            reports: if reports.len() > 1 {
                let values = values.iter().map(|value| value.unwrap_or(f64::NAN));
                values.zip(reports).collect()
            } else {
                Vec::new()
            },
        })
    }

    /// The index of the report that counts.
    fn choose(&self, values: &[Option<f64>]) -> Result<usize, MetricsError> {
        let mut given = values.iter().enumerate().filter_map(|(i, value)| Some((i, (*value)?)));
        let chosen = match self.reduce {
            Reduce::Last => given.next_back(),
            // Of equal ones the first; one that is not finite only where there is nothing else.
            Reduce::Best => given.reduce(|best, next| {
                let is_better = next.1.is_finite() && (!best.1.is_finite() || self.loss(next.1) < self.loss(best.1));
                if is_better { next } else { best }
            }),
        };
        match chosen {
            Some((i, value)) if value.is_finite() => Ok(i),
            Some((_, value)) => Err(MetricsError::not_finite(self.describe(), value)),
            // `values` gives an error where no report has a value.
            None => Err(MetricsError::MetricsEmpty),
        }
    }

    /// The objective's value in each report, `None` where a report does not have it; at least one has.
    fn values(&self, all: &Reports) -> Result<Vec<Option<f64>>, MetricsError> {
        match &self.source {
            Source::Metric(key) => {
                if let Some(found) = all.others.get(key) {
                    return Err(wrong_type(key, found));
                }
                let values: Vec<_> = all.reports.iter().map(|r| r.metrics.get(key).copied()).collect();
                if values.iter().all(Option::is_none) {
                    return Err(MetricsError::missing(key, all.names()));
                }
                Ok(values)
            }
            Source::Value(formula) => formula.evaluate_all(all),
        }
    }

    fn describe(&self) -> String {
        match &self.source {
            Source::Metric(key) => format!("`{}` in the metrics file", Name(key)),
            Source::Value(formula) => format!("the objective `{}`", formula.text),
        }
    }
}

fn wrong_type(key: &str, found: &'static str) -> MetricsError {
    MetricsError::MetricWrongType {
        key: key.to_owned(),
        found,
    }
}

fn text(file: &[u8]) -> Result<&str, MetricsError> {
    let text = std::str::from_utf8(file).map_err(|error| {
        let valid = String::from_utf8_lossy(&file[..error.valid_up_to()]);
        let (line, column) = json::position(&valid, valid.len());
        MetricsError::MetricsNotJson {
            line,
            column,
            message: "the text is not UTF-8".to_owned(),
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Compiles `value`, and tries it: what never gives a number is better said now than after the first trial.
fn compile_value(text: &str) -> Result<Source, String> {
    let formula = Formula {
        text: text.to_owned(),
        expression: Expression::compile(text)?,
        as_text: Expression::compile(&format!("string(\n{text}\n)")).ok(),
    };
    if let Some(other) = formula.expression.variables().iter().find(|name| *name != "metrics") {
        return Err(format!("uses `{other}`: only `metrics` is known here"));
    }
    let fields = formula.expression.fields_of("metrics");
    if fields.is_empty() || formula.expression.uses_whole("metrics") {
        return Err("does not name the metrics that it reads: use the file's keys as `metrics.<key>`".to_owned());
    }
    // One sample alone might be a division by zero.
    let mut failure = None;
    for sample in SAMPLES {
        let metrics = fields.iter().map(|name| (name.clone(), sample)).collect();
        match formula.evaluate(&metrics) {
            Ok(_) => return Ok(Source::Value(Box::new(formula))),
            Err(message) => failure = failure.or(Some(message)),
        }
    }
    let hint = "(every metric is a double, so numbers beside it need a point: `2.0`)";
    Err(format!("{} {hint}", failure.unwrap_or_default()))
}

impl Formula {
    /// The value over those metrics that it names and that are finite; it may be NaN or infinite.
    fn evaluate(&self, metrics: &BTreeMap<String, f64>) -> Result<f64, String> {
        let named = self.expression.fields_of("metrics").iter();
        let object = named
            .filter_map(|name| {
                let number = metrics.get(name).filter(|number| number.is_finite())?;
                Some((name.clone(), Value::from(*number)))
            })
            .collect();
        let mut variables = Variables::default();
        variables.set("metrics", &Value::Object(object));
        let not_a_number = match self.expression.evaluate_number(&variables) {
            Ok(number) => return Ok(number),
            Err(message) => message,
        };
        match self.as_text.as_ref().map(|expression| expression.evaluate(&variables)) {
            Some(Ok(Value::String(text))) => text
                .parse()
                .ok()
                .filter(|number: &f64| !number.is_finite())
                .ok_or(not_a_number),
            _ => Err(not_a_number),
        }
    }

    /// The value in each report, `None` where a report does not have it; at least one has.
    fn evaluate_all(&self, all: &Reports) -> Result<Vec<Option<f64>>, MetricsError> {
        let fields = self.expression.fields_of("metrics");
        let failed = |message| MetricsError::MetricValueFailed {
            expression: self.text.clone(),
            message,
        };
        let mut last_failure = None;
        let values = all
            .reports
            .iter()
            .map(|Report { metrics, .. }| match self.evaluate(metrics) {
                Ok(value) => Ok(Some(value)),
                Err(message) => {
                    let mut named = fields.iter().map(|name| metrics.get(name));
                    if let Some(number) = named.clone().flatten().find(|number| !number.is_finite()) {
                        // It fails for want of a number that is there but not finite.
                        return Ok(Some(*number));
                    }
                    if named.any(|number| number.is_none()) {
                        // This report does not say everything; another may.
                        last_failure = Some(message);
                        return Ok(None);
                    }
                    Err(failed(message))
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        if values.iter().any(Option::is_some) {
            return Ok(values);
        }
        if let Some((key, found)) = fields.iter().find_map(|name| Some((name, all.others.get(name)?))) {
            return Err(wrong_type(key, found));
        }
        let is_there = |name: &&String| all.reports.iter().any(|report| report.metrics.contains_key(*name));
        if let Some(key) = fields.iter().find(|name| !is_there(name)) {
            return Err(MetricsError::missing(key, all.names()));
        }
        Err(failed(
            last_failure.unwrap_or_else(|| "no report has all its metrics".to_owned()),
        ))
    }
}
