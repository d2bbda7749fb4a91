//! The reconciler of a trial: its Workflow, its metrics, its folder, its status.
//!
//! What is to be done is decided by the study's plan; here it is done, if it is still due, and what came of it goes back into the cache.

mod run;

use std::sync::Arc;

use kube::Resource;

use super::{
    context::{Access, Context, Trouble},
    steps,
};
use crate::{
    api::{self, Files, HyperparameterTrial, TrialStatus},
    cluster::{
        Workflow,
        cache::{Entry, TRIAL_FINALIZER, TrialRecord, Version},
        events::trial_events,
        write::{CallError, as_value},
    },
    metrics::{MAX_BYTES, MetricsError, Reading},
    storage::{Location, StorageError, Store},
    study::{self, Action, Failure, Requirement, RunState, Step, Study, Trial},
    workflow::{self, Owner, Template},
};

/// One trial and what its reconciler works with.
#[derive(Clone, Debug)]
pub struct TrialWork {
    /// What all studies share.
    pub context: Arc<Context>,
    /// The study as it was seen.
    pub entry: Arc<Entry>,
    /// The study.
    pub study: Arc<Study>,
    /// Its surroundings.
    pub access: Arc<Access>,
    /// The trial's number.
    pub number: u32,
}

impl TrialWork {
    /// Does what a step of the plan says, if it is still due.
    ///
    /// # Errors
    /// What has to be tried again.
    pub async fn reconcile(self, step: Step) -> Result<(), Trouble> {
        let Some((trial, record)) = self.observe(&step) else {
            return Ok(());
        };
        match step.action {
            Action::Start { attempt, .. } => self.start(&step, trial, record, attempt).await,
            Action::Stop { attempt, .. } => self.stop(&record, attempt).await,
            Action::ReadMetrics { attempt, .. } => self.read_metrics(&trial, attempt).await,
            Action::Record { ref status, .. } => self.record(&step, &record, (**status).clone()).await,
            Action::DeleteFolder { .. } => self.delete_folder(&step).await,
            Action::ReleaseTrial { .. } if record.is_held => release(self.context, self.entry, self.number).await,
            _ => Ok(()),
        }
    }

    /// The trial as it is now, where the step is still due.
    fn observe(&self, step: &Step) -> Option<(Trial, TrialRecord)> {
        let state = self.entry.state();
        let trial = state.snapshot.trial(self.number)?.clone();
        let record = state.trial_record(self.number)?.clone();
        step.is_due(&self.study, &state.snapshot).then_some((trial, record))
    }

    fn namespace(&self) -> &str {
        &self.study.namespace
    }

    fn name(&self) -> String {
        self.study.trial_name(self.number)
    }

    fn store(&self) -> Result<&Store, Trouble> {
        let why = || {
            self.access
                .obstacle
                .as_ref()
                .map_or_else(String::new, |o| o.message.clone())
        };
        self.access.store.as_ref().ok_or_else(|| Trouble::NoStore(why()))
    }

    fn folder(&self) -> Result<Location, StorageError> {
        let address = self.study.trial_folder(self.number);
        address.parse().map_err(|_| StorageError::BadName { at: address })
    }

    /// Storage works, as a call to it has shown.
    fn works(&self) {
        let mut state = self.entry.state();
        if state.snapshot.storage.failing_since.is_some() {
            state.snapshot.storage.worked();
        }
    }

    /// Empties the folder and creates the attempt's Workflow, then records it.
    async fn start(&self, step: &Step, mut trial: Trial, mut record: TrialRecord, attempt: u32) -> Result<(), Trouble> {
        let Some(template) = &self.access.template else {
            return Ok(());
        };
        let (store, folder) = (self.store()?, self.folder()?);
        let name = self.study.run_name(self.number, attempt);
        let telemetry = &self.context.telemetry;
        let is_empty = telemetry.storage("list", store.is_empty(&folder)).await?;
        self.works();
        if !is_empty {
            // What is there may be this very attempt's: then the Workflow exists although nobody here has seen it yet.
            if let Some(found) = self.context.writer.workflow(self.namespace(), &name).await? {
                return Ok(self.found(&name, &record, &found)?);
            }
            // Or its outcome's, which others have recorded since, while storage took its time.
            let Some(newest) = self.ask(step, &record).await? else {
                return Ok(());
            };
            (trial, record) = newest;
            if !steps::is_ours(&self.entry, &self.study, store).await? {
                return Ok(());
            }
            self.context.may_act()?;
            let left = telemetry.storage("empty_folder", store.empty_folder(&folder)).await?;
            let metrics = folder.join(self.study.spec.trial.metrics.file());
            let metrics = metrics.map_err(|_| StorageError::BadName { at: folder.to_string() })?;
            let stale = left.into_iter().find(|l| l.key == metrics.key()).map(|l| l.version);
            if stale != trial.status.stale_metrics {
                // Recorded before anything runs, so that the old file is never taken for a new one.
                trial.status.stale_metrics = stale;
                record.version = self.write(&record, &trial.status).await?;
            }
        }
        if !record.is_fresh() {
            // What a watch shows may be long over.
            let Some(newest) = self.ask(step, &record).await? else {
                return Ok(());
            };
            (trial, record) = newest;
        }
        let owner = Owner {
            name: self.name(),
            uid: record.uid.clone(),
        };
        self.context.may_act()?;
        if !self.entry.state().begins(self.number, &self.study, step) {
            // While storage was looked at, somebody has suspended the study, or stopped the trial, or another one has taken the last room.
            return Ok(());
        }
        let created = self.create_workflow(template, &trial, attempt, &owner, &record).await;
        self.entry.note(|state| state.started(self.number));
        created?;
        let now = (self.context.clock)();
        let status = study::started(&self.study, self.number, &trial.status, attempt, now);
        self.write(&record, &status).await.map(|_| ())
    }

    /// The trial as the API server itself shows it, where it is still the one that was seen and the step is still due.
    async fn ask(&self, step: &Step, record: &TrialRecord) -> Result<Option<(Trial, TrialRecord)>, Trouble> {
        self.ask_api(self.number, record).await?;
        Ok(self.observe(step).filter(|(_, newest)| newest.uid == record.uid))
    }

    /// Takes a trial of the study as the API server has it, unless that was just done.
    async fn ask_for(&self, number: u32) -> Result<(), Trouble> {
        let known = self.entry.state().trial_record(number).cloned();
        match known.filter(|known| !known.is_fresh()) {
            Some(known) => self.ask_api(number, &known).await,
            None => Ok(()),
        }
    }

    async fn ask_api(&self, number: u32, known: &TrialRecord) -> Result<(), Trouble> {
        let name = self.study.trial_name(number);
        match self.context.writer.trial(self.namespace(), &name).await? {
            Some(found) if found.metadata.uid.as_ref() == Some(&known.uid) => self.take(found),
            _ => self.context.cache.lost_trial(&self.entry.id, number, &known.uid),
        }
        Ok(())
    }

    /// Creates an attempt's Workflow, or finds the one that was created before.
    async fn create_workflow(
        &self,
        template: &Template,
        trial: &Trial,
        attempt: u32,
        owner: &Owner,
        record: &TrialRecord,
    ) -> Result<(), Trouble> {
        let name = self.study.run_name(self.number, attempt);
        let id = self.context.instance_id.as_deref();
        let created = match workflow::manifest(&self.study, template, trial, attempt, owner, id) {
            Ok(manifest) => match serde_json::from_value::<Workflow>(manifest) {
                Ok(manifest) => self.context.writer.create_workflow(self.namespace(), &manifest).await,
                Err(error) => Err(CallError::Invalid(error.to_string())),
            },
            Err(message) => Err(CallError::Invalid(message)),
        };
        let found = match created {
            // What is refused now may have been taken before, by a call whose answer got lost or that another controller made.
            Err(CallError::AlreadyExists | CallError::Invalid(_)) => {
                self.context.writer.workflow(self.namespace(), &name).await?
            }
            _ => None,
        };
        match (created, found) {
            (Ok(workflow), _) | (Err(_), Some(workflow)) => self.found(&name, record, &workflow)?,
            (Err(CallError::AlreadyExists), None) => return Err(CallError::Conflict.into()),
            (Err(CallError::Invalid(message)), None) => self.refused(&name, record, message),
            (Err(other), None) => return Err(other.into()),
        }
        Ok(())
    }

    async fn read_metrics(&self, trial: &Trial, attempt: u32) -> Result<(), Trouble> {
        if self.study.spec.trial.metrics.workflow_outputs.is_none() {
            let reading = self.read_file(trial).await?;
            let now = (self.context.clock)();
            self.entry.note(|state| state.set_metrics_file(trial, reading, now));
            return Ok(());
        }
        let name = self.study.run_name(self.number, attempt);
        let reading = match self.context.writer.workflow(self.namespace(), &name).await? {
            Some(workflow) => self.study.objective.read(&workflow::outputs(&as_value(&workflow))),
            None => {
                // However it ended, what it said went with it.
                self.entry.note(|state| {
                    state.drop_workflow(&name);
                    state.set_gone(self.number, attempt);
                });
                Err(MetricsError::MetricsMissing(format!(
                    "the outputs of the Workflow {name}"
                )))
            }
        };
        self.entry.note(|state| state.set_metrics(trial, reading));
        Ok(())
    }

    async fn read_file(&self, trial: &Trial) -> Result<Result<Reading, MetricsError>, Trouble> {
        let folder = self.folder()?;
        let at = folder.join(self.study.spec.trial.metrics.file());
        let at = at.map_err(|_| StorageError::BadName { at: folder.to_string() })?;
        let found = match self
            .context
            .telemetry
            .storage("read_metrics", self.store()?.read(&at, MAX_BYTES))
            .await
        {
            Err(StorageError::TooLarge { .. }) => {
                return Ok(Err(MetricsError::MetricsTooLarge(format!("{} MiB", MAX_BYTES >> 20))));
            }
            found => found?,
        };
        self.works();
        // What was ended may have been writing.
        let stopped = |run: &study::Run| matches!(run.state, RunState::Failed(Failure::Stopped, _));
        let is_torn = trial.run.as_ref().is_some_and(stopped);
        let is_new = |object: &crate::storage::Object| trial.status.stale_metrics.as_ref() != Some(&object.version);
        Ok(match found.filter(is_new) {
            None => Err(MetricsError::MetricsMissing(at.to_string())),
            Some(object) if is_torn => self.study.objective.read_unfinished(&object.bytes),
            Some(object) => self.study.objective.read(&object.bytes),
        })
    }

    async fn record(&self, step: &Step, record: &TrialRecord, status: TrialStatus) -> Result<(), Trouble> {
        for requirement in &step.requires {
            if let Requirement::NoRun { attempt, .. } = requirement {
                let name = self.study.run_name(self.number, *attempt);
                let found = self.context.writer.workflow(self.namespace(), &name).await?;
                if found.is_some_and(|found| self.found(&name, record, &found).is_ok()) {
                    return Ok(());
                }
            }
        }
        self.entry.state().keep_reports(self.number);
        match self.write(record, &status).await {
            // What a program wrote must not keep its trial from ending: the objective counts, the rest can be read in S3.
            Err(Trouble::Call(CallError::Invalid(why))) => {
                let plain = study::without_metrics(status, &why);
                self.write(record, &plain).await.map(|_| ())
            }
            written => written.map(|_| ()),
        }
    }

    async fn delete_folder(&self, step: &Step) -> Result<(), Trouble> {
        let (store, folder) = (self.store()?, self.folder()?);
        let telemetry = &self.context.telemetry;
        let better = step.requires.iter().find_map(|r| match r {
            Requirement::Surpassed { by, .. } => Some(by.as_slice()),
            _ => None,
        });
        for number in better.unwrap_or_default() {
            // One of those that it gives way to may have been deleted, unseen by us.
            self.ask_for(*number).await?;
        }
        let is_due = || self.observe(step).is_some();
        let removal = steps::remove(&self.context, &self.entry, &self.study, store, &folder, is_due);
        let is_gone = telemetry.storage("delete_folder", removal).await?;
        let Some((trial, record)) = self.observe(step).filter(|_| is_gone) else {
            return Ok(());
        };
        self.works();
        let status = TrialStatus {
            files: Some(Files::Deleted),
            ..trial.status.clone()
        };
        self.write(&record, &status).await.map(|_| ())
    }

    /// Writes the trial's status, and takes what the API server made of it.
    async fn write(&self, record: &TrialRecord, status: &TrialStatus) -> Result<Version, Trouble> {
        let before = self.entry.state().snapshot.trial(self.number).map(|t| t.status.clone());
        let (writer, name) = (&self.context.writer, self.name());
        let written = match writer
            .trial_status(self.namespace(), &name, &record.version, status)
            .await
        {
            Err(CallError::Conflict) => {
                // Somebody has changed it, its wish to stop perhaps: the next plan is made on that.
                let newest = writer.trial(self.namespace(), &name).await?;
                let written = newest.ok_or(CallError::NotFound)?;
                self.take(written);
                return Err(CallError::Conflict.into());
            }
            Err(CallError::NotFound) => {
                self.context.cache.lost_trial(&self.entry.id, self.number, &record.uid);
                return Ok(Version::default());
            }
            written => written?,
        };
        let version = Version::of(&written.metadata);
        let reference = written.object_ref(&());
        for note in trial_events(&before.unwrap_or_default(), status) {
            self.context.recorder.note(&reference, note);
        }
        self.take(written);
        Ok(version)
    }

    fn take(&self, trial: HyperparameterTrial) {
        self.context.cache.answered_trial(trial);
    }
}

/// Lets a deleted trial go.
///
/// # Errors
/// What has to be tried again.
pub async fn release(context: Arc<Context>, entry: Arc<Entry>, number: u32) -> Result<(), Trouble> {
    let Some(uid) = entry.state().trial_record(number).map(|record| record.uid.clone()) else {
        return Ok(());
    };
    let (writer, study) = (&context.writer, &entry.id);
    let name = format!("{}-{number}", study.name);
    let released = writer
        .set_finalizer::<HyperparameterTrial>(&study.namespace, &name, &uid, TRIAL_FINALIZER, false)
        .await;
    match released {
        Ok(trial) => context.cache.answered_trial(trial),
        Err(CallError::NotFound) => context.cache.lost_trial(study, number, &uid),
        Err(other) => return Err(other.into()),
    }
    Ok(())
}

/// A numbered trial as it is created.
pub fn object(study: &Study, number: u32, spec: api::TrialSpec) -> HyperparameterTrial {
    let mut trial = HyperparameterTrial::new(&study.trial_name(number), spec);
    trial.metadata.namespace = Some(study.namespace.clone());
    trial.metadata.labels = Some(workflow::watch_labels(study));
    trial.metadata.finalizers = Some(vec![TRIAL_FINALIZER.to_owned()]);
    trial.metadata.owner_references = Some(vec![super::owner_reference(study)]);
    trial
}
