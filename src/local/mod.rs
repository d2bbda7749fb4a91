//! Studies on one machine: trials are processes, S3 is a server inside the program, the ledger is a journal in a folder.
//!
//! All decisions are [`crate::study::plan`]'s, as in the cluster; here are only the effects.

mod actions;
pub mod artifacts;
pub mod attempt;
mod commands;
pub mod entry;
pub mod environment;
mod error;
mod health;
mod history;
pub mod journal;
pub mod layout;
pub mod ledger;
pub mod load;
mod log_tail;
mod open;
mod orphans;
pub mod process;
mod runner;
pub mod s3;
mod summary;
pub mod template;
pub mod validate;
mod view;
mod wording;

pub use error::{RunError, exit};
pub use ledger::Ledger;
pub use open::{RunOptions, run};
