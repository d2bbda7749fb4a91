//! The result files, put together from a snapshot and written through S3.

use std::collections::BTreeMap;

use crate::{
    api::StudySpec,
    metrics::{MAX_BYTES, Report},
    report::{self, Row, StudyReport},
    storage::{Location, StorageError, Store},
    study::{Snapshot, Study, Trial},
};

/// The largest table that is read back, in bytes.
const MAX_TABLE: usize = 64 << 20;

/// Writes the result files into the study's folder, the report only where it is wanted.
///
/// # Errors
/// What storage refuses.
pub async fn write(
    store: &Store,
    folder: &Location,
    study: &Study,
    snapshot: &Snapshot,
    with_report: bool,
) -> Result<(), StorageError> {
    for (name, content_type, bytes) in files(study, snapshot, with_report) {
        let at = folder
            .join(name)
            .map_err(|_| StorageError::BadName { at: folder.to_string() })?;
        store.put(&at, bytes, content_type).await?;
    }
    Ok(())
}

/// What the trials reported on their way, as far as it stands nowhere but in the result files: read back after an interruption. Of a trial
/// whose row never got there, its metrics file is read again while it is there.
///
/// # Errors
/// What storage refuses.
pub async fn reports(
    store: &Store,
    folder: &Location,
    study: &Study,
    snapshot: &Snapshot,
) -> Result<BTreeMap<u32, Vec<(f64, Report)>>, StorageError> {
    let wrong = |at: &Location| StorageError::BadName { at: at.to_string() };
    let at = folder.join(report::RESULTS_CSV).map_err(|_| wrong(folder))?;
    let mut known = match store.read(&at, MAX_TABLE).await {
        Ok(Some(table)) => report::intermediate_reports(&table.bytes, study.spec.parameters.len()),
        // What is too large to be read back is lost, which is no reason to write nothing from now on.
        Ok(None) | Err(StorageError::TooLarge { .. }) => BTreeMap::new(),
        Err(other) => return Err(other),
    };
    let unknown = |t: &&Trial| t.objective().is_some() && t.reports.is_empty() && !known.contains_key(&t.number);
    let there = snapshot.trials.iter().filter(|t| t.status.files.is_none());
    let lost: Vec<u32> = there.filter(unknown).map(|t| t.number).collect();
    for number in lost {
        let trial = folder.trial_folder(number).map_err(|_| wrong(folder))?;
        let file = trial.join(study.spec.trial.metrics.file()).map_err(|_| wrong(folder))?;
        let found = match store.read(&file, MAX_BYTES).await {
            Err(StorageError::TooLarge { .. }) => None,
            found => found?,
        };
        if let Some(Ok(reading)) = found.map(|f| study.objective.read(&f.bytes)) {
            known.insert(number, reading.reports);
        }
    }
    Ok(known)
}

/// The table of a study of which nothing else is known, as it would be in its folder, without what trials reported on their way.
pub fn table(name: &str, uid: &str, spec: &StudySpec, trials: &[Trial]) -> Vec<u8> {
    let finished = trials.iter().filter(|t| t.is_finished());
    let rows: Vec<Row<'_>> = finished
        .map(|t| Row {
            reports: &[],
            ..row(t, None)
        })
        .collect();
    report::study_results(&StudyReport {
        name,
        uid,
        spec,
        trials: &rows,
    })
}

/// Each file's name, type and content.
fn files(study: &Study, snapshot: &Snapshot, with_report: bool) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let rows: Vec<Row<'_>> = snapshot
        .trials
        .iter()
        .filter(|t| t.is_finished())
        .map(|t| row(t, t.status.files.is_none().then(|| study.trial_folder(t.number))))
        .collect();
    let known = StudyReport {
        name: &study.name,
        uid: &study.uid,
        spec: &study.spec,
        trials: &rows,
    };
    let json = "application/json";
    let mut files = vec![(report::RESULTS_CSV, "text/csv", report::study_results(&known))];
    files.extend(report::best_result(&known).map(|bytes| (report::BEST_JSON, json, bytes)));
    files.extend(
        report::study_config(&known)
            .ok()
            .map(|bytes| (report::CONFIG_JSON, json, bytes)),
    );
    files.extend(with_report.then(|| {
        let page = report::report(&known).into_bytes();
        (report::REPORT_HTML, "text/html; charset=utf-8", page)
    }));
    files
}

fn row(trial: &Trial, output_path: Option<String>) -> Row<'_> {
    let status = &trial.status;
    Row {
        number: trial.number,
        phase: status.phase,
        parameters: &trial.parameters,
        objective: trial.objective(),
        iteration: status.iteration,
        metrics: &status.metrics,
        reports: &trial.reports,
        output_path,
        start_time: status.start_time,
        completion_time: status.completion_time,
    }
}
