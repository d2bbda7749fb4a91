//! Kubernetes Events: what a person would want to know.
//!
//! They are events of core/v1, which every version of `kubectl describe`, `kubectl get events` and `kubectl events` shows with their count, and
//! which sort by `lastTimestamp`. An event's name follows from its object, type, reason and message, so that the same one is counted
//! up, not written again, also by a program that was started anew.

mod changes;
mod publish;
mod record;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tracing::debug;

pub use changes::{study_events, trial_events};

/// How many events may wait to be published; more are dropped.
const WAITING: usize = 1024;
/// How long an object's next event of the same reason waits. Of those that differ meanwhile, the last is published.
const PAUSE: Duration = Duration::from_secs(10);

/// Whether an event is good news or bad, as `kubectl` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoteType {
    /// All goes as it should.
    Normal,
    /// Something that a person may have to look at.
    Warning,
}

impl NoteType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Good news or bad.
    pub type_: NoteType,
    /// One word.
    pub reason: &'static str,
    /// For people; what is longer than 1024 bytes is cut when it is published.
    pub message: String,
}

/// What became of events.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// Written, as an event or as another count of one.
    pub published: Counter,
    /// Left out for one of the same object and reason that came soon after it.
    pub superseded: Counter,
    /// Left out because too many were waiting.
    pub dropped: Counter,
    /// Left out because the API server did not take them.
    pub failed: Counter,
}

/// Publishes events without ever making anybody wait. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Recorder {
    queue: mpsc::Sender<(ObjectReference, Note)>,
    outcomes: Outcomes,
}

impl Recorder {
    /// A recorder, and the task that publishes what it is given. The task ends once the recorder and its clones are gone and everything
    /// is published. `instance` is who reports: the pod's name. `clock` gives the times that people read.
    pub fn new(
        client: Client,
        instance: &str,
        outcomes: Outcomes,
        clock: fn() -> Timestamp,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (queue, waiting) = mpsc::channel(WAITING);
        let publisher = publish::Publisher::new(client, instance, outcomes.clone(), PAUSE, clock);
        (Self { queue, outcomes }, publisher.run(waiting))
    }

    /// Publishes `note` about `object` when it can; with `object` as `kube::Resource::object_ref` gives it.
    pub fn note(&self, object: &ObjectReference, note: Note) {
        if self.queue.try_send((object.clone(), note)).is_err() {
            self.outcomes.dropped.inc();
            debug!(object = object.name, "too many events wait: one is left out");
        }
    }
}

#[cfg(test)]
mod tests;
