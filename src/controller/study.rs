//! The reconciler of a study: which trials exist, what becomes of them, its results, its status.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use kube::Resource;
use tokio::time::Instant;

use super::{
    access::Attendance,
    context::{Context, Trouble},
    steps,
};
use crate::{
    api::StudyStatus,
    cluster::{
        cache::{Entry, StudyRecord, Version, Work},
        events::study_events,
        write::CallError,
    },
    study::{self, Identity, Plan, Study, Written, plan, unusable},
};

/// How often, at most, a study's status is written.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);

/// One pass: observe, plan, apply. Gives when to look again even if nothing changes until then.
pub async fn reconcile(context: &Arc<Context>, entry: &Arc<Entry>, own: &mut Attendance) -> Option<Timestamp> {
    let Some(record) = entry.state().record.clone() else {
        steps::release_orphans(context, entry);
        return None;
    };
    let now = (context.clock)();
    let study = match compiled(entry, &record) {
        Ok(study) => study,
        Err(message) => return explain(context, entry, own, &record, &message, now).await,
    };
    let looks_again = own.observe(context, entry, &study, &record, now).await;
    let (version, plan) = {
        let (state, start) = (entry.state(), Instant::now());
        // It may have gone meanwhile: nothing is planned on what is left of it.
        let version = state.record.as_ref()?.version.clone();
        let plan = plan(&study, &state.snapshot, now);
        context.telemetry.planned(start.elapsed());
        (version, plan)
    };
    let Plan {
        steps,
        status,
        again_at,
    } = plan;
    let access = own.access();
    let result = match access {
        Some(access) => steps::apply(context, entry, &study, access, steps).await,
        None => Ok(()),
    };
    let waits = context
        .noted(entry, Work::Study, result)
        .and_then(|wait| later(now, wait));
    let writes = write_status(context, entry, own, &record.identity, &version, status, now).await;
    [again_at, looks_again, waits, writes].into_iter().flatten().min()
}

/// The study compiled, once for each state of its spec.
fn compiled(entry: &Entry, record: &StudyRecord) -> Result<Arc<Study>, String> {
    if let Some(known) = entry.state().study.clone() {
        return known;
    }
    let spec = record.spec.clone();
    let study = spec.and_then(|spec| {
        let compiled = Study::compile(record.identity.clone(), spec, &[]);
        compiled.map(Arc::new).map_err(|errors| errors.to_string())
    });
    let mut state = entry.state();
    // Its spec may have changed meanwhile: then this is of one pass only.
    if state.record.as_ref().is_some_and(|now| now.is_compiled_as(record)) {
        state.set_study(study.clone());
    }
    study
}

/// Says why a study cannot be run, until it is mended.
async fn explain(
    context: &Arc<Context>,
    entry: &Arc<Entry>,
    own: &mut Attendance,
    record: &StudyRecord,
    message: &str,
    now: Timestamp,
) -> Option<Timestamp> {
    let before = entry.state().snapshot.status.clone();
    let why = ("InvalidSpec", message);
    let (status, again) = unusable(&record.identity, record.spec.as_ref().ok(), &before, why, now);
    if record.identity.deleting {
        // What it has written stays: where that is cannot be told.
        steps::release_orphans(context, entry);
        let released = steps::hold_study(context, entry, false).await;
        let wait = context.noted(entry, Work::Study, released)?;
        return later(now, wait);
    }
    let goes_at = record
        .spec
        .as_ref()
        .ok()
        .and_then(|spec| study::deleted_at(spec, &before));
    if goes_at.is_some_and(|at| at <= now) {
        let deleted = steps::delete(context, entry).await;
        let wait = context.noted(entry, Work::Study, deleted)?;
        return later(now, wait);
    }
    let writes = write_status(context, entry, own, &record.identity, &record.version, status, now).await;
    [again, goes_at, writes].into_iter().flatten().min()
}

/// Writes the status where it is new, at most twice a second, over the version that it was planned on. Gives when it has to wait.
async fn write_status(
    context: &Context,
    entry: &Entry,
    own: &mut Attendance,
    identity: &Identity,
    planned_on: &Version,
    status: StudyStatus,
    now: Timestamp,
) -> Option<Timestamp> {
    let (before, version) = {
        let state = entry.state();
        let version = state.record.as_ref()?.version.clone();
        (state.snapshot.status.clone(), version)
    };
    if before == status {
        return None;
    }
    if version != *planned_on {
        // It has changed meanwhile: the next status is planned on what it is.
        return Some(now);
    }
    let due = own
        .status_written
        .and_then(|at| later(at, STATUS_INTERVAL))
        .filter(|due| *due > now);
    if due.is_some() {
        return due;
    }
    let writer = &context.writer;
    let written = writer
        .study_status(&identity.namespace, &identity.name, &version, &status)
        .await;
    // From its end: what takes long does not follow the sooner on what came before.
    own.status_written = Some((context.clock)());
    match written {
        Ok(written) => {
            let reference = written.object_ref(&());
            for note in study_events(&before, &status) {
                context.recorder.note(&reference, note);
            }
            context.cache.answered_study(written);
            context.noted(entry, Work::Status, Ok(()));
            None
        }
        Err(CallError::NotFound) => {
            // It may be gone, and the news of that lost.
            let looked = steps::is_as_seen(context, entry, identity.generation, identity.deleting).await;
            let wait = context.noted(entry, Work::Status, looked.map(|_| ()))?;
            later(now, wait)
        }
        Err(error) => {
            if matches!(error, CallError::Conflict) {
                // Its news are late, or lost: the next try is made on what it is.
                let _ = steps::is_as_seen(context, entry, identity.generation, identity.deleting).await;
            }
            let wait = context.noted(entry, Work::Status, Err(Trouble::Call(error)))?;
            later(now, wait)
        }
    }
}

/// Whether there may be anything to do for a study beyond showing how it ended.
pub fn is_active(study: &Study, snapshot: &study::Snapshot) -> bool {
    let status = &snapshot.status;
    let degraded = |c: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        c.type_ == "StorageDegraded" && c.status == "True"
    };
    !status.phase.is_finished()
        || status.observed_generation != Some(study.generation)
        || study.deleting
        || status.conditions.iter().any(degraded)
        || snapshot.trials.iter().any(|t| !t.is_finished() || t.deleting)
        || !snapshot.requests.is_empty()
        || study::has_deletions(study, snapshot)
        || has_overwritten(snapshot)
}

/// Whether this program has written result files that are others than those of the study's end: it had an old view, and another program ended the study.
fn has_overwritten(snapshot: &study::Snapshot) -> bool {
    let ended = Written::recorded(&snapshot.status);
    snapshot.is_torn || ended.is_some_and(|ended| snapshot.written.is_some_and(|own| own.revision != ended.revision))
}

/// `time` and `wait`.
pub fn later(time: Timestamp, wait: Duration) -> Option<Timestamp> {
    time.checked_add(SignedDuration::try_from(wait).ok()?).ok()
}
