//! What the controller counts and times, as Prometheus reads it.

mod calls;
mod labels;

use std::{fmt, hash::Hash, sync::Arc, time::Duration};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};
use tokio::time::Instant;

use crate::{
    api::{StudyPhase, TrialPhase},
    cluster::events::Outcomes,
};

pub use calls::{Calls, Counted};
use labels::{EventLabels, KindLabels, OperationLabels, PhaseLabels, ReasonLabels, RequestLabels, StorageLabels};
pub use labels::{Kind, Outcome};

/// The media type of [`Telemetry::encode`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds: a pass takes some hundred microseconds, a call some milliseconds, a bad day half a minute.
const BOUNDS: [f64; 12] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

type Timer<L> = Family<L, Histogram>;

/// Everything that is counted. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Telemetry {
    registry: Arc<Registry>,
    studies: Family<PhaseLabels, Gauge>,
    trials: Family<PhaseLabels, Gauge>,
    leader: Gauge,
    passes: Timer<KindLabels>,
    errors: Family<ReasonLabels, Counter>,
    suggestions: Histogram,
    storage: Family<StorageLabels, Counter>,
    storage_time: Timer<OperationLabels>,
    requests: Family<RequestLabels, Counter>,
    events: Outcomes,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

fn timer<L: Clone + Hash + Eq>() -> Timer<L> {
    Family::new_with_constructor(|| Histogram::new(BOUNDS))
}

impl Telemetry {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("hyperstudy");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", version);
        let (studies, trials) = (Family::default(), Family::default());
        registry.register("studies", "Studies by phase", studies.clone());
        registry.register("trials", "Trials by phase, requests among them", trials.clone());
        let leader = Gauge::default();
        registry.register(
            "leader",
            "1 where this controller holds the lease, else 0",
            leader.clone(),
        );
        let passes = timer();
        let help = "Time of a pass over a study, of a step of a trial, or of writing results";
        registry.register_with_unit("reconcile_duration", help, Unit::Seconds, passes.clone());
        let errors = Family::default();
        registry.register(
            "reconcile_errors",
            "What failed in passes, steps and the writing of results, by reason",
            errors.clone(),
        );
        let suggestions = Histogram::new(BOUNDS);
        let help = "Time of planning a study's next steps, suggestions among them";
        registry.register_with_unit("plan_duration", help, Unit::Seconds, suggestions.clone());
        let storage = Family::default();
        let help = "What was asked of S3 servers, by operation and outcome; tries of one operation count once";
        registry.register("storage_operations", help, storage.clone());
        let storage_time = timer();
        let help = "Time of what was asked of S3 servers, with all tries";
        registry.register_with_unit("storage_operation_duration", help, Unit::Seconds, storage_time.clone());
        let requests = Family::default();
        let help = "Calls of the Kubernetes API by resource, verb and HTTP status; tries of one call count once";
        registry.register("kubernetes_requests", help, requests.clone());
        let events = Family::default();
        registry.register("events", "Kubernetes Events, by what became of them", events.clone());
        Self {
            registry: Arc::new(registry),
            studies,
            trials,
            leader,
            passes,
            errors,
            suggestions,
            storage,
            storage_time,
            requests,
            events: outcomes(&events),
        }
    }

    /// How many studies and trials there are now: the phase of each one.
    pub fn set_counts(
        &self,
        studies: impl IntoIterator<Item = StudyPhase>,
        trials: impl IntoIterator<Item = TrialPhase>,
    ) {
        set(&self.studies, &labels::STUDY_PHASES, studies);
        set(&self.trials, &labels::TRIAL_PHASES, trials);
    }

    /// Whether this controller holds the lease.
    pub fn set_leader(&self, is_leader: bool) {
        self.leader.set(is_leader.into());
    }

    /// Does a pass over a study or other work of its kind, and times it.
    pub async fn timed<T>(&self, kind: Kind, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let result = work.await;
        let took = start.elapsed().as_secs_f64();
        self.passes.get_or_create(&KindLabels { kind }).observe(took);
        result
    }

    /// Something of that kind failed, with a word for why. There are few such words.
    pub fn failed(&self, kind: Kind, reason: &'static str) {
        self.errors.get_or_create(&ReasonLabels { kind, reason }).inc();
    }

    /// A study's next steps are planned.
    pub fn planned(&self, took: Duration) {
        self.suggestions.observe(took.as_secs_f64());
    }

    /// Does something in S3, e.g. `read_metrics`, and counts and times it. There are few operations.
    ///
    /// # Errors
    /// What it fails with itself.
    pub async fn storage<T, E: Outcome>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let start = Instant::now();
        let result = work.await;
        let outcome = result.as_ref().map_or_else(E::outcome, |_| "Done");
        self.storage.get_or_create(&StorageLabels { operation, outcome }).inc();
        let time = self.storage_time.get_or_create(&OperationLabels { operation });
        time.observe(start.elapsed().as_secs_f64());
        result
    }

    /// A layer for [`kube::client::ClientBuilder::with_layer`], which counts the calls of the Kubernetes API.
    pub fn kubernetes_calls(&self) -> Calls {
        Calls::new(self.requests.clone())
    }

    /// What the recorder of events counts.
    pub fn events(&self) -> Outcomes {
        self.events.clone()
    }

    /// Everything in the text format of OpenMetrics, whose media type is [`MEDIA_TYPE`].
    ///
    /// # Errors
    /// None, as far as is known: text has room for everything.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Sets the gauge of every phase, those without any to 0.
fn set<P: PartialEq + fmt::Debug, const N: usize>(
    family: &Family<PhaseLabels, Gauge>,
    phases: &[P; N],
    all: impl IntoIterator<Item = P>,
) {
    let mut counts = [0; N];
    for phase in all {
        if let Some(count) = phases.iter().position(|p| *p == phase).and_then(|i| counts.get_mut(i)) {
            *count += 1;
        }
    }
    for (phase, count) in phases.iter().zip(counts) {
        let labels = PhaseLabels {
            phase: format!("{phase:?}"),
        };
        family.get_or_create(&labels).set(count);
    }
}

fn outcomes(events: &Family<EventLabels, Counter>) -> Outcomes {
    let of = |outcome| events.get_or_create_owned(&EventLabels { outcome });
    Outcomes {
        published: of("published"),
        superseded: of("superseded"),
        dropped: of("dropped"),
        failed: of("failed"),
    }
}

#[cfg(test)]
mod tests;
