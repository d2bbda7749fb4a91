//! Why a run ends other than with its study.

use super::{journal::JournalError, layout::LayoutError};

/// The exit statuses of `hyperstudy run`.
pub mod exit {
    /// The study succeeded.
    pub const SUCCEEDED: u8 = 0;
    /// The study failed, or the program could not go on.
    pub const FAILED: u8 = 1;
    /// What was asked for cannot be done; nothing was begun.
    pub const BAD_REQUEST: u8 = 2;
    /// A person interrupted it.
    pub const INTERRUPTED: u8 = 130;
}

/// Why a run ends other than with its study. The text is for people.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What was asked for cannot be done; one line for each thing that is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Something else that a run cannot do without.
    #[error("{0}")]
    Fault(String),
}

impl RunError {
    /// The exit status that says so.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::BadRequest(_) | Self::Layout(LayoutError::InUse { .. } | LayoutError::NoFolder { .. }) => {
                exit::BAD_REQUEST
            }
            Self::Journal(_) | Self::Layout(_) | Self::Fault(_) => exit::FAILED,
        }
    }
}
