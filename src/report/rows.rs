//! `study_results.csv`: a row for each observation.

use super::{
    Row, StudyReport,
    columns::{Columns, cell, number},
};
use crate::api::TrialPhase;

/// The table of all finished trials, by number: of a trial with several reports first each of them as `INTERMEDIATE`, then the
/// one that counts. A parameter that is inactive, and a metric that is not there, are empty.
///
/// Text is written as it is: a categorical value that starts with `=` is a formula to a spreadsheet that is told to believe it.
pub fn study_results(study: &StudyReport<'_>) -> Vec<u8> {
    let columns = Columns::of(study);
    let mut table = csv::WriterBuilder::new()
        .terminator(csv::Terminator::Any(b'\n'))
        .from_writer(Vec::new());
    let mut cells: Vec<String> = ["Trial-ID", "Status", "Iteration"].map(str::to_owned).to_vec();
    cells.extend(columns.parameters.iter().map(|(_, column)| column.to_string()));
    cells.push("Objective".to_owned());
    cells.extend(columns.metrics.iter().map(|(_, column)| column.to_string()));
    // Writing to memory cannot fail, and every row has all columns.
    let _ = table.write_record(&cells);
    for row in study.finished() {
        let parameters: Vec<_> = columns
            .parameters
            .iter()
            .map(|(name, _)| row.parameters.get(*name).map(cell).unwrap_or_default())
            .collect();
        let mut write =
            |status: &str, iteration: Option<f64>, objective: Option<f64>, metrics: &dyn Fn(&str) -> Option<f64>| {
                let or_empty = |value: Option<f64>| value.map(number).unwrap_or_default();
                let _ = table.write_field(row.number.to_string());
                let _ = table.write_field(status);
                let _ = table.write_field(or_empty(iteration));
                for parameter in &parameters {
                    let _ = table.write_field(parameter.as_ref());
                }
                let _ = table.write_field(or_empty(objective));
                for (name, _) in &columns.metrics {
                    let _ = table.write_field(or_empty(metrics(name)));
                }
                let _ = table.write_record(None::<&[u8]>);
            };
        if row.reports.len() > 1 {
            for (objective, report) in row.reports {
                let objective = Some(*objective).filter(|o| !o.is_nan());
                write("INTERMEDIATE", Some(report.iteration), objective, &|name| {
                    report.metrics.get(name).copied()
                });
            }
        }
        write(status(row), row.iteration, row.objective, &|name| {
            row.metrics.get(name).copied()
        });
    }
    table.into_inner().unwrap_or_default()
}

/// A finished trial's status, in SHERPA's words.
pub fn status(row: &Row<'_>) -> &'static str {
    match row.phase {
        TrialPhase::Succeeded => "COMPLETED",
        TrialPhase::Stopped => "STOPPED",
        _ => "FAILED",
    }
}
