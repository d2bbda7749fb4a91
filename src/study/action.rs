//! What to do next, as data, and the conditions under which doing it does no harm.

use jiff::Timestamp;

use super::{Folder, Run, RunState, Snapshot, Study};
use crate::api::{Origin, ParameterMap, RequestRef, StudyStatus, TrialPhase, TrialStatus};

/// What to do next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What to do, in this order. A prefix of it may be done and the rest be planned anew.
    pub steps: Vec<Step>,
    /// The study's status as it follows from the snapshot.
    pub status: StudyStatus,
    /// When to plan again even if nothing is observed until then.
    pub again_at: Option<Timestamp>,
}

/// One thing to do, and what must hold in the newest state for it to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What to do.
    pub action: Action,
    /// What must hold; where anything does not, the step is left out, as its reason is gone.
    pub requires: Vec<Requirement>,
}

/// One thing to do. Each may be repeated.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make the study's folder its own, or find out why that cannot be.
    ClaimFolder,
    /// Find out what earlier studies found, and record it in the study's folder, unless that was done.
    ReadHistory,
    /// Create a trial with this number; fails harmlessly where it exists.
    CreateTrial {
        /// Its number.
        number: u32,
        /// Its configuration.
        parameters: ParameterMap,
        /// What proposed it.
        origin: Origin,
        /// The trial whose folder it goes on from.
        continues: Option<u32>,
    },
    /// Note on a request that it has become a trial.
    Admit {
        /// The request.
        request: RequestRef,
        /// The trial's number.
        number: u32,
    },
    /// Note on a request that it cannot be run.
    Reject {
        /// The request.
        request: RequestRef,
        /// Why, one word.
        reason: String,
        /// Why, for people.
        message: String,
    },
    /// Start an attempt: empty the trial's folder, record the attempt, run it.
    Start {
        /// The trial.
        number: u32,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// End an attempt's run.
    Stop {
        /// The trial.
        number: u32,
        /// The attempt.
        attempt: u32,
    },
    /// Read the metrics file of an attempt that has ended.
    ReadMetrics {
        /// The trial.
        number: u32,
        /// The attempt.
        attempt: u32,
    },
    /// Record what became of an attempt.
    Record {
        /// The trial.
        number: u32,
        /// Its new status.
        status: Box<TrialStatus>,
    },
    /// Delete a finished trial's folder, then record that it is gone.
    DeleteFolder {
        /// The trial.
        number: u32,
    },
    /// Let a trial go that a person has deleted.
    ReleaseTrial {
        /// The trial.
        number: u32,
    },
    /// Write the result files.
    WriteResults {
        /// Which state of the trials they then show.
        revision: u64,
        /// Whether the report is among them.
        report: bool,
    },
    /// Delete the study's whole folder.
    RemoveStudyFolder,
    /// Let a study go that a person has deleted.
    ReleaseStudy,
    /// Delete the study: it has been finished for longer than it is to stay.
    DeleteStudy,
}

/// Something that must hold in the newest state for a step to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Requirement {
    /// The study's spec is the one that was planned for.
    Generation(i64),
    /// The study's folder is its own.
    OwnsFolder,
    /// This number is the next one: the one before was used, this and later ones never.
    NextNumber(u32),
    /// The trial exists and was proposed so; what was planned after it took it for granted.
    Proposed {
        /// The trial.
        number: u32,
        /// What proposed it.
        origin: Origin,
    },
    /// The trial exists, and this is its last recorded attempt and phase.
    At {
        /// The trial.
        number: u32,
        /// Its last recorded attempt, 0 before the first.
        attempt: u32,
        /// Its recorded phase.
        phase: TrialPhase,
    },
    /// What runs for the trial stands as it did.
    Run {
        /// The trial.
        number: u32,
        /// What ran, or runs, for it.
        run: Option<Run>,
    },
    /// No run of this attempt was ever seen.
    NoRun {
        /// The trial.
        number: u32,
        /// The attempt.
        attempt: u32,
    },
    /// Fewer trials run, or are being started, beside this one than may.
    Room(u32),
    /// The trial's outcome is recorded.
    Finished(u32),
    /// All of these trials are recorded as better than this one.
    Surpassed {
        /// The trial that is not the best any more.
        number: u32,
        /// The better ones, none of which a person has deleted.
        by: Vec<u32>,
    },
    /// The request is neither admitted nor rejected.
    OpenRequest(RequestRef),
    /// The trial whose creation admits the request exists.
    Exists(u32),
    /// No trial that is not finished goes on from this one's folder.
    NotContinued(u32),
    /// The study's status says that this number was used and let go.
    ReleaseRecorded(u32),
    /// What the result files show is still this.
    Revision(u64),
    /// Nothing runs any more.
    Quiet,
}

impl Requirement {
    /// Whether it holds in `newest`.
    pub fn holds(&self, study: &Study, newest: &Snapshot) -> bool {
        let trial = |number: &u32| newest.trial(*number);
        match self {
            Self::Generation(generation) => {
                study.generation == *generation && newest.generation.is_none_or(|seen| seen == *generation)
            }
            Self::OwnsFolder => newest.folder == Folder::Claimed,
            Self::NextNumber(number) => newest.last_number().checked_add(1) == Some(*number),
            Self::Proposed { number, origin } => trial(number).is_some_and(|t| t.origin == *origin),
            Self::At { number, attempt, phase } => {
                trial(number).is_some_and(|t| t.status.attempt == *attempt && t.status.phase == *phase)
            }
            Self::Run { number, run } => trial(number).is_some_and(|t| t.run == *run),
            Self::NoRun { number, attempt } => {
                trial(number).is_some_and(|t| t.run.as_ref().is_none_or(|r| r.attempt < *attempt))
            }
            Self::Room(number) => newest.running_beside(*number) < study.spec.parallelism,
            Self::Finished(number) => trial(number).is_some_and(super::Trial::is_finished),
            Self::Surpassed { number, by } => by.iter().all(|better| match (trial(better), trial(number)) {
                (Some(better), Some(worse)) => !better.deleting && super::ranking::is_better(study, better, worse),
                _ => false,
            }),
            Self::OpenRequest(request) => newest.requests.iter().any(|r| r.request == *request),
            Self::Exists(number) => trial(number).is_some(),
            Self::NotContinued(number) => !newest
                .trials
                .iter()
                .any(|t| t.continues == Some(*number) && !t.is_finished()),
            Self::ReleaseRecorded(number) => newest.status.last_number.min(newest.status.last_released) >= *number,
            Self::Revision(revision) => super::plan::revision(study, newest) == *revision,
            Self::Quiet => !newest
                .trials
                .iter()
                .any(|t| t.run.as_ref().is_some_and(|r| r.state == RunState::Active)),
        }
    }
}

impl Step {
    /// Whether it may be done: all that it requires holds in `newest`.
    pub fn is_due(&self, study: &Study, newest: &Snapshot) -> bool {
        self.requires.iter().all(|r| r.holds(study, newest))
    }
}
