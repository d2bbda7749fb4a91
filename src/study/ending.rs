//! Why a study starts nothing new any more.

use jiff::Timestamp;

use super::{Owner, Ranking, Snapshot, Study, status};
use crate::api::{Shutdown, TrialPhase};

/// Why a study starts nothing new any more. The variant's name is the reason that users see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A person has deleted it.
    Deleted,
    /// It did not start in time.
    StartDeadlineExceeded,
    /// As many trials have failed as may.
    TooManyFailedTrials,
    /// A trial has reached the target.
    TargetReached,
    /// `shutdown: Terminate`.
    Terminated,
    /// The Workflow that owns it is over.
    OwnerFinished,
    /// The budget's duration is over.
    DurationOver,
    /// `shutdown: Stop`.
    Stopped,
    /// As many trials were created as the budget allows.
    TrialsUsed,
    /// The sampler has nothing more to propose.
    Exhausted,
}

impl Ending {
    /// Why the study starts nothing new, as far as that does not depend on the sampler; the weightiest reason of several.
    pub(super) fn of(study: &Study, snapshot: &Snapshot, ranking: &Ranking, now: Timestamp) -> Option<Self> {
        let budget = &study.spec.budget;
        let failed = snapshot
            .trials
            .iter()
            .filter(|t| t.status.phase == TrialPhase::Failed)
            .count();
        let best = ranking.best().and_then(|number| snapshot.trial(number)?.objective());
        let is_over = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        if study.deleting {
            Some(Self::Deleted)
        } else if is_over(start_deadline(study, snapshot)) {
            Some(Self::StartDeadlineExceeded)
        } else if budget.failed_trials.is_some_and(|most| failed >= most as usize) {
            Some(Self::TooManyFailedTrials)
        } else if best.is_some_and(|value| study.objective.is_reached(value)) {
            Some(Self::TargetReached)
        } else if study.spec.shutdown == Some(Shutdown::Terminate) {
            Some(Self::Terminated)
        } else if snapshot.owner == Owner::Over {
            Some(Self::OwnerFinished)
        } else if is_over(duration_end(study, snapshot, now)) {
            Some(Self::DurationOver)
        } else if study.spec.shutdown == Some(Shutdown::Stop) {
            Some(Self::Stopped)
        } else if budget.trials.is_some_and(|most| snapshot.last_number() >= most) {
            Some(Self::TrialsUsed)
        } else {
            None
        }
    }

    /// Whether what runs is ended, too.
    pub fn stops_running(self) -> bool {
        match self {
            Self::Deleted
            | Self::StartDeadlineExceeded
            | Self::TooManyFailedTrials
            | Self::TargetReached
            | Self::Terminated
            | Self::OwnerFinished
            | Self::DurationOver => true,
            Self::Stopped | Self::TrialsUsed | Self::Exhausted => false,
        }
    }

    /// Whether a failed attempt is still tried again.
    pub fn allows_retries(self) -> bool {
        matches!(self, Self::TrialsUsed | Self::Exhausted)
    }

    /// Whether the study fails even if it has a best trial.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::StartDeadlineExceeded | Self::TooManyFailedTrials)
    }

    /// The reason that users see, one word.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Deleted => "Deleted",
            Self::StartDeadlineExceeded => "StartDeadlineExceeded",
            Self::TooManyFailedTrials => "TooManyFailedTrials",
            Self::TargetReached => "TargetReached",
            Self::Terminated => "Terminated",
            Self::OwnerFinished => "OwnerFinished",
            Self::DurationOver => "DurationOver",
            Self::Stopped => "Stopped",
            Self::TrialsUsed => "TrialsUsed",
            Self::Exhausted => "Exhausted",
        }
    }

    /// The same for people.
    pub fn message(self) -> &'static str {
        match self {
            Self::Deleted => "the study was deleted",
            Self::StartDeadlineExceeded => "no trial could be started within startDeadline",
            Self::TooManyFailedTrials => "as many trials failed as budget.failedTrials allows",
            Self::TargetReached => "a trial reached the objective's target",
            Self::Terminated => "ended by shutdown: Terminate",
            Self::OwnerFinished => "the Workflow that owns the study is over",
            Self::DurationOver => "budget.duration is over",
            Self::Stopped => "ended by shutdown: Stop",
            Self::TrialsUsed => "all trials of budget.trials were run",
            Self::Exhausted => "the sampler has no further configuration to propose",
        }
    }
}

/// When a study that has not started fails for that.
pub(super) fn start_deadline(study: &Study, snapshot: &Snapshot) -> Option<Timestamp> {
    let started = snapshot.status.start_time.is_some() || snapshot.last_number() > 0;
    let deadline = study.spec.start_deadline.filter(|_| !started)?;
    Some(later(study.created, deadline.signed()))
}

/// When the budget's duration is over; the future moves as long as the study is idle.
pub(super) fn duration_end(study: &Study, snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
    let duration = study.spec.budget.duration?;
    let start = snapshot.status.start_time?;
    Some(later(
        later(start, duration.signed()),
        status::idle_time(&snapshot.status, now),
    ))
}

/// `time` moved by `by`, at most to the end of all time.
pub(super) fn later(time: Timestamp, by: jiff::SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
