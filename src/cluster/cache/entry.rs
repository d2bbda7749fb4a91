//! One study with its trials and Workflows, as a snapshot that is kept up to date.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::{sync::Notify, time::Instant};

use super::{
    record::{StudyRecord, TrialRecord, Version, WorkflowRecord},
    runs::number_of,
};
use crate::{
    api::HyperparameterTrial,
    metrics::{MetricsError, Reading, Report},
    study::{Folder, Memory, Snapshot, Study, Trial, Written},
};

/// What is being done for a study, so that it is not begun a second time before it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// Something about a trial.
    Trial(u32),
    /// The result files.
    Results,
    /// What concerns the study as a whole.
    Study,
    /// Its status.
    Status,
    /// A look at the Workflow that owns the study.
    Owner,
}

/// Why a Workflow has to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is over and did not succeed: why?
    Ended,
    /// It is not in view: is it gone?
    Missing,
}

/// Which study an object is of. Its UID alone would do, were it not that anybody may write one into an object of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StudyId {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// One study.
#[derive(Debug)]
pub struct Entry {
    /// Which one.
    pub id: StudyId,
    /// Told whenever anything has changed.
    pub changed: Notify,
    state: Mutex<State>,
}

/// How a piece of work has failed.
#[derive(Debug, Default)]
pub struct Failed {
    /// How often in a row.
    pub times: u32,
    /// Why the API server does not take it, where that is what failed: a reason and a message.
    pub refusal: Option<(String, String)>,
}

/// What is known of one study.
#[derive(Debug, Default)]
pub struct State {
    /// The study itself, once it was seen and until it is gone.
    pub record: Option<StudyRecord>,
    /// The study compiled, or why it cannot be; absent until it is needed.
    pub study: Option<Result<Arc<Study>, String>>,
    /// What the plan is made on.
    pub snapshot: Snapshot,
    /// What is being done.
    pub busy: BTreeSet<Work>,
    /// What has failed, until it works.
    pub failures: BTreeMap<Work, Failed>,
    /// The attempts that were asked to end, so that they are asked once.
    pub stopped: BTreeSet<(u32, u32)>,
    /// Whether what the study needs of its surroundings has to be looked at again at once.
    pub is_access_stale: bool,
    /// Whether it was announced to whoever attends to studies.
    pub is_announced: bool,
    /// Whether it is in the cache no more.
    pub is_forgotten: bool,
    /// Whether what trials reported before this program began is known.
    pub knows_reports: bool,
    pub(super) id: StudyId,
    pub(super) trials: BTreeMap<u32, TrialRecord>,
    pub(super) workflows: BTreeMap<String, WorkflowRecord>,
}

impl Entry {
    /// A study of which nothing else is known.
    pub fn new(id: StudyId) -> Self {
        let state = State {
            id: id.clone(),
            ..State::default()
        };
        Self {
            id,
            changed: Notify::new(),
            state: Mutex::new(state),
        }
    }

    /// What is known now. Held for no longer than it takes to look or to note.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes something, and tells whoever waits for a change.
    pub fn note<T>(&self, note: impl FnOnce(&mut State) -> T) -> T {
        let noted = note(&mut self.state());
        self.changed.notify_one();
        noted
    }
}

impl State {
    /// Takes a newer state of the study. What was compiled stays as long as the spec does.
    pub fn take_study(&mut self, record: StudyRecord, status: crate::api::StudyStatus) {
        if let Some(known) = &mut self.record
            && record.version.is_older_than(&known.version)
        {
            // It was listed all the same.
            known.epoch = known.epoch.max(record.epoch);
            return;
        }
        let old = self.record.as_ref();
        let same = old.is_some_and(|old| old.is_compiled_as(&record));
        if !same {
            self.study = None;
            if status.start_time.is_none() {
                // It may have another place now, and another history.
                self.snapshot.folder = Folder::Unclaimed;
                self.snapshot.memory = Memory::Unread;
            }
        }
        if self.snapshot.written.is_none() {
            self.snapshot.written = Written::recorded(&status);
            self.snapshot.reported = self.snapshot.written;
        }
        self.snapshot.status = status;
        self.snapshot.generation = Some(record.identity.generation);
        if self.record.replace(record).is_none() {
            self.snapshot.shows_study();
        }
    }

    /// Takes a newer state of one of its numbered trials.
    pub fn take_trial(&mut self, number: u32, object: HyperparameterTrial, epoch: u64) {
        let version = Version::of(&object.metadata);
        let uid = object.metadata.uid.clone().unwrap_or_default();
        let confirmed = self
            .trials
            .get(&number)
            .filter(|known| known.uid == uid)
            .and_then(|known| known.confirmed);
        let (begun, gone) = match self.trials.get_mut(&number) {
            Some(known) if version.is_older_than(&known.version) => {
                known.epoch = known.epoch.max(epoch);
                return;
            }
            Some(known) if known.uid == uid => (known.begun, known.gone),
            _ => (None, None),
        };
        // Without the study nobody knows yet which ones were let go.
        self.snapshot.shows(number, self.record.is_some());
        let record = TrialRecord {
            uid,
            confirmed,
            is_held: super::record::has_finalizer(&object.metadata, super::TRIAL_FINALIZER),
            version,
            begun,
            gone,
            epoch,
        };
        self.trials.insert(number, record);
        let space = match &self.study {
            Some(Ok(study)) => Some(&study.space),
            _ => None,
        };
        let trials = &mut self.snapshot.trials;
        let index = trials.binary_search_by_key(&number, |t| t.number).unwrap_or_else(|at| {
            let trial = Trial {
                number,
                config: space.and_then(|space| space.parse(&object.spec.parameters)),
                parameters: object.spec.parameters,
                origin: object.spec.origin.unwrap_or_default(),
                continues: object.spec.continues,
                ..Trial::default()
            };
            trials.insert(at, trial);
            at
        });
        if let Some(trial) = trials.get_mut(index) {
            trial.stop = object.spec.stop;
            trial.deleting = object.metadata.deletion_timestamp.is_some();
            trial.take(object.status.unwrap_or_default());
            if trial.is_finished() {
                // Its Workflow is of no interest any more.
                let own = format!("-{number}-");
                self.workflows
                    .retain(|name, _| !name.contains(&own) || number_of(name) != Some(number));
            }
        }
        self.find_run(number);
    }

    /// Notes that the API server itself shows a trial in that version, not only the view of a watch, which may be an old one.
    pub fn confirm_trial(&mut self, number: u32, version: &Version) {
        let known = self.trials.get_mut(&number);
        if let Some(record) = known.filter(|known| known.version == *version) {
            record.confirmed = Some(Instant::now());
        }
    }

    /// Forgets a trial.
    pub fn drop_trial(&mut self, number: u32) {
        self.trials.remove(&number);
        self.snapshot.missing.remove(&number);
        self.snapshot.trials.retain(|t| t.number != number);
        self.worked(Work::Trial(number));
    }

    /// Notes that a piece of work failed; gives how often it had before.
    pub fn failed(&mut self, work: Work, refusal: Option<(String, String)>) -> u32 {
        let failed = self.failures.entry(work).or_default();
        let before = failed.times;
        *failed = Failed {
            times: before.saturating_add(1),
            refusal,
        };
        self.tell_refusal();
        before
    }

    /// Notes that a piece of work was done, or is not to be done any more.
    pub fn worked(&mut self, work: Work) {
        if self.failures.remove(&work).is_some() {
            self.tell_refusal();
        }
    }

    /// The first of what is not taken, so that the same is told as long as it lasts.
    fn tell_refusal(&mut self) {
        let refused = self
            .failures
            .iter()
            .filter_map(|(work, failed)| Some((work, failed.refusal.as_ref()?)));
        let first = refused.min_by_key(|(work, _)| **work);
        self.snapshot.refusal = first.map(|(_, why)| why.clone());
    }

    /// Notes what a trial's metrics say, if its run still stands as it did when they were asked for.
    pub fn set_metrics(&mut self, asked: &Trial, reading: Result<Reading, MetricsError>) {
        if let Some(trial) = self.still(asked) {
            trial.metrics = Some(reading);
        }
    }

    /// Notes what a trial's metrics file says, as it was read at `now`, likewise. One that is missed for the first time says nothing yet.
    pub fn set_metrics_file(&mut self, asked: &Trial, reading: Result<Reading, MetricsError>, now: Timestamp) {
        let is_missing = matches!(reading, Err(MetricsError::MetricsMissing(_)));
        match self.still(asked) {
            Some(trial) if is_missing && trial.missed_at.is_none() => trial.missed_at = Some(now),
            Some(trial) => trial.metrics = Some(reading),
            None => {}
        }
    }

    /// A trial, if its run stands as it did then.
    fn still(&mut self, asked: &Trial) -> Option<&mut Trial> {
        let trial = self.trial_mut(asked.number)?;
        (trial.status.attempt == asked.status.attempt && trial.run == asked.run).then_some(trial)
    }

    /// Keeps what a trial reported on its way, for the results, before its metrics are forgotten.
    pub fn keep_reports(&mut self, number: u32) {
        if let Some(trial) = self.trial_mut(number)
            && let Some(Ok(reading)) = &trial.metrics
        {
            trial.reports = reading.reports.clone().into();
        }
    }

    /// Takes what trials reported before this program began.
    pub fn set_reports(&mut self, reports: BTreeMap<u32, Vec<(f64, Report)>>) {
        for (number, reports) in reports {
            if let Some(trial) = self.trial_mut(number).filter(|t| t.reports.is_empty()) {
                trial.reports = reports.into();
            }
        }
        self.knows_reports = true;
    }

    pub(super) fn trial_mut(&mut self, number: u32) -> Option<&mut Trial> {
        let index = self.snapshot.trials.binary_search_by_key(&number, |t| t.number).ok()?;
        self.snapshot.trials.get_mut(index)
    }

    /// Forgets what a listing that began at `epoch` did not name any more.
    pub fn drop_trials_before(&mut self, epoch: u64) {
        let old = self.trials.iter().filter(|(_, r)| r.epoch < epoch);
        for number in old.map(|(n, _)| *n).collect::<Vec<_>>() {
            self.drop_trial(number);
            self.snapshot.missing.insert(number);
        }
    }

    /// What writes to a trial need.
    pub fn trial_record(&self, number: u32) -> Option<&TrialRecord> {
        self.trials.get(&number)
    }

    /// The numbers of the trials that were deleted and are held back by us.
    pub fn deleted_trials(&self) -> Vec<u32> {
        let held = |t: &&Trial| t.deleting && self.trials.get(&t.number).is_some_and(|r| r.is_held);
        self.snapshot.trials.iter().filter(held).map(|t| t.number).collect()
    }

    /// Whether nothing is known of it any more.
    pub fn is_empty(&self) -> bool {
        self.record.is_none() && self.trials.is_empty() && self.busy.is_empty()
    }

    /// Fills in what only the compiled study can say of its trials.
    pub fn set_study(&mut self, study: Result<Arc<Study>, String>) {
        if let Ok(study) = &study {
            for trial in &mut self.snapshot.trials {
                trial.config = study.space.parse(&trial.parameters);
            }
        }
        self.study = Some(study);
    }
}
