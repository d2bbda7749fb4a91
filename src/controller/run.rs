//! From the command line to reconcilers that run, and back to a quiet end.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::Client;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{access::Attendance, context::Context, study};
use crate::cluster::{
    cache::{Cache, Entry},
    connect::{Connector, Settings},
    watch::watches,
    write::Writer,
};

/// How long what is under way may take when the controller ends.
const GRACE: Duration = Duration::from_secs(10);

/// `hyperstudy controller`.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Serve this namespace only; may be given several times. Default: all namespaces.
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    pub namespaces: Vec<String>,
    /// The instance id of the Argo installation that runs the trials' Workflows, where it has one.
    #[arg(long, value_name = "ID")]
    pub instance_id: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub settings: Settings,
}

/// Why the controller cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no cluster.
    #[error("cannot find the cluster: {0}. Set KUBECONFIG, or run inside one")]
    Config(String),
    /// A signal handler.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// Runs the controller until it is asked to end.
///
/// # Errors
/// It cannot start.
pub async fn run(options: Options) -> Result<(), RunError> {
    let client = Client::try_default()
        .await
        .map_err(|e| RunError::Config(e.to_string()))?;
    let stop = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, stop) = (signal(kind)?, stop.clone());
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    let (cache, news) = Cache::new();
    let context = Arc::new(Context {
        writer: Writer::new(client.clone(), |_, _| {}),
        cache: Arc::new(cache),
        connector: Connector::new(options.settings, |name| std::env::var(name).ok()),
        instance_id: options.instance_id,
        clock: Timestamp::now,
        tasks: TaskTracker::new(),
    });
    attend_all(&context, &options.namespaces, news, stop).await;
    Ok(())
}

/// Watches, and attends to every study, until `stop`.
pub async fn attend_all(
    context: &Arc<Context>,
    namespaces: &[String],
    mut news: mpsc::UnboundedReceiver<Arc<Entry>>,
    stop: CancellationToken,
) {
    let mut watching = JoinSet::new();
    let (mut synced, futures) = watches(context.writer.client(), namespaces, &context.cache);
    for future in futures {
        watching.spawn(future);
    }
    let ready = stop.run_until_cancelled(synced.complete()).await;
    if ready.is_some() {
        let mut studies = JoinSet::new();
        while let Some(Some(entry)) = stop.run_until_cancelled(news.recv()).await {
            studies.spawn(attend(context.clone(), entry, stop.clone()));
            while studies.try_join_next().is_some() {}
        }
        while studies.join_next().await.is_some() {}
    }
    context.tasks.close();
    // What is cut off here shows in the cluster, and is gone on with from there.
    let _ = tokio::time::timeout(GRACE, context.tasks.wait()).await;
}

/// Attends to one study until nothing of it is left.
async fn attend(context: Arc<Context>, entry: Arc<Entry>, stop: CancellationToken) {
    let mut own = Attendance::default();
    loop {
        let again = study::reconcile(&context, &entry, &mut own).await;
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
            () = stop.cancelled() => return,
            () = entry.changed.notified() => {}
            () = due => {}
        }
    }
}
