//! The study: what was observed of it, and what to do next.
//!
//! Pure. [`plan`] is a function of the study, a [`Snapshot`] of the world and the time; it is the only place where it is decided
//! which trials exist, start, stop, are tried again and end, which files go, and when the study is over. Whoever applies its
//! [`Step`]s checks their [`Requirement`]s against the newest state first, so that a plan made on an old view does no harm.

mod action;
pub mod arguments;
mod compile;
mod earlier;
mod ending;
mod plan;
mod proposals;
mod ranking;
mod retention;
mod snapshot;
mod status;
mod trial;
mod unusable;

pub use action::{Action, Plan, Requirement, Step};
pub use compile::{DEFAULT_OUTPUT_PATH, Identity, Study};
pub use earlier::{Counts, Earlier, MOST_EARLIER, Memory, Past, Source, kept, table_of};
pub use ending::Ending;
pub use plan::{has_deletions, plan};
pub use ranking::Ranking;
pub use snapshot::{Failure, Folder, Owner, Request, Run, RunState, Snapshot, StorageHealth, Trial, Written};
pub use status::deleted_at;
pub use trial::{started, without_metrics};
pub use unusable::unusable;

use std::time::Duration;

/// How often, at most, the result files are written while the study runs.
pub const RESULTS_INTERVAL: Duration = Duration::from_secs(10);

/// How often, at most, the report is among them, which has megabytes.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// How long storage may fail before a study that waits for it alone counts as finished.
pub const STORAGE_PATIENCE: Duration = Duration::from_secs(600);

/// How long a deleted study waits for storage that fails, where it may have left no more in it than a mark.
const MARK_PATIENCE: Duration = Duration::from_secs(60);

/// The reason of an obstacle that says nothing of what is in the way: the API server could not be asked.
pub const UNASKED: &str = "ApiServerUnavailable";

/// How long a run may last beyond its time-out before it is ended from here.
const TIMEOUT_PATIENCE: Duration = Duration::from_secs(20);

/// How often earlier results that cannot be read are tried again.
pub const HISTORY_INTERVAL: Duration = Duration::from_secs(10);

/// How many preemptions of a trial cost no retry.
pub const FREE_PREEMPTIONS: u32 = 10;

/// How many trials `status.top` names.
pub const TOP: usize = 50;

/// How long a message in a status may be, in bytes: some tell what people wrote, and the API server bounds what it takes.
const LONGEST_MESSAGE: usize = 8 << 10;

/// A message that is not too long for a status.
fn bounded(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|at| message.is_char_boundary(*at));
        message.truncate(end.unwrap_or(0));
        message.push_str(" ... (cut)");
    }
    message
}
