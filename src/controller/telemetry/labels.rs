//! Labels of metrics. Each has few values.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

use super::super::context::Trouble;
use crate::{
    api::{StudyPhase, TrialPhase},
    history::HistoryError,
    storage::{ClaimError, StorageError},
};

pub(super) const STUDY_PHASES: [StudyPhase; 5] = [
    StudyPhase::Pending,
    StudyPhase::Running,
    StudyPhase::Suspended,
    StudyPhase::Succeeded,
    StudyPhase::Failed,
];

pub(super) const TRIAL_PHASES: [TrialPhase; 7] = [
    TrialPhase::Pending,
    TrialPhase::Running,
    TrialPhase::Succeeded,
    TrialPhase::Failed,
    TrialPhase::Stopped,
    TrialPhase::Admitted,
    TrialPhase::Rejected,
];

/// What was reconciled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A pass over a study.
    Study,
    /// A step of a trial.
    Trial,
    /// The result files of a study, as they are written.
    Results,
}

impl EncodeLabelValue for Kind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let text = match self {
            Self::Study => "study",
            Self::Trial => "trial",
            Self::Results => "results",
        };
        text.encode(encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PhaseLabels {
    pub phase: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabels {
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReasonLabels {
    pub kind: Kind,
    pub reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OperationLabels {
    pub operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StorageLabels {
    pub operation: &'static str,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub resource: String,
    pub verb: &'static str,
    pub code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct EventLabels {
    pub outcome: &'static str,
}

/// What an operation in S3 fails with.
pub trait Outcome {
    /// One word for it. There are few.
    fn outcome(&self) -> &'static str;
}

impl Outcome for StorageError {
    fn outcome(&self) -> &'static str {
        match self {
            Self::NoSuchBucket(_) => "NoSuchBucket",
            Self::AccessDenied { .. } => "AccessDenied",
            Self::BadCredentials { .. } => "BadCredentials",
            Self::WrongRegion { .. } => "WrongRegion",
            Self::TooLarge { .. } => "TooLarge",
            Self::Changed { .. } => "Changed",
            Self::Unreachable { .. } => "Unreachable",
            Self::Busy { .. } => "Busy",
            Self::StillThere { .. } => "StillThere",
            _ => "Refused",
        }
    }
}

impl Outcome for HistoryError {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Storage(error) => error.outcome(),
            Self::Missing { .. } => "Missing",
            Self::TooLarge { .. } => "TooLarge",
            Self::Unreadable { .. } => "Refused",
            Self::NoTable { .. } | Self::BadRecord { .. } => "Malformed",
        }
    }
}

impl Outcome for ClaimError {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Storage(error) => error.outcome(),
            Self::Contested { .. } => "Changed",
            Self::Owned { .. } | Self::Inside { .. } | Self::NotEmpty { .. } => "Taken",
        }
    }
}

impl Outcome for Trouble {
    fn outcome(&self) -> &'static str {
        match self {
            Self::Storage(error) => error.outcome(),
            Self::NoLease => "NoLease",
            Self::NoStore(_) => "NoStore",
            Self::Call(error) => error.reason(),
        }
    }
}
