//! The intermediate reports of a study, read back from its `study_results.csv`: nobody else remembers them.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::FIXED;
use crate::metrics::Report;

/// The reports of each trial in the table, by its number, each with its objective (NaN where it has none); none where there was but one.
/// What cannot be understood is left out: the file is written anew anyway.
pub fn intermediate_reports(csv: &[u8], parameters: usize) -> BTreeMap<u32, Vec<(f64, Report)>> {
    let mut reports: BTreeMap<u32, Vec<(f64, Report)>> = BTreeMap::new();
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(csv);
    let Ok(header) = reader.headers().cloned() else {
        return reports;
    };
    let objective_at = parameters.saturating_add(3);
    if header.get(objective_at) != Some("Objective") {
        return reports;
    }
    let taken: BTreeSet<&str> = FIXED.iter().copied().chain(header.iter().take(objective_at)).collect();
    let names: Vec<&str> = header.iter().map(|column| metric(column, &taken)).collect();
    for row in reader.records().filter_map(Result::ok) {
        let number = |index: usize| row.get(index).filter(|cell| !cell.is_empty())?.parse::<f64>().ok();
        let trial = row.get(0).and_then(|cell| cell.parse().ok());
        let Some(trial) = trial else { continue };
        let reports = reports.entry(trial).or_default();
        let (Some("INTERMEDIATE"), Some(iteration)) = (row.get(1), number(2)) else {
            continue;
        };
        let metrics = names.iter().enumerate().skip(objective_at.saturating_add(1));
        let metrics = metrics.filter_map(|(index, name)| Some(((*name).to_owned(), number(index)?)));
        let report = Report {
            iteration,
            metrics: metrics.collect(),
        };
        let objective = number(objective_at).unwrap_or(f64::NAN);
        reports.push((objective, report));
    }
    reports
}

/// The metric that a column is of: `metric.` stands in front of names that were taken.
pub(super) fn metric<'a>(column: &'a str, taken: &BTreeSet<&str>) -> &'a str {
    let mut name = column;
    while let Some(rest) = name.strip_prefix("metric.") {
        name = rest;
    }
    if taken.contains(name) { name } else { column }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;
    use crate::{
        api::{StudySpec, TrialPhase},
        report::{Row, StudyReport, study_results},
    };

    #[test]
    fn what_was_written_is_read_back() {
        let spec: StudySpec = serde_json::from_value(json!({
            "objectives": [{"metric": "loss", "goal": "Minimize"}],
            "parameters": [{"name": "lr", "double": {"min": 0, "max": 1}}, {"name": "Status", "constant": "a,\"b\"\n"}],
            "algorithm": {"sampler": {"random": {}}},
        }))
        .unwrap();
        let parameters = [("lr".to_owned(), json!(0.5)), ("Status".to_owned(), json!("a,\"b\"\n"))].into();
        let report = |iteration: f64, loss: f64| {
            let metrics = [("loss", loss), ("lr", 0.25), ("Objective", 7.0), ("metric.own", 1e-9)];
            let metrics = metrics.map(|(name, value)| (name.to_owned(), value)).into();
            (loss, Report { iteration, metrics })
        };
        let mut reports = vec![report(1.0, 0.1 + 0.2), report(2.0, f64::INFINITY)];
        reports[1].1.metrics.remove("lr");
        let metrics = reports[0].1.metrics.clone();
        let row = |number, reports| Row {
            number,
            phase: TrialPhase::Succeeded,
            parameters: &parameters,
            objective: Some(0.3),
            iteration: Some(2.0),
            metrics: &metrics,
            reports,
            output_path: None,
            start_time: None,
            completion_time: None,
        };
        let rows = [row(1, &[]), row(12, &reports)];
        let study = StudyReport {
            name: "s",
            uid: "u",
            spec: &spec,
            trials: &rows,
        };
        let csv = study_results(&study);
        assert_eq!(
            intermediate_reports(&csv, 2),
            [(1, vec![]), (12, reports.clone())].into()
        );
        for broken in [
            "",
            "a,b\n1,2",
            "Trial-ID,Status,Iteration,lr,Status,Objective\nx,INTERMEDIATE,1",
        ] {
            assert!(intermediate_reports(broken.as_bytes(), 2).is_empty(), "{broken}");
        }
    }
}
