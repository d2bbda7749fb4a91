//! From the command line to reconcilers that run, and back to a quiet end.

use std::{env, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{Client, Config, client::ClientBuilder};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    access::Attendance,
    context::Context,
    http::{self, Health, HttpArgs, Stage},
    logging::{self, LogArgs},
    study,
    telemetry::{Kind, Telemetry},
};
use crate::cluster::{
    cache::Entry,
    connect::{Connector, Settings},
    lease::{Lease, LeaseArgs},
    watch::{Synced, watches},
};

/// How long what is under way may take when the controller ends.
const GRACE: Duration = Duration::from_secs(10);
/// How old what was seen may be for whoever gets the lease: what is older is listed anew.
const FRESH: Duration = Duration::from_secs(5);
/// How often studies and trials are counted for the metrics.
const COUNTING: Duration = Duration::from_secs(5);

/// `hyperstudy controller`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Serve this namespace only; may be given several times. Default: all namespaces.
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    namespaces: Vec<String>,
    /// The instance id of the Argo installation that runs the trials' Workflows, where it has one.
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
    #[command(flatten)]
    s3: Settings,
    #[command(flatten)]
    lease: LeaseArgs,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    log: LogArgs,
}

/// Why the controller cannot run, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no cluster.
    #[error("cannot find the cluster: {0}. Set KUBECONFIG, or run inside one")]
    Config(String),
    /// A flag.
    #[error("{0}")]
    Flag(String),
    /// Another controller has taken over.
    #[error("{0}: another controller may act now, so this one ends")]
    Lost(String),
    /// The system.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// Runs the controller until it is asked to end.
///
/// # Errors
/// It cannot start, or another has taken over.
pub async fn run(options: Options) -> Result<(), RunError> {
    logging::init(&options.log).map_err(RunError::Flag)?;
    let stop = stop_on_signals()?;
    let telemetry = Telemetry::new();
    let health = options.http.health();
    let listener = options.http.bind().await.map_err(RunError::Flag)?;
    let served = CancellationToken::new();
    let serving = tokio::spawn(http::serve(listener, health.clone(), telemetry.clone(), served.clone()));

    let client = client(&telemetry).await?;
    let lease = own_identity(options.lease)
        .lease(client.clone())
        .map_err(RunError::Flag)?;
    let connector = Connector::new(options.s3, |name| env::var(name).ok());
    let (mut context, news, publishing) = Context::new(client, connector, Timestamp::now, telemetry);
    context.instance_id = options.instance_id;
    let context = Arc::new(context);
    tokio::spawn(publishing);
    // Whoever has lost the lease does not wait for those who read its metrics, either.
    serve(&context, &options.namespaces, news, &lease, &health, &stop).await?;
    served.cancel();
    let _ = serving.await;
    Ok(())
}

/// Watches, waits for the lease, and attends to every study until `stop`: all that the controller does by the clients and the clock of its context.
///
/// # Errors
/// [`RunError::Lost`]: another controller may act now, so nothing of this one goes on.
pub async fn serve(
    context: &Arc<Context>,
    namespaces: &[String],
    news: mpsc::UnboundedReceiver<Arc<Entry>>,
    lease: &Lease,
    health: &Health,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    // Everything is seen before the lease is held, so that whoever gets it can act at once.
    let (mut synced, mut watching) = watch(context, namespaces);
    health.set(Stage::Syncing);
    let acquiring = async {
        synced.complete().await;
        health.set(Stage::Standby);
        let seen = Instant::now();
        (lease.acquire().await, seen)
    };
    let Some((held, seen)) = stop.run_until_cancelled(health.during(acquiring)).await else {
        return Ok(());
    };
    context.telemetry.set_leader(true);
    // It is got once.
    let _ = context.holding.set(held.holding());
    if seen.elapsed() > FRESH {
        // A watch may have fallen silent meanwhile, and everything gone on without it.
        (synced, watching) = watch(context, namespaces);
    }
    // A standby says nothing of them, so that sums over controllers are right.
    let _counting = AbortOnDropHandle::new(tokio::spawn(count(context.clone())));
    let acting = async {
        let _watching = watching;
        if stop
            .run_until_cancelled(health.during(synced.complete()))
            .await
            .is_some()
        {
            act(context, news, health, stop).await;
        }
        finish(context, health).await;
    };
    let loss = tokio::select! {
        biased;
        loss = held.lost() => Some(loss),
        () = acting => None,
    };
    // Nothing goes on once somebody else may act.
    context.halted.cancel();
    context.telemetry.set_leader(false);
    match loss {
        Some(loss) => Err(RunError::Lost(loss.to_string())),
        None => {
            held.release().await;
            Ok(())
        }
    }
}

/// A token that SIGINT and SIGTERM cancel.
fn stop_on_signals() -> Result<CancellationToken, RunError> {
    let stop = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, stop) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            signals.recv().await;
            tracing::info!("asked to end");
            stop.cancel();
        });
    }
    Ok(stop)
}

/// The API server of the surroundings, every call to it counted.
async fn client(telemetry: &Telemetry) -> Result<Client, RunError> {
    let config = |e: &dyn std::fmt::Display| RunError::Config(e.to_string());
    let found = Config::infer().await.map_err(|e| config(&e))?;
    let builder = ClientBuilder::try_from(found).map_err(|e| config(&e))?;
    Ok(builder.with_layer(&telemetry.kubernetes_calls()).build())
}

/// In a pod, who holds the lease is the pod, so that its restarted container goes on at once.
fn own_identity(mut lease: LeaseArgs) -> LeaseArgs {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if let (None, Some(name), Some(uid)) = (&lease.identity, variable("POD_NAME"), variable("POD_UID")) {
        lease.identity = Some(format!("{name}_{uid}"));
    }
    lease.lease_namespace = lease.lease_namespace.or_else(|| variable("POD_NAMESPACE"));
    lease
}

/// Counts studies and trials, now and then.
async fn count(context: Arc<Context>) {
    loop {
        let mut studies = Vec::new();
        let mut trials = Vec::new();
        for entry in context.cache.entries() {
            let state = entry.state();
            if state.record.is_some() {
                studies.push(state.snapshot.status.phase);
            }
            trials.extend(state.snapshot.trials.iter().map(|t| t.status.phase));
        }
        context.telemetry.set_counts(studies, trials);
        tokio::time::sleep(COUNTING).await;
    }
}

/// Begins to watch.
fn watch(context: &Arc<Context>, namespaces: &[String]) -> (Synced, JoinSet<()>) {
    let mut watching = JoinSet::new();
    let (synced, futures) = watches(context.writer.client(), namespaces, &context.cache);
    for future in futures {
        watching.spawn(future);
    }
    (synced, watching)
}

/// Attends to every study until `stop`.
async fn act(
    context: &Arc<Context>,
    mut news: mpsc::UnboundedReceiver<Arc<Entry>>,
    health: &Health,
    stop: &CancellationToken,
) {
    health.set(Stage::Acting);
    let mut studies = JoinSet::new();
    while let Some(Some(entry)) = stop.run_until_cancelled(health.during(news.recv())).await {
        studies.spawn(attend(context.clone(), entry, stop.clone()));
        while studies.try_join_next().is_some() {}
    }
    while studies.join_next().await.is_some() {}
}

/// Lets what is under way come to its end. What is cut off shows in the cluster, and is gone on with from there.
async fn finish(context: &Context, health: &Health) {
    health.set(Stage::Stopping);
    context.stopping.cancel();
    context.tasks.close();
    let _ = tokio::time::timeout(GRACE, context.tasks.wait()).await;
}

/// Attends to one study until nothing of it is left.
async fn attend(context: Arc<Context>, entry: Arc<Entry>, stop: CancellationToken) {
    let mut own = Attendance::default();
    loop {
        let pass = study::reconcile(&context, &entry, &mut own);
        let again = context.telemetry.timed(Kind::Study, pass).await;
        if entry.state().is_empty() && context.cache.forget(&entry) {
            return;
        }
        let wait = again.map(|at| {
            let wait = Duration::try_from(at.duration_since((context.clock)())).unwrap_or_default();
            // A little later rather than a little too early: then there would be nothing to do, again and again.
            wait.saturating_add(Duration::from_millis(1))
        });
        let due = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = entry.changed.notified() => {}
            () = due => {}
        }
    }
}
