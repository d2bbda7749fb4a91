//! Kubernetes: what is watched, what is read, what is written. Effects only.

pub mod cache;
pub mod connect;
pub mod events;
pub mod lease;
pub mod templates;
pub mod watch;
mod workflow_object;
pub mod write;

pub use workflow_object::Workflow;

/// Why nothing may start yet, as a study's condition `Ready` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// One word, e.g. `TemplateNotFound`, `SecretNotFound`.
    pub reason: String,
    /// What is wrong, where, and what to do.
    pub message: String,
}
