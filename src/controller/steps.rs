//! The effects of a study's plan: its trials' are handed to their own reconciler.

use std::sync::Arc;

use kube::Resource;

use super::{
    context::{Access, Context, Trouble},
    history,
    trial::{self, TrialWork},
};
use crate::{
    api::{
        self, HyperparameterStudy, HyperparameterTrial, ObjectVersion, OnConflict, OnDelete, TrialPhase, TrialSpec,
        TrialStatus,
    },
    cluster::{
        cache::{Entry, STUDY_FINALIZER, Work},
        events::trial_events,
        write::CallError,
    },
    results,
    storage::{ClaimError, Location, Owner, StorageError, Store},
    study::{Action, Folder, Step, Study, Written},
};

/// Does what a plan says, as far as it is still due. What concerns a trial alone goes on in the background.
///
/// # Errors
/// What has to be tried again; the rest of the plan is left out, and made anew then.
pub async fn apply(
    context: &Arc<Context>,
    entry: &Arc<Entry>,
    study: &Arc<Study>,
    access: Arc<Access>,
    steps: Vec<Step>,
) -> Result<(), Trouble> {
    hold(context, entry, study).await?;
    let mut failed = Ok(());
    for step in steps {
        {
            let state = entry.state();
            if state.record.is_none() {
                // Nothing is done for a study that is found to be gone.
                return failed;
            }
            if !step.is_due(study, &state.snapshot) {
                continue;
            }
        }
        let number = match &step.action {
            Action::Start { number, .. }
            | Action::Stop { number, .. }
            | Action::ReadMetrics { number, .. }
            | Action::Record { number, .. }
            | Action::DeleteFolder { number }
            | Action::ReleaseTrial { number } => Some(*number),
            _ => None,
        };
        if is_under_way(entry, &access, &step.action) {
            continue;
        }
        if let Some(number) = number {
            let work = TrialWork {
                context: context.clone(),
                entry: entry.clone(),
                study: study.clone(),
                access: access.clone(),
                number,
            };
            context.begin(entry, Work::Trial(number), work.reconcile(step));
            continue;
        }
        // What failed keeps back what follows, but for trials: what runs is looked after whatever else cannot be done.
        if failed.is_ok() {
            failed = apply_to_study(context, entry, study, &access, step.action).await;
        }
    }
    failed
}

/// Does a step that concerns the study as a whole.
async fn apply_to_study(
    context: &Arc<Context>,
    entry: &Arc<Entry>,
    study: &Arc<Study>,
    access: &Arc<Access>,
    action: Action,
) -> Result<(), Trouble> {
    match action {
        Action::ClaimFolder => claim(context, entry, study, access).await?,
        Action::ReadHistory => history::read(context, entry, study, access).await?,
        Action::CreateTrial {
            number,
            parameters,
            origin,
            continues,
        } => {
            let spec = TrialSpec {
                study_ref: api::StudyRef {
                    name: study.name.clone(),
                },
                number: Some(number),
                parameters,
                origin: Some(origin),
                continues,
                stop: false,
            };
            create(context, study, trial::object(study, number, spec)).await?;
        }
        Action::Admit { request, number } => {
            let status = TrialStatus {
                phase: TrialPhase::Admitted,
                number: Some(number),
                ..TrialStatus::default()
            };
            settle(context, study, &request.name, status).await?;
        }
        Action::Reject {
            request,
            reason,
            message,
        } => {
            let status = TrialStatus {
                phase: TrialPhase::Rejected,
                reason: Some(reason),
                message: Some(message),
                ..TrialStatus::default()
            };
            settle(context, study, &request.name, status).await?;
        }
        Action::WriteResults { revision, report } => {
            let task = write_results(
                context.clone(),
                entry.clone(),
                study.clone(),
                access.clone(),
                revision,
                report,
            );
            context.begin(entry, Work::Results, task);
        }
        Action::RemoveStudyFolder => {
            let (store, folder) = (store(access)?, folder(study)?);
            let removal = remove(context, entry, study, store, &folder, || true);
            if context.telemetry.storage("delete_study_folder", removal).await? {
                entry.note(|state| state.snapshot.folder = Folder::Removed);
            }
        }
        Action::ReleaseStudy => hold_study(context, entry, false).await?,
        Action::DeleteStudy => delete(context, entry).await?,
        _ => {}
    }
    Ok(())
}

/// Whether a step was done already, or cannot be done now: something has to show or to change before it is worth another look. To begin such a step would end at once, which is a reason to plan again, and so on without end.
fn is_under_way(entry: &Entry, access: &Access, action: &Action) -> bool {
    let state = entry.state();
    match action {
        Action::Start { .. } => access.template.is_none(),
        Action::Stop { number, attempt } => state.stopped.contains(&(*number, *attempt)),
        Action::ReleaseTrial { number } => state.trial_record(*number).is_none_or(|record| !record.is_held),
        // What is still being written would be left behind.
        Action::RemoveStudyFolder => state.busy.contains(&Work::Results),
        _ => false,
    }
}

/// Deletes the study, if it still is as it was seen.
///
/// # Errors
/// The API server does not take it.
pub async fn delete(context: &Context, entry: &Entry) -> Result<(), Trouble> {
    let version = entry.state().record.as_ref().map(|r| r.version.clone());
    let (id, version) = (&entry.id, version.unwrap_or_default());
    let deleted = context.writer.delete_study(&id.namespace, &id.name, &id.uid, &version);
    match deleted.await {
        // Nothing is planned any more on what a watch that lags tells of it.
        Err(CallError::NotFound) => context.cache.lost_study(id),
        deleted => deleted?,
    }
    Ok(())
}

/// The study's folder.
///
/// # Errors
/// It is no address.
pub fn folder(study: &Study) -> Result<Location, StorageError> {
    let address = study.folder();
    address.parse().map_err(|_| StorageError::BadName { at: address })
}

/// The study's S3 server.
///
/// # Errors
/// There is no access to it.
pub fn store(access: &Access) -> Result<&Store, Trouble> {
    let why = || access.obstacle.as_ref().map_or_else(String::new, |o| o.message.clone());
    access.store.as_ref().ok_or_else(|| Trouble::NoStore(why()))
}

/// Sees to it that a study whose folder goes with it is not gone before its folder is.
async fn hold(context: &Context, entry: &Entry, study: &Study) -> Result<(), Trouble> {
    let wanted = study.spec.storage.on_delete == OnDelete::Delete;
    let held = entry.state().record.as_ref().is_some_and(|r| r.is_held);
    let finished = entry.state().snapshot.status.phase.is_finished() && entry.state().snapshot.trials.is_empty();
    if study.deleting || wanted == held || finished {
        return Ok(());
    }
    hold_study(context, entry, wanted).await
}

/// Sets or removes the study's finalizer.
///
/// # Errors
/// The API server does not take it.
pub async fn hold_study(context: &Context, entry: &Entry, wanted: bool) -> Result<(), Trouble> {
    if entry.state().record.as_ref().is_none_or(|r| r.is_held == wanted) {
        return Ok(());
    }
    let (writer, id) = (&context.writer, &entry.id);
    let changed = writer
        .set_finalizer::<HyperparameterStudy>(&id.namespace, &id.name, &id.uid, STUDY_FINALIZER, wanted)
        .await;
    match changed {
        Ok(object) => context.cache.answered_study(object),
        Err(CallError::NotFound) => context.cache.lost_study(id),
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

/// Whether the study's folder is still its own: it may have been given to another study since that was looked at.
///
/// # Errors
/// Storage fails.
pub async fn is_ours(entry: &Entry, study: &Study, store: &Store) -> Result<bool, Trouble> {
    let other = foreign(store, &folder(study)?, study, &mut None).await?;
    let is_ours = other.is_none();
    if let Some(other) = other {
        entry.note(|state| state.snapshot.folder = other);
    }
    Ok(is_ours)
}

/// Deletes a folder as long as the study's own is its own, which is looked at before each part goes, and `is_due` holds. False where it had to stop.
///
/// # Errors
/// Storage fails, or the lease is not held any more.
pub async fn remove(
    context: &Context,
    entry: &Entry,
    study: &Study,
    store: &Store,
    folder: &Location,
    is_due: impl Fn() -> bool,
) -> Result<bool, Trouble> {
    let mut deletion = store.deletion(folder)?;
    while let Some(part) = deletion.next().await? {
        if !is_ours(entry, study, store).await? || !is_due() {
            return Ok(false);
        }
        context.may_act()?;
        deletion.delete(&part).await?;
    }
    Ok(true)
}

/// Why a folder that was the study's own is not any more, where that is so.
///
/// # Errors
/// Storage fails.
pub async fn foreign(
    store: &Store,
    folder: &Location,
    study: &Study,
    known: &mut Option<ObjectVersion>,
) -> Result<Option<Folder>, StorageError> {
    let is_foreign = store.is_foreign(folder, &study.uid, known).await?;
    Ok(is_foreign.then(|| {
        let message = format!("{folder} was taken over by another study (storage.onConflict: Overwrite): nothing is written there any more");
        Folder::Refused("FolderRefused".to_owned(), message)
    }))
}

/// Whether the study is still of that generation, and deleted or not; what it is now is taken. A view may be of a time before it was deleted, or
/// before its folder was given to another one.
///
/// # Errors
/// What the API server says.
pub async fn is_as_seen(context: &Context, entry: &Entry, generation: i64, deleting: bool) -> Result<bool, Trouble> {
    let id = &entry.id;
    let found = context.writer.study(&id.namespace, &id.name).await?;
    match found {
        Some(found) if found.metadata.uid.as_ref() == Some(&id.uid) => context.cache.answered_study(found),
        Some(other) => context.cache.replaced_study(id, &other.metadata),
        None => context.cache.lost_study(id),
    }
    let state = entry.state();
    let now = state.record.as_ref().map(|record| &record.identity);
    Ok(now.is_some_and(|now| now.generation == generation && now.deleting == deleting))
}

/// Makes the study's folder its own, or finds out why that cannot be.
///
/// # Errors
/// Storage fails.
pub async fn claim(context: &Context, entry: &Entry, study: &Study, access: &Access) -> Result<(), Trouble> {
    // Once only: what another study has taken over since is not taken back.
    let is_new = entry.state().snapshot.last_number() == 0;
    let overwrite = is_new && !study.deleting && study.spec.storage.on_conflict == OnConflict::Overwrite;
    let owner = Owner {
        uid: study.uid.clone(),
        name: study.name.clone(),
    };
    let (store, folder) = (store(access)?, folder(study)?);
    if !is_as_seen(context, entry, study.generation, study.deleting).await? {
        return Ok(());
    }
    if access.makes_bucket && !study.deleting {
        let made = store.create_bucket(&folder);
        context.telemetry.storage("create_bucket", made).await?;
    }
    let claimed = store.claim(&folder, &owner, overwrite);
    let found = match context.telemetry.storage("claim_folder", claimed).await {
        Ok(()) => Folder::Claimed,
        Err(ClaimError::Storage(error)) => return Err(error.into()),
        // Somebody else was at it at that moment; who has it shows the next time.
        Err(error) if error.is_transient() => return Err(StorageError::Changed { at: folder.to_string() }.into()),
        Err(error) => Folder::Refused("FolderRefused".to_owned(), error.to_string()),
    };
    entry.note(|state| {
        state.snapshot.storage.worked();
        // The study may have been given another folder meanwhile.
        if state.snapshot.generation == Some(study.generation) {
            state.snapshot.folder = found;
        }
    });
    Ok(())
}

async fn create(context: &Context, study: &Study, trial: HyperparameterTrial) -> Result<(), Trouble> {
    let name = trial.metadata.name.clone().unwrap_or_default();
    let created = match context.writer.create_trial(&study.namespace, &trial).await {
        // Created before, by an answer that got lost or a view that lags; or it is another's, and this waits until that is gone.
        Err(CallError::AlreadyExists) => match context.writer.trial(&study.namespace, &name).await? {
            Some(found)
                if found
                    .metadata
                    .owner_references
                    .iter()
                    .flatten()
                    .any(|o| o.uid == study.uid) =>
            {
                found
            }
            Some(_) => {
                let message = format!("a trial named `{name}` is there already and is not this study's: delete it");
                return Err(CallError::Taken(message).into());
            }
            None => return Err(CallError::AlreadyExists.into()),
        },
        created => created?,
    };
    context.cache.answered_trial(created);
    Ok(())
}

/// Notes on a request what becomes of it.
async fn settle(context: &Context, study: &Study, request: &str, status: TrialStatus) -> Result<(), Trouble> {
    let Some(version) = context.cache.request_version(&study.namespace, &study.name, request) else {
        return Ok(());
    };
    let settled = context
        .writer
        .trial_status(&study.namespace, request, &version, &status)
        .await;
    match settled {
        Ok(object) => {
            let reference = object.object_ref(&());
            for note in trial_events(&TrialStatus::default(), &status) {
                context.recorder.note(&reference, note);
            }
            context.cache.answered_trial(object);
        }
        Err(CallError::NotFound) => {}
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

async fn write_results(
    context: Arc<Context>,
    entry: Arc<Entry>,
    study: Arc<Study>,
    access: Arc<Access>,
    revision: u64,
    with_report: bool,
) -> Result<(), Trouble> {
    let (store, folder) = (store(&access)?, folder(&study)?);
    if !entry.state().knows_reports {
        let snapshot = entry.state().snapshot.clone();
        let reports = results::reports(store, &folder, &study, &snapshot);
        let reports = context.telemetry.storage("read_results", reports).await?;
        entry.state().set_reports(reports);
    }
    if !is_ours(&entry, &study, store).await? {
        return Ok(());
    }
    context.may_act()?;
    let snapshot = entry.state().snapshot.clone();
    entry.state().snapshot.is_torn = true;
    let written = results::write(store, &folder, &study, &snapshot, with_report);
    context.telemetry.storage("write_results", written).await?;
    let at = (context.clock)();
    entry.note(|state| {
        state.snapshot.storage.worked();
        state.snapshot.written = Some(Written { revision, at });
        if with_report {
            state.snapshot.reported = state.snapshot.written;
        }
        state.snapshot.is_torn = false;
    });
    Ok(())
}

/// Lets the deleted trials go of a study that is gone, as far as that is certain, or that cannot be read.
pub fn release_orphans(context: &Arc<Context>, entry: &Arc<Entry>) {
    let deleted = entry.state().deleted_trials();
    for number in deleted {
        let (context_, entry_) = (context.clone(), entry.clone());
        let task = async move {
            if is_unseen(&context_, &entry_).await? {
                return Ok(());
            }
            trial::release(context_, entry_, number).await
        };
        context.begin(entry, Work::Trial(number), task);
    }
}

/// Whether a study that is not in view is there all the same: a view may be older of studies than of their trials.
async fn is_unseen(context: &Context, entry: &Entry) -> Result<bool, Trouble> {
    let id = &entry.id;
    if entry.state().record.is_some() || context.cache.is_gone(id) {
        return Ok(false);
    }
    match context.writer.study(&id.namespace, &id.name).await? {
        Some(found) if found.metadata.uid.as_ref() == Some(&id.uid) => {
            context.cache.answered_study(found);
            Ok(true)
        }
        _ => {
            context.cache.lost_study(id);
            Ok(false)
        }
    }
}
