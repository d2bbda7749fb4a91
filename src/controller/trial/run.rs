//! A trial's Workflow: found, looked at, ended.

use super::TrialWork;
use crate::{
    cluster::{
        Workflow,
        cache::{Look, TrialRecord, Version, WorkflowRecord},
        templates,
        write::{CallError, as_value},
    },
    controller::context::Trouble,
    study::{Failure, RunState},
    workflow::{self, Seen},
};

impl TrialWork {
    /// Takes a Workflow that was created or found by its name.
    ///
    /// # Errors
    /// It is another's: nothing can be run under that name until it is gone.
    pub(super) fn found(&self, name: &str, record: &TrialRecord, workflow: &Workflow) -> Result<(), CallError> {
        let owners = workflow.metadata.owner_references.iter().flatten();
        if !owners.into_iter().any(|o| o.uid == record.uid) {
            return Err(CallError::Taken(format!(
                "a Workflow named `{name}` is there already and is not this trial's: delete it, or name the study otherwise"
            )));
        }
        // By the trial that it was looked for, whatever its labels say.
        let found = WorkflowRecord::of(&workflow.metadata, record.uid.clone(), self.context.cache.epoch());
        self.entry.note(|state| state.take_workflow(name.to_owned(), found));
        Ok(())
    }

    /// An attempt that can never run: as if its Workflow had been refused.
    pub(super) fn refused(&self, name: &str, record: &TrialRecord, message: String) {
        let refused = WorkflowRecord {
            uid: String::new(),
            owner: record.uid.clone(),
            version: Version::default(),
            is_running: false,
            running_since: None,
            seen: Seen::Unsuccessful,
            state: Some(RunState::Failed(Failure::Refused, message)),
            epoch: u64::MAX,
        };
        self.entry.note(|state| state.take_workflow(name.to_owned(), refused));
    }

    /// Ends the Workflow of an attempt, once.
    pub(super) async fn stop(&self, record: &TrialRecord, attempt: u32) -> Result<(), Trouble> {
        if self.entry.state().stopped.contains(&(self.number, attempt)) {
            return Ok(());
        }
        let name = self.study.run_name(self.number, attempt);
        match self.terminate(&name, record, attempt).await {
            Ok(()) => {
                self.entry.state().stopped.insert((self.number, attempt));
            }
            // What has the name by now is another one: whose, shows when it is looked for.
            Err(CallError::Conflict) => self.entry.note(|state| state.drop_workflow(&name)),
            Err(CallError::NotFound) => self.entry.note(|state| {
                state.drop_workflow(&name);
                state.set_gone(self.number, attempt);
            }),
            Err(other) => return Err(other.into()),
        }
        Ok(())
    }

    /// Ends the Workflow of an attempt, also one that nobody here has seen yet.
    async fn terminate(&self, name: &str, record: &TrialRecord, attempt: u32) -> Result<(), CallError> {
        let writer = &self.context.writer;
        let known = self.entry.state().workflow(self.number, attempt).map(|w| w.uid.clone());
        let uid = match known {
            Some(uid) => uid,
            None => {
                let found = writer
                    .workflow(self.namespace(), name)
                    .await?
                    .ok_or(CallError::NotFound)?;
                self.found(name, record, &found).map_err(|_| CallError::NotFound)?;
                found.metadata.uid.unwrap_or_default()
            }
        };
        writer.terminate(self.namespace(), name, &uid).await.map(|_| ())
    }

    /// Finds out why a Workflow ended, or whether it is gone.
    ///
    /// # Errors
    /// What has to be tried again.
    pub async fn look(self, attempt: u32, look: Look) -> Result<(), Trouble> {
        let name = self.study.run_name(self.number, attempt);
        let Some(record) = self.entry.state().trial_record(self.number).cloned() else {
            return Ok(());
        };
        let workflow = self.context.writer.workflow(self.namespace(), &name).await?;
        let own = workflow.filter(|w| self.found(&name, &record, w).is_ok());
        let Some(workflow) = own else {
            self.entry.note(|state| {
                state.drop_workflow(&name);
                state.set_gone(self.number, attempt);
            });
            return Ok(());
        };
        if self.entry.state().has_newer(&name, &Version::of(&workflow.metadata)) {
            // An answer from an old state: what was seen of it since is not in it.
            return Err(CallError::Conflict.into());
        }
        self.label_again(&workflow).await?;
        if look == Look::Ended {
            let value = as_value(&workflow);
            let mut reasons = Vec::new();
            for pod in workflow::pods_to_read(&value) {
                reasons.extend(self.context.writer.pod_reason(self.namespace(), &pod).await);
            }
            let mut state = workflow::state(&value, &reasons);
            if workflow::blames_template(&value, &state)
                && let Err(obstacle) = templates::fetch(self.context.writer.client(), &self.study).await
                && templates::is_amiss(&obstacle)
            {
                // Nothing else is started until it is mended.
                tracing::info!(
                    study = self.study.name,
                    workflow = name,
                    "{}: {state:?}",
                    obstacle.message
                );
                state = workflow::without_template(obstacle.message.clone());
                self.entry.state().snapshot.obstacle = Some((obstacle.reason, obstacle.message));
                self.entry.state().is_access_stale = true;
            }
            self.entry.note(|s| s.set_run_state(&name, state));
        }
        Ok(())
    }

    /// Gives a Workflow the labels back by which it is watched.
    async fn label_again(&self, workflow: &Workflow) -> Result<(), Trouble> {
        let labels = workflow::watch_labels(&self.study);
        let known = workflow.metadata.labels.as_ref();
        let is_there = |(key, value): (&String, &String)| known.and_then(|l| l.get(key)) == Some(value);
        if !labels.iter().all(is_there) {
            let name = workflow.metadata.name.as_deref().unwrap_or_default();
            let uid = workflow.metadata.uid.as_deref().unwrap_or_default();
            self.context
                .writer
                .label_workflow(self.namespace(), name, uid, &labels)
                .await?;
        }
        Ok(())
    }
}
