//! Watches studies, trials, and the metadata of Workflows, and keeps the cache up to date.

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use kube::{
    Api, Client, Resource,
    core::{DeserializeGuard, PartialObjectMeta},
    runtime::{
        WatchStreamExt,
        utils::Backoff,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{cache::Cache, workflow_object::Workflow};
use crate::{
    api::{HyperparameterStudy, HyperparameterTrial},
    workflow::STUDY_LABEL,
};

/// How long a watch goes on before it is begun anew, which is also how soon a dead connection is noticed.
const WATCH_SECONDS: u32 = 240;

/// How long after a listing everything is listed anew. A watch tells of every change, or that it cannot; an event that got lost all the same, on the
/// way or in a cache of somebody between, is made up for by this.
const RELIST: Duration = Duration::from_secs(600);

/// How long a listing may say nothing before it is begun anew: its connection is dead, which would show after minutes only.
const SILENCE: Duration = Duration::from_secs(60);

/// The first wait after a watch has failed, and the longest; each is twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Which of the watches have been listed once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Listed {
    done: usize,
    all: usize,
}

/// The watches' progress.
#[derive(Clone, Debug)]
pub struct Synced(watch::Receiver<Listed>);

impl Synced {
    /// Whether everything has been listed once.
    pub fn is_complete(&self) -> bool {
        let listed = *self.0.borrow();
        listed.done >= listed.all
    }

    /// Waits for that.
    pub async fn complete(&mut self) {
        // The other end is gone only when the program is about to end.
        let _ = self.0.wait_for(|listed| listed.done >= listed.all).await;
    }
}

/// Watches, in `namespaces` (all where there are none), until the futures that it gives are dropped.
pub fn watches(
    client: &Client,
    namespaces: &[String],
    cache: &Arc<Cache>,
) -> (Synced, Vec<impl Future<Output = ()> + Send + use<>>) {
    let scopes: Vec<Option<String>> = match namespaces {
        [] => vec![None],
        some => some.iter().cloned().map(Some).collect(),
    };
    let all = scopes.len().saturating_mul(3);
    let (progress, synced) = watch::channel(Listed { done: 0, all });
    let progress = Arc::new(progress);
    let futures = scopes
        .into_iter()
        .map(|scope| {
            let (cache, client, progress) = (cache.clone(), client.clone(), progress.clone());
            async move {
                let config = watcher::Config::default().timeout(WATCH_SECONDS);
                let labelled = config.clone().labels(STUDY_LABEL);
                let (client, scope) = (&client, scope.as_deref());
                let studies = || events::<DeserializeGuard<HyperparameterStudy>>(client, scope, config.clone());
                let trials = || events::<DeserializeGuard<HyperparameterTrial>>(client, scope, config.clone());
                let workflows = || events::<PartialObjectMeta<Workflow>>(client, scope, labelled.clone());
                tokio::join!(
                    follow("studies", studies, &progress, &cache, |event, epoch| match event {
                        Event::Apply(object) | Event::InitApply(object) => cache.take_study(object, epoch),
                        Event::Delete(object) => cache.drop_study(object.meta()),
                        Event::InitDone => cache.studies_listed(scope, epoch),
                        Event::Init => {}
                    }),
                    follow("trials", trials, &progress, &cache, |event, epoch| match event {
                        Event::Apply(object) | Event::InitApply(object) => cache.take_trial(object, epoch),
                        Event::Delete(object) => cache.drop_trial(&object),
                        Event::InitDone => cache.trials_listed(scope, epoch),
                        Event::Init => {}
                    }),
                    follow("workflows", workflows, &progress, &cache, |event, epoch| match event {
                        Event::Apply(object) | Event::InitApply(object) => cache.take_workflow(&object.metadata, epoch),
                        Event::Delete(object) => cache.drop_workflow(&object.metadata),
                        Event::InitDone => cache.workflows_listed(scope, epoch),
                        Event::Init => {}
                    }),
                );
            }
        })
        .collect();
    (Synced(synced), futures)
}

fn events<K>(
    client: &Client,
    namespace: Option<&str>,
    config: watcher::Config,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send + use<K>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    let api: Api<K> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    watcher(api, config).backoff(Waits { next: FIRST_WAIT })
}

/// How long to wait after each failure in a row. Without jitter: few controllers watch, and the same happens after the same.
struct Waits {
    next: Duration,
}

impl Iterator for Waits {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(LONGEST_WAIT);
        Some(wait)
    }
}

impl Backoff for Waits {
    fn reset(&mut self) {
        self.next = FIRST_WAIT;
    }
}

/// Gives every event of the watches that `begin` begins, one after another, to `take`, with a number that grows with every listing.
async fn follow<K, S>(
    what: &str,
    begin: impl Fn() -> S,
    progress: &watch::Sender<Listed>,
    cache: &Cache,
    mut take: impl FnMut(Event<K>, u64),
) where
    S: Stream<Item = watcher::Result<Event<K>>> + Send,
{
    let mut is_first = true;
    loop {
        let mut epoch = cache.begin_listing();
        let mut is_listing = true;
        let mut anew = Instant::now() + SILENCE;
        let mut events = Box::pin(begin());
        while let Ok(Some(next)) = timeout_at(anew, events.next()).await {
            let ends = matches!(next, Ok(Event::InitDone));
            match next {
                Ok(event) => {
                    if matches!(event, Event::Init) {
                        epoch = cache.begin_listing();
                        is_listing = true;
                    }
                    take(event, epoch);
                }
                Err(error) => tracing::warn!("watching {what}: {error}; it is tried again"),
            }
            if ends {
                (is_listing, anew) = (false, Instant::now() + RELIST);
            } else if is_listing {
                anew = Instant::now() + SILENCE;
            }
            if ends && is_first {
                is_first = false;
                progress.send_modify(|p| p.done = p.done.saturating_add(1));
            }
        }
    }
}
