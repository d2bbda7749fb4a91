//! What earlier studies found: read when a study is about to begin, recorded in its folder, and from then on read there.

use std::sync::Arc;

use super::{
    context::{Access, Context, Trouble},
    steps,
    study::later,
};
use crate::{
    cluster::cache::Entry,
    history::{self, Gathering, HistoryError, Recorded},
    results,
    storage::Store,
    study::{Earlier, HISTORY_INTERVAL, Memory, Source, Study},
};

/// Finds out what earlier studies found, as it is recorded or else from the sources.
///
/// # Errors
/// The study's own storage fails. That a source cannot be read is no error but noted, and tried again.
pub async fn read(context: &Context, entry: &Entry, study: &Study, access: &Access) -> Result<(), Trouble> {
    let (store, folder) = (steps::store(access)?, steps::folder(study)?);
    let is_new = entry.state().snapshot.last_number() == 0;
    let telemetry = &context.telemetry;
    let find = async {
        let recorded = history::recorded(store, &folder, study, is_new);
        let before = match telemetry.storage("read_history", recorded).await? {
            Recorded::Here(earlier) => return Ok(earlier),
            Recorded::Not(before) => before,
        };
        let gathered = gather(context, study, access, store);
        let earlier = telemetry.storage("read_history_sources", gathered).await?;
        let record = history::record(store, &folder, study, &earlier, before.as_ref());
        telemetry.storage("write_history", record).await
    };
    let found = match find.await {
        Ok(earlier) => {
            tracing::info!(
                study = study.name,
                namespace = study.namespace,
                "history: {}",
                earlier.note
            );
            Memory::Known(Arc::new(earlier))
        }
        Err(HistoryError::Storage(error)) => return Err(error.into()),
        Err(other) => {
            let now = (context.clock)();
            Memory::Unreadable(other.to_string(), later(now, HISTORY_INTERVAL).unwrap_or(now))
        }
    };
    entry.note(|state| {
        // The study may have been given another history meanwhile.
        if state.snapshot.generation == Some(study.generation) {
            state.snapshot.memory = found;
        }
    });
    Ok(())
}

/// What all sources give together.
async fn gather(context: &Context, study: &Study, access: &Access, store: &Store) -> Result<Earlier, HistoryError> {
    let mut all = Gathering::new(study);
    for source in &study.history {
        let place = all.place();
        let bytes = match source {
            Source::Table(address) | Source::File(address) => {
                let at = history::location(address)?;
                if access.is_own && !context.connector.may_serve(&study.namespace, &at) {
                    let namespace = &study.namespace;
                    let message = format!(
                        "credentials of hyperstudy's own, which this study uses, do not serve {at} for studies in the namespace `{namespace}`: \
                         its controller would have to be started with --allow-ambient-credentials {namespace}={at}"
                    );
                    return Err(HistoryError::Unreadable { place, message });
                }
                history::table(store, &at, place).await?
            }
            Source::Study(name) => table(context, study, name, place)?,
        };
        all.add(source, &bytes)?;
    }
    Ok(all.finish())
}

/// The results of another study of the same namespace, out of its trials: where its files are, and whether they may be read, does not matter.
fn table(context: &Context, study: &Study, name: &str, place: String) -> Result<Vec<u8>, HistoryError> {
    let at = format!("study `{name}` in the namespace `{}`", study.namespace);
    let Some(entry) = context.cache.study(&study.namespace, name) else {
        return Err(HistoryError::Missing { place, at });
    };
    let (spec, trials) = {
        let state = entry.state();
        let spec = state.record.as_ref().map(|record| record.spec.clone());
        (spec, state.snapshot.trials.clone())
    };
    match spec {
        Some(Ok(spec)) => Ok(results::table(name, &entry.id.uid, &spec, &trials)),
        Some(Err(_)) => Err(HistoryError::Unreadable {
            place,
            message: format!("the {at} cannot be understood by this version of hyperstudy"),
        }),
        None => Err(HistoryError::Missing { place, at }),
    }
}
