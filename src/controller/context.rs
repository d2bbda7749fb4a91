//! What the reconcilers work with. Every effect comes in here.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::Timestamp;
use kube::Client;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::telemetry::{Kind, Telemetry};
use crate::{
    cluster::{
        Obstacle,
        cache::{Cache, Entry, Work},
        connect::{Connector, TemplateRepository},
        events::Recorder,
        lease::Holding,
        templates,
        write::{CallError, Writer},
    },
    storage::{StorageError, Store},
    study::{Study, UNASKED},
    workflow::Template,
};

/// The first wait after something failed, and the longest; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What all studies share.
pub struct Context {
    /// The API server.
    pub writer: Writer,
    /// What was seen.
    pub cache: Arc<Cache>,
    /// The way to S3.
    pub connector: Connector,
    /// The instance id of the Argo installation, where it has one.
    pub instance_id: Option<String>,
    /// The time.
    pub clock: fn() -> Timestamp,
    /// All that is under way.
    pub tasks: TaskTracker,
    /// Whether the lease is held, where there is one.
    pub holding: OnceLock<Holding>,
    /// When this program is about to end: nothing waits any more.
    pub stopping: CancellationToken,
    /// When this program may not act any more: all that is under way is cut off.
    pub halted: CancellationToken,
    /// What is counted.
    pub telemetry: Telemetry,
    /// Where Events go.
    pub recorder: Recorder,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// What a study needs of its surroundings to run.
#[derive(Debug)]
pub struct Access {
    /// Its template; absent where nothing may start.
    pub template: Option<Template>,
    /// Its S3 server; absent where it cannot be reached for want of credentials.
    pub store: Option<Store>,
    /// Whether its bucket is made where it is missing.
    pub makes_bucket: bool,
    /// Whether the server is asked with the controller's own credentials.
    pub is_own: bool,
    /// What is in the way.
    pub obstacle: Option<Obstacle>,
    /// Whether it is known that there is no way to its S3 server.
    pub is_closed: bool,
    /// When that was found.
    pub at: Timestamp,
}

impl Access {
    /// Looks for it.
    pub async fn look(context: &Context, entry: &Entry, study: &Study) -> Self {
        let client = context.writer.client();
        let (template, missing) = match templates::fetch(client, study).await {
            Ok(template) => (Some(template), None),
            Err(obstacle) => (None, Some(obstacle)),
        };
        // Where storage is may stand in the template.
        let is_unread = missing.as_ref().is_some_and(templates::may_pass);
        let repository = TemplateRepository {
            reference: template.as_ref().and_then(Template::repository),
            is_written: template.as_ref().is_some_and(Template::is_written),
        };
        let connector = &context.connector;
        let connected = connector
            .connect(client, &study.namespace, &study.spec.storage, repository)
            .await;
        let (connection, closed) = match connected {
            Ok(connection) => (Some(connection), None),
            Err(obstacle) => (None, Some(obstacle)),
        };
        let is_new = entry.state().snapshot.last_number() == 0;
        let busy = match is_new && !study.deleting && missing.is_none() && closed.is_none() {
            true => leftover(context, study).await,
            false => None,
        };
        Self {
            template,
            makes_bucket: connection.as_ref().is_some_and(|c| c.create_bucket),
            is_own: connection.as_ref().is_some_and(|c| c.is_own),
            store: connection.map(|c| c.store),
            is_closed: closed.as_ref().is_some_and(|closed| closed.reason != UNASKED) && !is_unread,
            obstacle: missing.or(closed).or(busy),
            at: (context.clock)(),
        }
    }
}

/// Why something could not be done now. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The API server.
    #[error(transparent)]
    Call(#[from] CallError),
    /// S3. That it fails is noted, and when it is worth trying again.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Another controller may act now.
    #[error("the lease is not held any more")]
    NoLease,
    /// There are no credentials for S3, or none that work.
    #[error("there is no access to storage: {0}")]
    NoStore(String),
}

impl Trouble {
    /// One word for metrics.
    fn reason(&self) -> &'static str {
        match self {
            Self::Call(error) => error.reason(),
            Self::Storage(_) => "Storage",
            Self::NoLease => "NoLease",
            Self::NoStore(_) => "NoAccess",
        }
    }
}

impl Context {
    /// A context that works through `client` and `connector` by `clock`, where studies that are new are announced, and the task that
    /// publishes Events.
    pub fn new(
        client: Client,
        connector: Connector,
        clock: fn() -> Timestamp,
        telemetry: Telemetry,
    ) -> (
        Self,
        mpsc::UnboundedReceiver<Arc<Entry>>,
        impl Future<Output = ()> + Send + use<>,
    ) {
        let (cache, news) = Cache::new();
        let instance = std::env::var("POD_NAME").unwrap_or_else(|_| "hyperstudy".to_owned());
        let (recorder, publishing) = Recorder::new(client.clone(), &instance, telemetry.events(), clock);
        let context = Self {
            writer: Writer::new(client),
            cache: Arc::new(cache),
            connector,
            instance_id: None,
            clock,
            tasks: TaskTracker::new(),
            holding: OnceLock::new(),
            stopping: CancellationToken::new(),
            halted: CancellationToken::new(),
            telemetry,
            recorder,
        };
        (context, news, publishing)
    }

    /// Whether this controller still is the one that acts. Asked right before what could harm what another does: a program that was
    /// stopped for a while goes on in the middle of what it did.
    ///
    /// # Errors
    /// [`Trouble::NoLease`].
    pub fn may_act(&self) -> Result<(), Trouble> {
        match self.holding.get() {
            Some(holding) if !holding.is_held() => Err(Trouble::NoLease),
            _ => Ok(()),
        }
    }

    /// Notes how a piece of work for a study went.
    pub fn noted(&self, entry: &Entry, work: Work, result: Result<(), Trouble>) -> Option<Duration> {
        let now = (self.clock)();
        let mut state = entry.state();
        let Err(trouble) = result else {
            state.worked(work);
            return None;
        };
        self.telemetry.failed(kind(work), trouble.reason());
        let study = state
            .record
            .as_ref()
            .map(|r| r.identity.name.clone())
            .unwrap_or_default();
        match &trouble {
            Trouble::Storage(_) | Trouble::NoStore(_) => {
                let health = &mut state.snapshot.storage;
                // What failed beside it at the same time is the same failure.
                if health.retry_at.is_none_or(|at| at <= now) {
                    health.failed(trouble.to_string(), now);
                }
                tracing::warn!(study, ?work, "storage: {trouble}");
                // The plan knows when to go on.
                return None;
            }
            Trouble::Call(CallError::Conflict) | Trouble::NoLease => tracing::debug!(study, ?work, "{trouble}"),
            Trouble::Call(_) => tracing::warn!(study, ?work, "{trouble}"),
        }
        let refusal = match &trouble {
            Trouble::Call(error @ (CallError::Forbidden(m) | CallError::Invalid(m) | CallError::Taken(m))) => {
                Some((error.reason().to_owned(), m.clone()))
            }
            _ => None,
        };
        let before = state.failed(work, refusal);
        Some(FIRST_WAIT.saturating_mul(1 << before.min(10)).min(LONGEST_WAIT))
    }

    /// Does a piece of work in the background, once at a time; what fails is held back for a while.
    pub fn begin<F>(self: &Arc<Self>, entry: &Arc<Entry>, work: Work, task: F)
    where
        F: Future<Output = Result<(), Trouble>> + Send + 'static,
    {
        if !entry.state().busy.insert(work) {
            return;
        }
        let (context, entry) = (self.clone(), entry.clone());
        self.tasks.spawn(async move {
            let under_way = UnderWay { entry, work };
            let task = context.telemetry.timed(kind(work), task);
            let Some(result) = context.halted.run_until_cancelled(task).await else {
                return;
            };
            if let Some(wait) = context.noted(&under_way.entry, work, result) {
                context.stopping.run_until_cancelled(tokio::time::sleep(wait)).await;
            }
        });
    }
}

/// What an earlier study of that name has left running, for which the study has to wait.
async fn leftover(context: &Context, study: &Study) -> Option<Obstacle> {
    let writer = &context.writer;
    let (reason, message) = match writer.workflow_left(study).await {
        Err(error) => (
            "WorkflowsUnknown",
            format!("whether Workflows of an earlier study of that name still run cannot be seen: {error}"),
        ),
        Ok(Some(workflow)) => (
            "WorkflowsLeft",
            format!(
                "the Workflow `{workflow}` of an earlier study of that name has not ended: the study begins when it is over or gone"
            ),
        ),
        Ok(None) => {
            let pod = writer.pods_left(study).await?;
            let message = format!(
                "the pod `{pod}` of an earlier Workflow, whose name a trial's will have, has not ended: the study begins when it is gone"
            );
            ("PodsLeft", message)
        }
    };
    Some(Obstacle {
        reason: reason.to_owned(),
        message,
    })
}

/// How a piece of work is counted. What concerns a study as a whole is done in its pass.
fn kind(work: Work) -> Kind {
    match work {
        Work::Trial(_) => Kind::Trial,
        Work::Results => Kind::Results,
        Work::Study | Work::Status | Work::Owner => Kind::Study,
    }
}

/// A piece of work while it is done; however it ends, it may be begun anew then.
struct UnderWay {
    entry: Arc<Entry>,
    work: Work,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.entry.note(|state| {
            if let Work::Trial(number) = self.work {
                state.started(number);
            }
            state.busy.remove(&self.work)
        });
    }
}
