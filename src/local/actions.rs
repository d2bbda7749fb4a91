//! The effects: each of a plan's actions done once.

use std::{fs, sync::Arc};

use jiff::Timestamp;

use super::{
    attempt::Files,
    entry::{Entry, RequestEntry, StatusEntry, TrialEntry, WrittenEntry},
    error::RunError,
    health, orphans,
    process::Order,
    runner::Runner,
};
use crate::{
    api::{self, TrialPhase, TrialStatus},
    history::{self, HistoryError, Recorded},
    metrics::{MAX_BYTES, MetricsError},
    results,
    storage::{ClaimError, Location, NAMESAKE, Owner, StorageError},
    study::{self, Action, Failure, Folder, Memory, Run, RunState},
};

impl Runner {
    /// Does what a step says. Gives whether anything has come of it, so that a new plan is worthwhile.
    pub(super) async fn apply(&mut self, action: Action, now: Timestamp) -> Result<bool, RunError> {
        match action {
            Action::ClaimFolder => self.claim(now).await?,
            Action::ReadHistory => self.read_history(now).await?,
            Action::CreateTrial {
                number,
                parameters,
                origin,
                continues,
            } => {
                self.record(Entry::Trial(Box::new(TrialEntry {
                    number,
                    parameters,
                    origin,
                    continues,
                })))?;
            }
            Action::Admit { request, number } => {
                self.record(Entry::Request(RequestEntry {
                    request,
                    admitted: Some(number),
                    rejected: None,
                }))?;
            }
            Action::Reject { request, message, .. } => {
                self.view
                    .insist(&format!("request {} cannot be run: {message}", request.name));
                self.record(Entry::Request(RequestEntry {
                    request,
                    admitted: None,
                    rejected: Some(message),
                }))?;
            }
            Action::Start { number, attempt } => self.start(number, attempt, now).await?,
            Action::Stop { number, attempt } => return Ok(self.order(number, attempt, Order::Stop)),
            Action::ReadMetrics { number, .. } => self.read_metrics(number, now)?,
            Action::Record { number, status } => {
                if self.is_new_failure(number, &status) {
                    // What fails on a full disk says nothing of the trial: it is run again once there is room.
                    self.check_disk()?;
                }
                self.ledger
                    .record_status(number, (*status).clone(), &self.study.space)?;
                self.view.recorded(number, &status);
            }
            Action::DeleteFolder { number } => self.delete_folder(number, now).await?,
            Action::WriteResults { revision, .. } => self.write_results(revision, now).await?,
            // Nobody deletes a study or a trial here, and a finished study stays as long as its folder.
            Action::ReleaseTrial { .. } | Action::RemoveStudyFolder | Action::ReleaseStudy | Action::DeleteStudy => {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn record(&mut self, entry: Entry) -> Result<(), RunError> {
        Ok(self.ledger.record(entry, &self.study.space)?)
    }

    /// The folder of a trial.
    pub(super) fn trial_folder(&self, number: u32) -> Result<Location, RunError> {
        self.folder
            .trial_folder(number)
            .map_err(|e| RunError::Fault(e.to_string()))
    }

    /// Notes how a call to storage went; what came of it where it went well.
    fn noted<T>(&mut self, result: Result<T, StorageError>, now: Timestamp) -> Result<Option<T>, RunError> {
        match result {
            Ok(value) => {
                self.ledger.storage_mut().worked();
                Ok(Some(value))
            }
            Err(error) => {
                self.check_disk()?;
                self.view.say(&format!("storage fails and is tried again: {error}"));
                self.ledger.storage_mut().failed(error.to_string(), now);
                Ok(None)
            }
        }
    }

    /// Whether a status that is to be recorded counts an attempt, or the whole trial, as failed.
    fn is_new_failure(&self, number: u32, status: &TrialStatus) -> bool {
        let before = self.ledger.snapshot().trial(number).map_or(0, |t| t.status.failures);
        status.phase == TrialPhase::Failed || status.failures > before
    }

    /// A disk that is full ends the run: waiting does not make room.
    fn check_disk(&self) -> Result<(), RunError> {
        let full = health::full_disk(&self.layout.state(), self.server.full());
        full.map_or(Ok(()), |message| Err(RunError::Fault(message)))
    }

    async fn claim(&mut self, now: Timestamp) -> Result<(), RunError> {
        let overwrite = self.study.spec.storage.on_conflict == api::OnConflict::Overwrite;
        let owner = Owner {
            uid: self.study.uid.clone(),
            name: self.study.name.clone(),
        };
        let claimed = match self.store.create_bucket(&self.folder).await {
            Ok(()) => self.store.claim(&self.folder, &owner, overwrite).await,
            Err(error) => Err(ClaimError::Storage(error)),
        };
        match claimed {
            Ok(()) => {
                self.noted(Ok(()), now)?;
                if overwrite && let Err(error) = self.server.prune(&self.folder) {
                    self.view.say(&format!("cannot remove emptied folders: {error}"));
                }
                self.ledger.set_folder(Folder::Claimed);
            }
            Err(ClaimError::Storage(error)) => {
                self.noted(Err::<(), _>(error), now)?;
            }
            Err(refusal) => {
                let mut message = refusal.to_string();
                if matches!(&refusal, ClaimError::Owned { other, .. } if other == NAMESAKE) {
                    let journal = self.ledger.path();
                    message.push_str("; if that was this study, its journal is missing: ");
                    message.push_str(&journal.display().to_string());
                }
                self.ledger
                    .set_folder(Folder::Refused("FolderRefused".to_owned(), message));
            }
        }
        Ok(())
    }

    /// Finds out what earlier studies found: as it is recorded, or from the sources.
    async fn read_history(&mut self, now: Timestamp) -> Result<(), RunError> {
        let (store, folder, study) = (&self.store, &self.folder, &self.study);
        let is_new = self.ledger.snapshot().last_number() == 0;
        let mut is_told = false;
        let found = match history::recorded(store, folder, study, is_new).await {
            Ok(Recorded::Not(before)) => match self.sources.gather(study) {
                Ok(earlier) => {
                    is_told = true;
                    history::record(store, folder, study, &earlier, before.as_ref()).await
                }
                Err(error) => Err(error),
            },
            Ok(Recorded::Here(earlier)) => Ok(earlier),
            Err(error) => Err(error),
        };
        match found {
            Ok(earlier) => {
                if is_told {
                    self.view.insist(&format!("history: {}", earlier.note));
                }
                self.ledger.storage_mut().worked();
                self.ledger.set_memory(Memory::Known(Arc::new(earlier)));
            }
            Err(HistoryError::Storage(error)) => {
                self.noted(Err::<(), _>(error), now)?;
            }
            Err(other) => return Err(RunError::Fault(other.to_string())),
        }
        Ok(())
    }

    async fn start(&mut self, number: u32, attempt: u32, now: Timestamp) -> Result<(), RunError> {
        let folder = self.trial_folder(number)?;
        let path = self
            .server
            .path_of(&folder)
            .map_err(|e| RunError::Fault(e.to_string()))?;
        let cannot = |error| RunError::Fault(format!("cannot create {}: {error}", path.display()));
        if attempt > 1 {
            // What an earlier attempt has left running would write into this one's folder.
            let ended = self
                .layout
                .mark(&self.study.uid)
                .map(|mark| orphans::end_all(&mark, Some(number)));
            ended?.map_err(|e| RunError::Fault(e.to_string()))?;
        }
        // What an attempt has put in the place of its folder goes, and never what it leads to.
        self.server.make_way(&folder).map_err(cannot)?;
        let mut left = Vec::new();
        if path.exists() {
            match self.noted(self.store.empty_folder(&folder).await, now)? {
                Some(leftovers) => left = leftovers,
                None => return Ok(()),
            }
        }
        fs::create_dir_all(&path).map_err(cannot)?;
        let Some(trial) = self.ledger.snapshot().trial(number) else {
            return Ok(());
        };
        let metrics = self.metrics_file(number)?;
        let stale = left.into_iter().find(|l| l.key == metrics.key()).map(|l| l.version);
        let status = study::started(&self.study, number, &trial.status, attempt, now);
        let status = TrialStatus {
            stale_metrics: stale,
            ..status
        };
        // Recorded first: should this program be killed now, the next one knows that something may run.
        self.ledger.record_status(number, status, &self.study.space)?;
        let files = Files {
            output: path,
            log: self.layout.log(number, attempt),
            scratch: self.layout.scratch(number, attempt),
        };
        let Some(trial) = self.ledger.snapshot().trial(number) else {
            return Ok(());
        };
        match self
            .program
            .prepare(&self.study, trial, attempt, &self.environment, &files)
        {
            Ok(prepared) => {
                self.view.started(number, attempt, &trial.parameters);
                self.spawn(number, attempt, prepared);
            }
            Err(message) => {
                self.ledger
                    .set_run(number, attempt, RunState::Failed(Failure::Refused, message));
            }
        }
        Ok(())
    }

    fn metrics_file(&self, number: u32) -> Result<Location, RunError> {
        let folder = self.trial_folder(number)?;
        folder
            .join(self.study.spec.trial.metrics.file())
            .map_err(|e| RunError::Fault(e.to_string()))
    }

    fn read_metrics(&mut self, number: u32, now: Timestamp) -> Result<(), RunError> {
        let at = self.metrics_file(number)?;
        let trial = self.ledger.snapshot().trial(number);
        let stale = trial.and_then(|t| t.status.stale_metrics.clone());
        // What was ended may have been writing.
        let stopped = |run: &Run| matches!(run.state, RunState::Failed(Failure::Stopped, _));
        let is_torn = trial.and_then(|t| t.run.as_ref()).is_some_and(stopped);
        let read = match self.server.read(&at, MAX_BYTES) {
            Err(StorageError::TooLarge { .. }) => {
                Err(MetricsError::MetricsTooLarge(format!("{} MiB", MAX_BYTES >> 20)))
            }
            Err(StorageError::Local { path, source }) if is_of_its_making(&source) => {
                Err(MetricsError::MetricsUnreadable(format!("{}: {source}", path.display())))
            }
            other => match self.noted(other, now)? {
                None => return Ok(()),
                Some(found) => match found.filter(|object| stale.as_ref() != Some(&object.version)) {
                    None => Err(MetricsError::MetricsMissing(at.to_string())),
                    Some(object) if is_torn => self.study.objective.read_unfinished(&object.bytes),
                    Some(object) => self.study.objective.read(&object.bytes),
                },
            },
        };
        if let Some(trial) = self.ledger.trial_mut(number) {
            trial.metrics = Some(read);
        }
        Ok(())
    }

    async fn delete_folder(&mut self, number: u32, now: Timestamp) -> Result<(), RunError> {
        let folder = self.trial_folder(number)?;
        // Storage follows a link in the place of the folder, to files that are not the trial's to lose.
        if let Err(source) = self.server.make_way(&folder) {
            let path = folder.to_string().into();
            self.noted(Err::<(), _>(StorageError::Local { path, source }), now)?;
            return Ok(());
        }
        if self.noted(self.store.delete_folder(&folder).await, now)?.is_none() {
            return Ok(());
        }
        // Empty folders, which S3 does not know of.
        if let Err(error) = self.server.remove_folder(&folder) {
            self.view
                .say(&format!("cannot remove the folder of trial {number}: {error}"));
        }
        let status = self.ledger.snapshot().trial(number).map(|t| t.status.clone());
        if let Some(status) = status {
            let status = TrialStatus {
                files: Some(api::Files::Deleted),
                ..status
            };
            self.record(Entry::Status(Box::new(StatusEntry { number, status })))?;
        }
        Ok(())
    }

    pub(super) async fn write_results(&mut self, revision: u64, now: Timestamp) -> Result<(), RunError> {
        // On one machine the report costs little: it is never left out.
        let written = results::write(&self.store, &self.folder, &self.study, self.ledger.snapshot(), true).await;
        if self.noted(written, now)?.is_some() {
            self.record(Entry::Written(WrittenEntry { revision, at: now }))?;
        }
        Ok(())
    }
}

/// Whether a file cannot be read because of what its own trial did: no right to read it, or links that lead in a circle.
fn is_of_its_making(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
        || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}
