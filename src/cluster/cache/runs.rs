//! What runs for a study's trials: its Workflows.

use jiff::Timestamp;

use super::{
    entry::{Look, State, Work},
    record::{Version, WorkflowRecord},
};
use crate::{
    api::TrialPhase,
    study::{Run, RunState, Step, Study, Trial},
    workflow::Seen,
};

impl State {
    /// Takes a newer state of a Workflow.
    pub fn take_workflow(&mut self, name: String, record: WorkflowRecord) {
        let Some(number) = number_of(&name) else { return };
        if self.snapshot.trial(number).is_some_and(Trial::is_finished) {
            return;
        }
        let known = self.workflows.get_mut(&name);
        if let Some(known) = known {
            known.epoch = known.epoch.max(record.epoch);
            if record.version.is_older_than(&known.version) {
                return;
            }
            let state = known.state.take();
            *known = WorkflowRecord {
                state: record.state.or(state.filter(|_| record.seen == known.seen)),
                running_since: known.running_since,
                ..record
            };
        } else {
            self.workflows.insert(name, record);
        }
        self.find_run(number);
    }

    /// Notes since when what runs was seen to run.
    pub fn note_running(&mut self, now: Timestamp) {
        let mut new = Vec::new();
        for (name, record) in &mut self.workflows {
            if record.is_running && record.running_since.is_none() {
                record.running_since = Some(now);
                new.extend(number_of(name));
            }
        }
        new.into_iter().for_each(|number| self.find_run(number));
    }

    /// Whether a start is still due; then it counts as running from now on, until [`Self::started`].
    pub fn begins(&mut self, number: u32, study: &Study, step: &Step) -> bool {
        let is_due = step.is_due(study, &self.snapshot);
        if is_due {
            self.snapshot.starting.insert(number);
        }
        is_due
    }

    /// What became of a start shows from now on in the trial and its run.
    pub fn started(&mut self, number: u32) {
        self.snapshot.starting.remove(&number);
    }

    /// Forgets a Workflow. Whether it is gone for good shows when it is looked for.
    pub fn drop_workflow(&mut self, name: &str) {
        self.workflows.remove(name);
        if let Some(number) = number_of(name) {
            self.find_run(number);
        }
    }

    /// Notes that the Workflow of an attempt is not there any more.
    pub fn set_gone(&mut self, number: u32, attempt: u32) {
        if let Some(record) = self.trials.get_mut(&number) {
            record.gone = Some(attempt);
        }
        self.find_run(number);
    }

    /// Whether a newer state of a Workflow was seen than the one of `version`.
    pub fn has_newer(&self, workflow: &str, version: &Version) -> bool {
        let known = self.workflows.get(workflow);
        known.is_some_and(|known| version.is_older_than(&known.version))
    }

    /// Notes how a Workflow that was read stands.
    pub fn set_run_state(&mut self, workflow: &str, state: RunState) {
        if let Some(record) = self.workflows.get_mut(workflow) {
            record.state = Some(state);
        }
        if let Some(number) = number_of(workflow) {
            self.find_run(number);
        }
    }

    /// Forgets what a listing that began at `epoch` did not name any more.
    pub fn drop_workflows_before(&mut self, epoch: u64) {
        let old = self.workflows.iter().filter(|(_, r)| r.epoch < epoch);
        for name in old.map(|(n, _)| n.clone()).collect::<Vec<_>>() {
            self.drop_workflow(&name);
        }
    }

    /// The Workflows that have to be looked at before a plan can go on.
    pub fn looks(&self) -> Vec<(u32, u32, Look)> {
        let look = |trial: &Trial| {
            let attempt = trial.status.attempt;
            let running = trial.status.phase == TrialPhase::Running;
            match &trial.run {
                None if running => Some((trial.number, attempt, Look::Missing)),
                Some(Run {
                    attempt,
                    state: RunState::Active,
                }) => {
                    let record = self.workflow(trial.number, *attempt)?;
                    let open = record.seen == Seen::Unsuccessful && record.state.is_none();
                    open.then_some((trial.number, *attempt, Look::Ended))
                }
                _ => None,
            }
        };
        let open = |t: &&Trial| !t.is_finished() && !self.busy.contains(&Work::Trial(t.number));
        self.snapshot.trials.iter().filter(open).filter_map(look).collect()
    }

    /// The Workflow of an attempt, where it is in view and the trial's own.
    pub fn workflow(&self, number: u32, attempt: u32) -> Option<&WorkflowRecord> {
        let record = self.workflows.get(&format!("{}-{number}-{attempt}", self.id.name))?;
        (record.owner == self.trials.get(&number)?.uid).then_some(record)
    }

    /// Finds what runs for a trial: the recorded attempt's Workflow, or the next one's, started just before that could be recorded.
    pub(super) fn find_run(&mut self, number: u32) {
        let Some(trial) = self.snapshot.trial(number) else {
            return;
        };
        let attempt = trial.status.attempt;
        let seen = |attempt: u32| {
            let state = self.workflow(number, attempt)?.run_state();
            Some(Run { attempt, state })
        };
        let next = attempt.saturating_add(1);
        let run = match trial.status.phase {
            TrialPhase::Pending => seen(next).or_else(|| {
                let is_begun = self.trials.get(&number)?.begun == Some(next);
                is_begun.then_some(Run {
                    attempt: next,
                    state: RunState::Active,
                })
            }),
            TrialPhase::Running => seen(attempt).or_else(|| {
                let is_gone = self.trials.get(&number)?.gone == Some(attempt);
                is_gone.then_some(Run {
                    attempt,
                    state: RunState::Gone,
                })
            }),
            _ => None,
        };
        let record = run.as_ref().and_then(|run| self.workflow(number, run.attempt));
        let since = record.and_then(|record| record.running_since);
        if let Some((run, record)) = run.as_ref().zip(self.trials.get_mut(&number)) {
            record.begun = record.begun.max(Some(run.attempt));
        }
        let is_revived = |trial: &Trial| {
            let ended = trial.run.as_ref().is_some_and(|r| r.state != RunState::Active);
            ended && run.as_ref().is_some_and(|r| r.state == RunState::Active)
        };
        if self.snapshot.trial(number).is_some_and(is_revived) {
            // What was stopped before runs again: it has to be stopped anew.
            self.stopped.retain(|(stopped, _)| *stopped != number);
        }
        if let Some(trial) = self.trial_mut(number) {
            trial.set_run(run);
            trial.run_since = since;
        }
    }

    /// Finds what runs for every trial, once the study's name is known.
    pub fn find_runs(&mut self) {
        let open = self.snapshot.trials.iter().filter(|t| !t.is_finished());
        for number in open.map(|t| t.number).collect::<Vec<_>>() {
            self.find_run(number);
        }
    }
}

/// The number in a Workflow's name, `<study>-<number>-<attempt>`.
pub(super) fn number_of(workflow: &str) -> Option<u32> {
    workflow.rsplit('-').nth(1)?.parse().ok()
}
