//! What was observed of a study, at one moment or, where caches lag, at several.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Earlier, Memory};
use crate::{
    api::{Origin, ParameterMap, RequestRef, StudyStatus, TrialPhase, TrialStatus},
    metrics::{MetricsError, Reading, Report},
    space::Config,
};

/// How many of the numbers before one that comes into view are looked for at most.
const MOST_PASSED: u32 = 100;

/// What was observed of a study.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The study's status as it was last written.
    pub status: StudyStatus,
    /// The trials that exist, by ascending number.
    pub trials: Vec<Trial>,
    /// The numbers of those of which a run is being started at this moment.
    pub starting: BTreeSet<u32>,
    /// The numbers of those that were in view, and of which nobody knows what became of them.
    pub missing: BTreeSet<u32>,
    /// The requests that are neither admitted nor rejected, oldest first.
    pub requests: Vec<Request>,
    /// Whose the study's folder is.
    pub folder: Folder,
    /// Why nothing may start yet (a template that is missing, a secret that cannot be read), as a reason and a message.
    pub obstacle: Option<(String, String)>,
    /// Whether there is no way to its storage, as far as is known: a key that is missing, settings that are wrong.
    pub is_closed: bool,
    /// A word of warning about the template.
    pub notice: Option<String>,
    /// What the API server does not take although trials need it, as a reason and a message: a quota, a policy, missing rights. It is tried on.
    pub refusal: Option<(String, String)>,
    /// The generation of the newest spec that was seen, where that may be newer than the one that is planned for.
    pub generation: Option<i64>,
    /// The highest number whose trial was found to be gone although nobody here let it go.
    pub vanished: u32,
    /// How storage is doing.
    pub storage: StorageHealth,
    /// The highest number of a trial that was ever seen here, though that may be gone.
    pub highest: u32,
    /// The result files as they were last written.
    pub written: Option<Written>,
    /// The report as it was last written among them.
    pub reported: Option<Written>,
    /// Whether a write of the result files was begun here and did not come to its end: some of them may show that state, some another.
    pub is_torn: bool,
    /// How the Workflow that owns the study stands, where one does.
    pub owner: Owner,
    /// What earlier studies found, where the study starts from that.
    pub memory: Memory,
}

/// How the Workflow that owns a study stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// No Workflow owns it.
    #[default]
    None,
    /// It is not over.
    Active,
    /// It is over, or gone.
    Over,
}

impl Snapshot {
    /// The trial with that number.
    pub fn trial(&self, number: u32) -> Option<&Trial> {
        let index = self.trials.binary_search_by_key(&number, |t| t.number).ok()?;
        self.trials.get(index)
    }

    /// Whether every trial of which anything is known is in view. Where it is not, a part of the view is older than another.
    pub fn is_complete(&self) -> bool {
        self.unseen().next().is_none()
    }

    /// The numbers of the trials that the status knows of, or that were seen here once, and that were not looked for yet, ascending.
    pub fn unseen(&self) -> impl Iterator<Item = u32> {
        let last = self.last_number().min(u32::MAX - 1);
        let seen = self
            .trials
            .last()
            .map_or(0, |t| t.number)
            .max(self.status.last_released)
            .max(self.vanished);
        let missing = self.missing.range(..=seen).copied();
        missing.chain(seen.saturating_add(1)..=last)
    }

    /// Notes that a trial of that number is in view. Where `in_order`, those between it and the highest that was ever seen are missing, as numbers
    /// are given in order; only the nearest ones are, as anybody can make up a number.
    pub fn shows(&mut self, number: u32, in_order: bool) {
        self.missing.remove(&number);
        if in_order {
            self.passes_over(self.highest.max(self.vanished), number);
        }
        self.highest = self.highest.max(number);
    }

    /// Notes that the study has come into view after some of its trials: those that are not among them are missing.
    pub fn shows_study(&mut self) {
        self.passes_over(0, self.highest);
    }

    fn passes_over(&mut self, known: u32, number: u32) {
        let known = known.max(self.status.last_released);
        let first = known.saturating_add(1).max(number.saturating_sub(MOST_PASSED));
        let absent: Vec<u32> = (first..number).filter(|n| self.trial(*n).is_none()).collect();
        self.missing.extend(absent);
    }

    /// Notes that the trial of a number is gone although nobody here let it go. What is not in view of those before it is missing still.
    pub fn vanishes(&mut self, number: u32) {
        let before: Vec<u32> = self
            .unseen()
            .take_while(|n| *n < number)
            .take(MOST_PASSED as usize)
            .collect();
        self.missing.extend(before);
        self.shows(number, true);
        self.vanished = self.vanished.max(number);
    }

    /// Notes that no more trials are looked for, up to the last one that anybody tells of.
    pub fn gives_up(&mut self) {
        self.vanished = self.last_number();
        self.missing.remove(&self.vanished);
    }

    /// Whether the study is over as far as its status tells. A trial that the status does not know of has opened it again, even if nothing else of that was recorded yet.
    pub fn was_over(&self) -> bool {
        self.status.phase.is_finished() && self.last_number() == self.status.last_number
    }

    /// What earlier studies found, where that is known.
    pub fn earlier(&self) -> Option<&Earlier> {
        match &self.memory {
            Memory::Known(earlier) => Some(earlier),
            Memory::Unread | Memory::Unreadable(..) => None,
        }
    }

    /// How many trials run, or are being started, beside the one of that number.
    pub fn running_beside(&self, number: u32) -> u32 {
        let running = self.trials.iter().filter(|t| t.is_running()).map(|t| t.number);
        let running = running.filter(|n| !self.starting.contains(n));
        let all = running.chain(self.starting.iter().copied());
        u32::try_from(all.filter(|n| *n != number).count()).unwrap_or(u32::MAX)
    }

    /// The highest number that was ever used, 0 where none was.
    pub fn last_number(&self) -> u32 {
        let last = self.trials.last().map_or(0, |t| t.number);
        last.max(self.status.last_number).max(self.highest)
    }
}

/// One trial, as it was observed.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// Its number.
    pub number: u32,
    /// Its configuration as it was written.
    pub parameters: ParameterMap,
    /// The same as a configuration of the study's space; `None` where it is not one.
    pub config: Option<Config>,
    /// What proposed it.
    pub origin: Origin,
    /// The trial whose folder it goes on from.
    pub continues: Option<u32>,
    /// Whether a person wants it to end.
    pub stop: bool,
    /// Whether a person has deleted it.
    pub deleting: bool,
    /// Its status as it was last recorded.
    pub status: TrialStatus,
    /// What runs for it, where anything was seen.
    pub run: Option<Run>,
    /// Since when that was seen to run, where that is known: what waits for its turn does not run.
    pub run_since: Option<Timestamp>,
    /// What its metrics file said, once it was read for the current attempt.
    pub metrics: Option<Result<Reading, MetricsError>>,
    /// When its metrics file was first looked for in vain, where it may have been written a moment before.
    pub missed_at: Option<Timestamp>,
    /// All reports of a finished trial that gave several, each with its objective; for the results table.
    pub reports: Arc<[(f64, Report)]>,
}

impl Trial {
    /// Its objective, once it is finished and has one. A stopped trial's counts, a failed one's does not.
    pub fn objective(&self) -> Option<f64> {
        match self.status.phase {
            TrialPhase::Succeeded | TrialPhase::Stopped => {
                self.status.objectives.first().copied().filter(|v| !v.is_nan())
            }
            _ => None,
        }
    }

    /// Takes a status that was recorded. A new attempt has reported nothing yet, a finished trial's file is done with; gives whether the
    /// attempt is a new one, whose run is another.
    pub fn take(&mut self, status: TrialStatus) -> bool {
        let is_new = status.attempt != self.status.attempt;
        if is_new {
            self.run = None;
            self.missed_at = None;
            self.reports = Default::default();
        }
        if is_new || status.phase.is_finished() {
            self.metrics = None;
        }
        self.status = status;
        is_new
    }

    /// Takes what runs for it. What its metrics said holds only for the run as it stood then: one that ended may have been brought back to life.
    pub fn set_run(&mut self, run: Option<Run>) {
        if run != self.run {
            self.metrics = None;
            self.missed_at = None;
        }
        self.run = run;
    }

    /// Whether it has an attempt that was started and whose outcome is not recorded.
    pub fn is_running(&self) -> bool {
        let is_seen = |run: &Run| run.attempt > self.status.attempt && run.state == RunState::Active;
        !self.is_finished() && (self.status.phase == TrialPhase::Running || self.run.as_ref().is_some_and(is_seen))
    }

    /// Whether its outcome is recorded.
    pub fn is_finished(&self) -> bool {
        self.status.phase.is_finished()
    }
}

/// What runs, or ran, for one attempt of a trial: a Workflow in the cluster, a process without one.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The attempt, from 1.
    pub attempt: u32,
    /// How it stands.
    pub state: RunState,
}

/// How an attempt's run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// It has not ended.
    Active,
    /// It ended by itself and says that all is well.
    Succeeded,
    /// It ended otherwise, with a message for people.
    Failed(Failure, String),
    /// It was started and is not there any more; nobody saw how it ended.
    Gone,
}

/// How a run failed, which decides whether it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// What it ran failed, or could not be run this time.
    Failed,
    /// It ran longer than it may.
    TimedOut,
    /// It was ended from outside for want of room; costs no retry at first.
    Preempted,
    /// It ended because the program that supervised it ended; costs no retry.
    Interrupted,
    /// It was ended on purpose.
    Stopped,
    /// It can never run; never tried again.
    Refused,
}

/// A person's wish for a configuration to be run.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Which request.
    pub request: RequestRef,
    /// The configuration, defaults not filled in.
    pub parameters: ParameterMap,
}

/// Whose the study's folder is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Folder {
    /// Not looked at yet.
    #[default]
    Unclaimed,
    /// This study's.
    Claimed,
    /// It cannot be this study's: a reason and a message.
    Refused(String, String),
    /// It was this study's and has been removed.
    Removed,
}

/// How storage is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StorageHealth {
    /// Since when calls have failed without one that succeeded.
    pub failing_since: Option<Timestamp>,
    /// When it is worth trying again.
    pub retry_at: Option<Timestamp>,
    /// What went wrong last, for people.
    pub message: String,
    /// How many calls have failed in a row.
    pub failures: u32,
}

/// The first wait after a failure, and the longest; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl StorageHealth {
    /// Notes a failure at `now` that `message` tells of.
    pub fn failed(&mut self, message: String, now: Timestamp) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(5)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.retry_at = now.checked_add(wait).ok();
        self.message = message;
    }

    /// Notes that storage works.
    pub fn worked(&mut self) {
        *self = Self::default();
    }
}

impl Written {
    /// What a study's status says of the result files. Since when is not recorded: long enough ago.
    pub fn recorded(status: &StudyStatus) -> Option<Self> {
        let revision = u64::from_str_radix(&status.results.as_ref()?.revision, 16).ok()?;
        let at = status.start_time.unwrap_or_default();
        Some(Self { revision, at })
    }
}

/// The result files as they were last written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Which state of the trials they show; [`crate::study::Action::WriteResults`] names it.
    pub revision: u64,
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn what_was_passed_over_is_looked_for() {
        let mut snapshot = Snapshot::default();
        snapshot.shows(5, false);
        snapshot.shows(2, true);
        snapshot.shows(6, true);
        assert_eq!((snapshot.missing.len(), snapshot.highest), (0, 6));
        snapshot.shows(9, true);
        assert_eq!(snapshot.missing, [7, 8].into());
        snapshot.shows(8, true);
        assert_eq!(snapshot.missing, [7].into());
        snapshot.missing.clear();
        snapshot.status.last_released = 11;
        snapshot.shows(13, true);
        assert_eq!(snapshot.missing, [12].into());
        snapshot.shows(u32::MAX, true);
        assert_eq!(snapshot.missing.len(), 101);
        // A deletion is news of those before it, too, and none of them is used again.
        let mut snapshot = Snapshot::default();
        snapshot.vanishes(3);
        assert_eq!(
            (snapshot.unseen().collect::<Vec<_>>(), snapshot.last_number()),
            (vec![1, 2], 3)
        );
        snapshot.status.last_number = 6;
        snapshot.vanishes(6);
        assert_eq!(snapshot.missing, [1, 2, 4, 5].into());

        let mut snapshot = Snapshot::default();
        snapshot.shows(6, false);
        snapshot.status.last_released = 3;
        snapshot.shows_study();
        assert_eq!(snapshot.missing, [4, 5].into());
        snapshot.vanishes(6);
        snapshot.missing.clear();
        snapshot.shows_study();
        assert_eq!(snapshot.missing, [4, 5].into());
    }

    #[test]
    fn what_was_seen_or_counted_is_looked_for() {
        let mut snapshot = Snapshot::default();
        snapshot.status.last_number = 3;
        snapshot.missing = [2, 5].into();
        snapshot.vanished = 2;
        assert_eq!(snapshot.unseen().collect::<Vec<_>>(), [2, 3]);
        snapshot.vanishes(2);
        assert_eq!(snapshot.unseen().collect::<Vec<_>>(), [3]);
        snapshot.vanishes(3);
        assert!(snapshot.is_complete());
        // Whatever somebody has written there.
        snapshot.status.last_number = u32::MAX;
        assert!(!snapshot.is_complete());
        snapshot.missing.clear();
        snapshot.gives_up();
        assert!(snapshot.is_complete());
    }

    #[test]
    fn what_is_being_started_counts_as_running_once() {
        let numbered = |number| Trial {
            number,
            ..Trial::default()
        };
        let mut snapshot = Snapshot {
            trials: vec![numbered(1), numbered(2)],
            ..Snapshot::default()
        };
        assert_eq!(snapshot.running_beside(2), 0);
        snapshot.starting = [1].into();
        assert_eq!((snapshot.running_beside(1), snapshot.running_beside(2)), (0, 1));
        snapshot.trials[0].status.phase = TrialPhase::Running;
        assert_eq!(snapshot.running_beside(2), 1);
        // Out of view for a moment, but under way.
        snapshot.trials.remove(0);
        assert_eq!(snapshot.running_beside(2), 1);
    }

    #[test]
    fn storage_is_tried_less_often_until_it_works() {
        let mut health = StorageHealth::default();
        let now = Timestamp::UNIX_EPOCH;
        for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
            health.failed("no".to_owned(), now);
            assert_eq!(health.retry_at.unwrap().as_second(), seconds);
            assert_eq!(health.failing_since, Some(now));
        }
        health.worked();
        assert_eq!(health, StorageHealth::default());
        health.failed("no".to_owned(), now);
        assert_eq!(health.retry_at.unwrap().as_second(), 1);
    }
}
