//! The ledger of a study on one machine: its journal, and the snapshot that follows from it.
//!
//! What is recorded is first written and then applied; reading the journal applies the same entries by the same code.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{
    entry::{Entry, ReportsEntry, StatusEntry, StudyEntry, TrialEntry},
    journal::{Journal, JournalError},
};
use crate::{
    api::{StudyStatus, TrialStatus, sentence},
    space::Space,
    study::{Folder, Memory, Request, Run, RunState, Snapshot, StorageHealth, Trial, Written},
};

/// A study's journal and the snapshot that follows from it.
#[derive(Debug)]
pub struct Ledger {
    journal: Journal,
    state: State,
}

/// What follows from the journal.
#[derive(Debug, Default)]
struct State {
    study: Option<StudyEntry>,
    snapshot: Snapshot,
    /// The requests that are admitted or rejected, by UID.
    decided: HashSet<String>,
}

impl Ledger {
    /// Opens the journal at `path`, or creates it, and reads what it holds. Configurations are those of `space`.
    ///
    /// # Errors
    /// It cannot be read, or a line in it makes no sense: the message names it.
    pub fn open(path: &Path, space: &Space) -> Result<Self, JournalError> {
        let (journal, bytes) = Journal::open(path)?;
        let mut state = State::default();
        // Whole lines only: where there is anything, it ends in a newline.
        let lines = bytes
            .strip_suffix(b"\n")
            .into_iter()
            .flat_map(|all| all.split(|b| *b == b'\n'));
        for (index, line) in lines.enumerate() {
            let entry = serde_json::from_slice(line).map_err(|e| sentence(&e.to_string()).into_owned());
            entry
                .and_then(|entry| state.apply(entry, space))
                .map_err(|message| JournalError::Corrupt {
                    path: path.to_owned(),
                    line: index.saturating_add(1),
                    message,
                })?;
        }
        Ok(Self { journal, state })
    }

    /// The study as it was last recorded; `None` in a new journal.
    pub fn study(&self) -> Option<&StudyEntry> {
        self.state.study.as_ref()
    }

    /// What is known of the study.
    pub fn snapshot(&self) -> &Snapshot {
        &self.state.snapshot
    }

    /// Where the journal is.
    pub fn path(&self) -> PathBuf {
        self.journal.path().to_owned()
    }

    /// Writes `entry`, then applies it.
    ///
    /// # Errors
    /// It could not be written, and is not applied; or it makes no sense here.
    pub fn record(&mut self, entry: Entry, space: &Space) -> Result<(), JournalError> {
        self.journal.append(&entry)?;
        self.state.apply(entry, space).map_err(|message| JournalError::Corrupt {
            path: self.path(),
            line: 0,
            message,
        })
    }

    /// Records a trial's status, what it reported on the way before it where that status ends it.
    ///
    /// # Errors
    /// It could not be written.
    pub fn record_status(&mut self, number: u32, status: TrialStatus, space: &Space) -> Result<(), JournalError> {
        if status.phase.is_finished() {
            let reading = self
                .snapshot()
                .trial(number)
                .and_then(|t| t.metrics.as_ref()?.as_ref().ok());
            let reports = reading
                .filter(|r| !r.reports.is_empty())
                .map(|r| ReportsEntry::new(number, &r.reports));
            if let Some(reports) = reports {
                self.record(Entry::Reports(reports), space)?;
            }
        }
        self.record(Entry::Status(Box::new(StatusEntry { number, status })), space)
    }

    /// Takes the status that a plan gave, and writes down what of it does not follow from the trials, where that is new.
    ///
    /// # Errors
    /// It could not be written.
    pub fn set_status(&mut self, status: StudyStatus, space: &Space) -> Result<(), JournalError> {
        let before = &self.state.snapshot.status;
        let is_new = before.phase != status.phase
            || before.start_time != status.start_time
            || before.completion_time != status.completion_time
            || before.idle != status.idle
            || !same_conditions(&before.conditions, &status.conditions);
        if is_new {
            let own = StudyStatus {
                best: None,
                top: Vec::new(),
                results: None,
                ..status.clone()
            };
            self.record(Entry::StudyStatus(Box::new(own)), space)?;
        }
        self.state.snapshot.status = status;
        Ok(())
    }

    /// Offers the requests that are not decided yet.
    pub fn offer(&mut self, requests: Vec<Request>) {
        let open = requests
            .into_iter()
            .filter(|r| !self.state.decided.contains(&r.request.uid));
        self.state.snapshot.requests = open.collect();
    }

    /// Notes what earlier studies found.
    pub fn set_memory(&mut self, memory: Memory) {
        self.state.snapshot.memory = memory;
    }

    /// Notes whose the study's folder is.
    pub fn set_folder(&mut self, folder: Folder) {
        self.state.snapshot.folder = folder;
    }

    /// How storage is doing.
    pub fn storage_mut(&mut self) -> &mut StorageHealth {
        &mut self.state.snapshot.storage
    }

    /// Notes how the run of an attempt stands; an older attempt than the last recorded one is of no interest any more.
    pub fn set_run(&mut self, number: u32, attempt: u32, state: RunState) {
        if let Some(trial) = self.state.trial_mut(number).filter(|t| t.status.attempt == attempt) {
            trial.run = Some(Run { attempt, state });
        }
    }

    /// A trial, for what was observed of it.
    pub fn trial_mut(&mut self, number: u32) -> Option<&mut Trial> {
        self.state.trial_mut(number)
    }

    /// The trials an attempt of which runs, as far as the journal knows, with that attempt.
    pub fn running(&self) -> impl Iterator<Item = (u32, u32)> {
        let runs = |t: &&Trial| t.run.as_ref().is_some_and(|r| r.state == RunState::Active) && !t.is_finished();
        self.snapshot()
            .trials
            .iter()
            .filter(runs)
            .map(|t| (t.number, t.status.attempt))
    }
}

/// Whether the same conditions hold for the same reasons.
fn same_conditions(a: &[Condition], b: &[Condition]) -> bool {
    let same = |a: &Condition, b: &Condition| a.type_ == b.type_ && a.status == b.status && a.reason == b.reason;
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

impl State {
    fn trial_mut(&mut self, number: u32) -> Option<&mut Trial> {
        let trials = &mut self.snapshot.trials;
        let index = trials.binary_search_by_key(&number, |t| t.number).ok()?;
        trials.get_mut(index)
    }

    fn known(&mut self, number: u32) -> Result<&mut Trial, String> {
        self.trial_mut(number)
            .ok_or_else(|| format!("there is no trial {number}"))
    }

    fn apply(&mut self, entry: Entry, space: &Space) -> Result<(), String> {
        if self.study.is_none() && !matches!(entry, Entry::Study(_)) {
            return Err("the journal does not begin with its study".to_owned());
        }
        match entry {
            Entry::Study(study) => self.study = Some(*study),
            Entry::Trial(trial) => self.create(*trial, space)?,
            Entry::Status(entry) => {
                let attempt = entry.status.attempt;
                let trial = self.known(entry.number)?;
                if trial.take(entry.status) {
                    trial.run = Some(Run {
                        attempt,
                        state: RunState::Active,
                    });
                }
            }
            Entry::Reports(entry) => {
                let trial = self.known(entry.number)?;
                trial.reports = entry.into_reports();
            }
            Entry::Request(entry) => {
                self.snapshot.requests.retain(|r| r.request != entry.request);
                self.decided.insert(entry.request.uid);
            }
            Entry::Written(entry) => {
                self.snapshot.written = Some(Written {
                    revision: entry.revision,
                    at: entry.at,
                });
                self.snapshot.reported = self.snapshot.written;
            }
            Entry::StudyStatus(status) => self.snapshot.status = *status,
        }
        Ok(())
    }

    fn create(&mut self, entry: TrialEntry, space: &Space) -> Result<(), String> {
        let last = self.snapshot.trials.last().map_or(0, |t| t.number);
        if entry.number <= last {
            return Err(format!("trial {} is created after trial {last}", entry.number));
        }
        self.snapshot.trials.push(Trial {
            number: entry.number,
            config: space.parse(&entry.parameters),
            parameters: entry.parameters,
            origin: entry.origin,
            continues: entry.continues,
            ..Trial::default()
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        api::{Parameter, RequestRef, TrialPhase},
        local::entry::{RequestEntry, WrittenEntry},
        metrics::{Reading, Report},
    };

    fn space() -> Space {
        let parameters: Vec<Parameter> =
            serde_json::from_value(json!([{"name": "x", "double": {"min": 0.0, "max": 1.0}}])).unwrap();
        Space::compile(&parameters, &[]).unwrap()
    }

    fn study() -> Entry {
        let spec: Value = json!({
            "objectives": [{"metric": "loss", "goal": "Minimize"}],
            "parameters": [{"name": "x", "double": {"min": 0, "max": 1}}],
            "algorithm": {"sampler": {"random": {}}},
        });
        Entry::Study(Box::new(StudyEntry {
            uid: "u".to_owned(),
            created: jiff::Timestamp::UNIX_EPOCH,
            generation: 1,
            spec: serde_json::from_value(spec).unwrap(),
        }))
    }

    fn trial(number: u32, x: f64) -> Entry {
        Entry::Trial(Box::new(TrialEntry {
            number,
            parameters: [("x".to_owned(), x.into())].into(),
            origin: Default::default(),
            continues: None,
        }))
    }

    /// What of two snapshots has to be the same, as text.
    fn known(ledger: &Ledger) -> String {
        let snapshot = ledger.snapshot();
        format!(
            "{:?} {:?} {:?}",
            snapshot.trials, snapshot.written, ledger.state.decided
        )
    }

    #[test]
    fn what_is_read_back_is_what_was_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let (path, space) = (dir.path().join("journal"), space());
        let mut ledger = Ledger::open(&path, &space).unwrap();
        assert!(ledger.study().is_none());
        let written = WrittenEntry {
            revision: u64::MAX,
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let request = RequestRef {
            name: "r".to_owned(),
            uid: "1".to_owned(),
        };
        let request = RequestEntry {
            request,
            admitted: Some(2),
            rejected: None,
        };
        for entry in [
            study(),
            trial(1, 0.1 + 0.2),
            trial(2, 0.5),
            Entry::Request(request),
            Entry::Written(written),
        ] {
            ledger.record(entry, &space).unwrap();
        }
        for number in [1, 2] {
            let status = TrialStatus {
                phase: TrialPhase::Running,
                attempt: 1,
                ..TrialStatus::default()
            };
            ledger.record_status(number, status, &space).unwrap();
        }
        assert_eq!(ledger.running().collect::<Vec<_>>(), [(1, 1), (2, 1)]);
        let report = Report {
            iteration: 1.0,
            metrics: [("loss".to_owned(), f64::INFINITY)].into(),
        };
        ledger.trial_mut(1).unwrap().metrics = Some(Ok(Reading {
            objective: 0.25,
            iteration: 2.0,
            metrics: Default::default(),
            reports: vec![(f64::INFINITY, report.clone()), (0.25, report)],
        }));
        ledger.set_run(1, 1, RunState::Active);
        let status = TrialStatus {
            phase: TrialPhase::Succeeded,
            attempt: 1,
            objectives: vec![0.25],
            ..TrialStatus::default()
        };
        ledger.record_status(1, status, &space).unwrap();
        assert_eq!(ledger.snapshot().trial(1).unwrap().reports.len(), 2);
        assert!(ledger.snapshot().trials.iter().all(|t| t.config.is_some()));

        let again = Ledger::open(&path, &space).unwrap();
        assert_eq!(known(&again), known(&ledger));
        assert_eq!(again.study(), ledger.study());
        assert_eq!(again.running().collect::<Vec<_>>(), [(2, 1)]);
    }

    #[test]
    fn torn_at_any_byte_it_is_what_its_whole_lines_say_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let (path, space) = (dir.path().join("journal"), space());
        let status = |number, phase| {
            let status = TrialStatus {
                phase,
                attempt: 1,
                ..TrialStatus::default()
            };
            Entry::Status(Box::new(StatusEntry { number, status }))
        };
        let entries = [
            study(),
            trial(1, 0.25),
            status(1, TrialPhase::Running),
            trial(2, 0.5),
            status(1, TrialPhase::Failed),
            status(2, TrialPhase::Running),
        ];
        let mut ledger = Ledger::open(&path, &space).unwrap();
        let mut states = vec![known(&ledger)];
        for entry in entries {
            ledger.record(entry, &space).unwrap();
            states.push(known(&ledger));
        }
        let whole = std::fs::read(&path).unwrap();
        for end in 0..=whole.len() {
            let lines = whole[..end].iter().filter(|b| **b == b'\n').count();
            std::fs::write(&path, &whole[..end]).unwrap();
            let mut torn = Ledger::open(&path, &space).unwrap();
            assert_eq!(known(&torn), states[lines], "torn at byte {end}");
            let next = if lines == 0 { study() } else { trial(9, 0.75) };
            torn.record(next, &space).unwrap();
            assert_eq!(known(&Ledger::open(&path, &space).unwrap()), known(&torn));
        }
    }

    #[test]
    fn lines_that_make_no_sense_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (path, space) = (dir.path().join("journal"), space());
        let line = |entry: &Entry| serde_json::to_string(entry).unwrap();
        for (lines, at, says) in [
            (vec![line(&trial(1, 0.5))], 1, "does not begin with its study"),
            (
                vec![line(&study()), line(&trial(2, 0.5)), line(&trial(2, 0.5))],
                3,
                "trial 2 is created after trial 2",
            ),
            (vec![line(&study()), String::new(), line(&trial(1, 0.5))], 2, "EOF"),
            (vec![line(&study()), "{\"unknown\":{}}".to_owned()], 2, "unknown"),
            (
                vec![line(&study()), "{\"written\":{\"revision\":-1}}".to_owned()],
                2,
                "revision",
            ),
        ] {
            std::fs::write(&path, lines.join("\n") + "\n").unwrap();
            let message = Ledger::open(&path, &space).unwrap_err().to_string();
            let place = format!("line {at} of the journal {}", path.display());
            let says = if says == "revision" { "invalid value" } else { says };
            assert!(message.starts_with(&place) && message.contains(says), "{message}");
        }
    }
}
