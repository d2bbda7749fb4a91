//! One controller at a time: a Lease of `coordination.k8s.io/v1`, held as client-go holds it.
//!
//! No two clocks are compared. A holder counts from the moment at which it sent its last renewal that was answered, and stops acting
//! [`Timing::renew_deadline`] later. A contender counts from the moment at which it saw the Lease change, which is after that, and takes it
//! [`Timing::duration`] later, which is longer. Every write names the version that it replaces, so of two writers one fails.

mod flags;
mod held;
mod record;

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease as Record, LeaseSpec};
use kube::{Api, Client, api::PostParams};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

pub use flags::{LeaseArgs, Timing, default_identity};
pub use held::{Held, Holding, Loss};

/// How long the API server may take to answer one call.
const ANSWER: Duration = Duration::from_secs(5);

/// The time of day, for the time stamps that people read in the Lease.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A Lease that at most one of its contenders holds at a time. Cheap to clone.
#[derive(Clone)]
pub struct Lease {
    api: Api<Record>,
    namespace: String,
    name: String,
    identity: String,
    timing: Timing,
    clock: Clock,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("identity", &self.identity)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// Why one call came to nothing.
#[derive(Debug)]
enum Trouble {
    /// Somebody else wrote first, or created it first.
    Beaten,
    /// It is not there.
    Missing,
    /// Anything else, for the log.
    Other(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beaten => f.write_str("somebody else wrote it at the same time"),
            Self::Missing => f.write_str("it, or its namespace, does not exist"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

/// What a contender saw last of another's Lease, and when it first saw it so.
#[derive(Clone, Debug)]
struct Seen {
    /// What tells a renewal: any write counts, whatever the holder's clock says.
    version: Option<String>,
    spec: LeaseSpec,
    since: Instant,
}

/// What one try to get the Lease came to.
enum Attempt {
    /// It is ours, by a write that was sent at that moment.
    Acquired(Box<Record>, Instant),
    /// It is another's, at least until then.
    HeldUntil(Instant),
}

impl Lease {
    /// The Lease `namespace`/`name`, wanted by `identity`, with the usual [`Timing`]. Nothing is asked or written yet.
    ///
    /// An identity belongs to one process at a time, and is not empty: the same one is taken for the same holder, started again.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            identity: identity.to_owned(),
            timing: Timing::default(),
            clock: Arc::new(Timestamp::now),
        }
    }

    /// The same with other times.
    #[must_use]
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// The same with another time of day in what it writes.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Who wants it.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Waits until the Lease is ours, however long that takes. Trouble on the way is logged, and tried again.
    pub async fn acquire(&self) -> Held {
        let mut seen = None;
        let mut said = String::new();
        loop {
            let started = Instant::now();
            let again = started + self.timing.retry_period;
            let until = match self.attempt(&mut seen).await {
                Ok(Attempt::Acquired(record, sent)) => {
                    info!(lease = %self, identity = self.identity, "holds the lease");
                    return Held::new(self.clone(), *record, sent);
                }
                Ok(Attempt::HeldUntil(until)) => {
                    let holder = seen.as_ref().and_then(|s| s.spec.holder_identity.clone());
                    self.say(
                        &mut said,
                        format!("waits for the lease, which {} holds", holder.unwrap_or_default()),
                    );
                    again.min(until)
                }
                Err(Trouble::Beaten) => {
                    debug!(lease = %self, "another was faster");
                    again
                }
                Err(trouble) => {
                    let message = format!("the lease cannot be had: {trouble}");
                    if message != said {
                        warn!(lease = %self, "{message}");
                        said = message;
                    }
                    again
                }
            };
            sleep_until(until).await;
        }
    }

    /// Says something once.
    fn say(&self, said: &mut String, message: String) {
        if message != *said {
            info!(lease = %self, "{message}");
            *said = message;
        }
    }

    async fn attempt(&self, seen: &mut Option<Seen>) -> Result<Attempt, Trouble> {
        let Some(record) = self.get().await? else {
            // Somebody deleted it: its holder need not know that yet.
            if let Some(until) = self.until(seen.as_ref()) {
                return Ok(Attempt::HeldUntil(until));
            }
            let sent = Instant::now();
            let record = record::new(&self.name, record::taken(&LeaseSpec::default(), self));
            let created = self.create(&record).await?;
            return Ok(Attempt::Acquired(Box::new(created), sent));
        };
        let spec = record.spec.clone().unwrap_or_default();
        match record::holder(&spec) {
            Some(holder) if holder != self.identity => {
                let version = record.metadata.resource_version.clone();
                if seen.as_ref().is_none_or(|s| s.version != version) {
                    *seen = Some(Seen {
                        version,
                        spec: spec.clone(),
                        since: Instant::now(),
                    });
                }
                if let Some(until) = self.until(seen.as_ref()) {
                    return Ok(Attempt::HeldUntil(until));
                }
            }
            _ => *seen = None,
        }
        let sent = Instant::now();
        let taken = Record {
            spec: Some(record::taken(&spec, self)),
            ..record
        };
        let written = self.replace(&taken).await?;
        Ok(Attempt::Acquired(Box::new(written), sent))
    }

    /// Until when the holder that was seen may act; nothing where that is over, or nobody was seen.
    fn until(&self, seen: Option<&Seen>) -> Option<Instant> {
        let seen = seen?;
        // The holder's own duration counts: it may have been started with another one.
        let duration = record::duration(&seen.spec).unwrap_or(self.timing.duration);
        let until = seen.since + duration;
        (Instant::now() < until).then_some(until)
    }

    async fn get(&self) -> Result<Option<Record>, Trouble> {
        match answer(self.api.get(&self.name)).await {
            Ok(record) => Ok(Some(record)),
            Err(Trouble::Missing) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    async fn create(&self, record: &Record) -> Result<Record, Trouble> {
        answer(self.api.create(&PostParams::default(), record)).await
    }

    /// Writes the Lease, if it is still the version that `record` was read as.
    async fn replace(&self, record: &Record) -> Result<Record, Trouble> {
        answer(self.api.replace(&self.name, &PostParams::default(), record)).await
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// An answer in time, or what is wrong.
async fn answer<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, Trouble> {
    match timeout(ANSWER, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(kube::Error::Api(status))) => Err(match status.code {
            409 => Trouble::Beaten,
            404 => Trouble::Missing,
            401 | 403 => Trouble::Other(format!(
                "the API server does not allow it ({}): the service account needs get, create and update on leases of coordination.k8s.io",
                status.message
            )),
            code => Trouble::Other(format!("the API server answers {code}: {}", status.message)),
        }),
        Ok(Err(error)) => Err(Trouble::Other(format!("the API server cannot be asked: {error}"))),
        Err(_) => Err(Trouble::Other(format!(
            "the API server did not answer within {} s",
            ANSWER.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests;
