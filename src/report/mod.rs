//! A study's result files: `study_results.csv`, `best_result.json`, `study_config.json`, `report.html`.
//!
//! Pure: what is known of a study in, the text of a file out.

mod chart;
mod columns;
mod history;
mod html;
mod json;
mod parcoords;
mod record;
mod reread;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    api::{Goal, ParameterMap, StudySpec, TrialPhase},
    metrics,
};

pub use history::{Found, TableError, results_of};
pub use html::report;
pub use json::{best_result, study_config};
pub use record::{Record, RecordError};
pub use reread::intermediate_reports;
pub use rows::study_results;

/// The names of the result files in a study's folder.
pub const RESULTS_CSV: &str = "study_results.csv";
/// See [`best_result`].
pub const BEST_JSON: &str = "best_result.json";
/// See [`study_config`].
pub const CONFIG_JSON: &str = "study_config.json";
/// See [`Record`].
pub const HISTORY_JSON: &str = "history.json";
/// See [`report`].
pub const REPORT_HTML: &str = "report.html";

/// What is known of a study.
#[derive(Clone, Copy, Debug)]
pub struct StudyReport<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its UID.
    pub uid: &'a str,
    /// What was asked for.
    pub spec: &'a StudySpec,
    /// Its trials, in any order; those that are not finished do not appear in the files.
    pub trials: &'a [Row<'a>],
}

/// What is known of a trial.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    /// Its number.
    pub number: u32,
    /// Where it stands.
    pub phase: TrialPhase,
    /// Its configuration: the active parameters.
    pub parameters: &'a ParameterMap,
    /// The value that counts, where it has one.
    pub objective: Option<f64>,
    /// The iteration of the report that gave it.
    pub iteration: Option<f64>,
    /// The numbers of that report.
    pub metrics: &'a BTreeMap<String, f64>,
    /// Where it gave several reports: all of them in order, each with its objective (NaN where it has none).
    pub reports: &'a [(f64, metrics::Report)],
    /// Its folder, where it is kept.
    pub output_path: Option<String>,
    /// When its first attempt started.
    pub start_time: Option<Timestamp>,
    /// When it finished.
    pub completion_time: Option<Timestamp>,
}

impl Row<'_> {
    /// The objective, where the trial is finished and it counts.
    fn counts(&self) -> Option<f64> {
        let ended = matches!(self.phase, TrialPhase::Succeeded | TrialPhase::Stopped);
        self.objective.filter(|value| ended && value.is_finite())
    }
}

impl<'a> StudyReport<'a> {
    /// The finished trials by their numbers.
    fn finished(&self) -> Vec<&'a Row<'a>> {
        let mut rows: Vec<_> = self.trials.iter().filter(|row| row.phase.is_finished()).collect();
        rows.sort_by_key(|row| row.number);
        rows
    }

    fn goal(&self) -> Goal {
        self.spec.objectives.first().map(|o| o.goal).unwrap_or_default()
    }

    /// What the objective is called: its metric, or the expression.
    fn objective(&self) -> &'a str {
        let objective = self.spec.objectives.first();
        objective
            .and_then(|o| o.metric.as_deref().or(o.value.as_deref()))
            .unwrap_or("objective")
    }

    /// Of two values of the objective, whether the first is strictly better.
    fn is_better(&self, one: f64, other: f64) -> bool {
        match self.goal() {
            Goal::Minimize => one < other,
            Goal::Maximize => one > other,
        }
    }

    /// The best trial: strictly better wins, a tie goes to the lower number.
    fn best(&self) -> Option<(&'a Row<'a>, f64)> {
        let counting = self.trials.iter().filter_map(|row| Some((row, row.counts()?)));
        counting.reduce(|best, next| {
            let wins = self.is_better(next.1, best.1) || (next.1 == best.1 && next.0.number < best.0.number);
            if wins { next } else { best }
        })
    }

    /// The parameters' names in alphabetical order.
    fn parameters(&self) -> BTreeSet<&'a str> {
        self.spec.parameters.iter().map(|p| p.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests;
