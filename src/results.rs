//! The result files, put together from a snapshot and written through S3.

use crate::{
    report::{self, Row, StudyReport},
    storage::{Location, StorageError, Store},
    study::{Snapshot, Study, Trial},
};

/// Writes the result files into the study's folder.
///
/// # Errors
/// What storage refuses.
pub async fn write(store: &Store, folder: &Location, study: &Study, snapshot: &Snapshot) -> Result<(), StorageError> {
    for (name, content_type, bytes) in files(study, snapshot) {
        let at = folder
            .join(name)
            .map_err(|_| StorageError::BadName { at: folder.to_string() })?;
        store.put(&at, bytes, content_type).await?;
    }
    Ok(())
}

/// Each file's name, type and content.
fn files(study: &Study, snapshot: &Snapshot) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let rows: Vec<Row<'_>> = snapshot
        .trials
        .iter()
        .filter(|t| t.is_finished())
        .map(|t| row(study, t))
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
    files.push((
        report::REPORT_HTML,
        "text/html; charset=utf-8",
        report::report(&known).into_bytes(),
    ));
    files
}

fn row<'a>(study: &Study, trial: &'a Trial) -> Row<'a> {
    let status = &trial.status;
    Row {
        number: trial.number,
        phase: status.phase,
        parameters: &trial.parameters,
        objective: trial.objective(),
        iteration: status.iteration,
        metrics: &status.metrics,
        reports: &trial.reports,
        output_path: status.files.is_none().then(|| study.trial_folder(trial.number)),
        start_time: status.start_time,
        completion_time: status.completion_time,
    }
}
