//! A stand-in for Argo's workflow controller, which cannot be had in tests.
//!
//! It is not Argo: it runs no containers and knows no steps or DAGs. It watches the Workflows of a namespace and lets each go through the
//! phases that Argo's controller would write, in the order and with the labels, messages and fields that Argo 4.1 writes, while a [`Script`]
//! says how long that takes, what stands in S3 afterwards and how it ends. It honours `shutdown`, `activeDeadlineSeconds` and
//! `ttlStrategy`, refuses what `templateReferencing: Strict` refuses, and keeps a [`Journal`] of what it saw, in which everything that must
//! never happen is a violation.

mod check;
mod journal;
mod life;
mod play;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::StreamExt;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
    runtime::{WatchStreamExt, utils::Backoff, watcher},
};
use serde_json::Value;
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

pub use journal::{Happened, Journal};
pub use play::{End, Job, Play, Script};

use super::{bucket::Bucket, crds, lab::PATIENCE};

/// How long one request may take.
const CALL: Duration = Duration::from_secs(10);

/// How many requests it has under way at most.
const CALLS: usize = 32;

/// The label by which an installation of several Argos says whose a Workflow is.
const INSTANCE: &str = "workflows.argoproj.io/controller-instanceid";

/// The stand-in for one namespace; it ends with this.
pub struct Argo {
    world: Arc<World>,
    _watching: JoinSet<()>,
}

struct World {
    workflows: Api<DynamicObject>,
    templates: Api<DynamicObject>,
    cluster_templates: Api<DynamicObject>,
    bucket: Bucket,
    instance: Option<String>,
    scripts: Mutex<HashMap<String, Script>>,
    known: Mutex<HashMap<String, Value>>,
    calls: Semaphore,
    journal: Journal,
}

impl Argo {
    /// Starts it. Its Workflows' files go into `bucket`. With an `instance` it takes only Workflows that bear that id, else only those without one.
    pub fn start(client: &Client, namespace: &str, bucket: &Bucket, instance: Option<&str>) -> Self {
        let api = |resource| Api::namespaced_with(client.clone(), namespace, &resource);
        let world = Arc::new(World {
            workflows: api(crds::workflows()),
            templates: api(crds::templates()),
            cluster_templates: Api::all_with(client.clone(), &crds::cluster_templates()),
            bucket: bucket.clone(),
            instance: instance.map(str::to_owned),
            scripts: Mutex::default(),
            known: Mutex::default(),
            calls: Semaphore::new(CALLS),
            journal: Journal::default(),
        });
        let mut watching = JoinSet::new();
        watching.spawn(watch_workflows(Arc::clone(&world)));
        watching.spawn(watch_templates(Arc::clone(&world)));
        Self {
            world,
            _watching: watching,
        }
    }

    /// From now on Workflows of this template do what `script` says.
    pub fn play(&self, template: &str, script: impl Fn(&Job) -> Play + Send + Sync + 'static) {
        self.world
            .scripts
            .lock()
            .unwrap()
            .insert(template.to_owned(), Arc::new(script));
    }

    /// What it saw.
    pub fn journal(&self) -> &Journal {
        &self.world.journal
    }
}

/// After a failure it watches on soon: tests stop servers for seconds, not for hours.
struct Soon;

impl Iterator for Soon {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(200))
    }
}

impl Backoff for Soon {
    fn reset(&mut self) {}
}

async fn watch_workflows(world: Arc<World>) {
    let mut lives: HashMap<String, watch::Sender<Option<String>>> = HashMap::new();
    let mut running = JoinSet::new();
    let changes = watcher(world.workflows.clone(), watcher::Config::default()).backoff(Soon);
    let mut changes = std::pin::pin!(changes);
    while let Some(event) = changes.next().await {
        while running.try_join_next().is_some() {}
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                let Some(job) = Job::of(&object) else { continue };
                match lives.get(&job.uid) {
                    Some(life) => {
                        if let Some(strategy) = job.shutdown.filter(|_| life.borrow().is_none()) {
                            world.journal.note(&job.workflow, Happened::Shutdown(strategy.clone()));
                            life.send_replace(Some(strategy));
                        }
                    }
                    None if job.instance == world.instance => {
                        world.journal.created(&job, check::violations(&object));
                        let (sender, shutdown) = watch::channel(job.shutdown.clone());
                        lives.insert(job.uid.clone(), sender);
                        running.spawn(life::live(Arc::clone(&world), job, shutdown));
                    }
                    None => {}
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                if let Some(job) = Job::of(&object).filter(|job| lives.remove(&job.uid).is_some()) {
                    world.journal.deleted(&job);
                }
            }
            Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
            Err(e) => eprintln!("the stand-in for Argo watches on after: {e}"),
        }
    }
}

async fn watch_templates(world: Arc<World>) {
    let changes = watcher(world.templates.clone(), watcher::Config::default()).backoff(Soon);
    let mut changes = std::pin::pin!(changes);
    while let Some(event) = changes.next().await {
        let mut known = world.known.lock().unwrap();
        match event {
            Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => {
                known.insert(object.metadata.name.unwrap_or_default(), object.data);
            }
            Ok(watcher::Event::Delete(object)) => {
                known.remove(object.metadata.name.as_deref().unwrap_or_default());
            }
            _ => {}
        }
    }
}

impl World {
    /// The spec of a template; `None` where there is none.
    async fn template(&self, name: &str, cluster_scope: bool) -> Option<Value> {
        if !cluster_scope && let Some(known) = self.known.lock().unwrap().get(name) {
            return Some(known.clone());
        }
        let api = if cluster_scope {
            &self.cluster_templates
        } else {
            &self.templates
        };
        Some(api.get_opt(name).await.ok()??.data)
    }

    fn script(&self, template: &str) -> Option<Script> {
        self.scripts.lock().unwrap().get(template).cloned()
    }

    /// Writes into a Workflow; says whether it is still there.
    async fn patch(&self, workflow: &str, patch: Value) -> bool {
        let _call = self.calls.acquire().await;
        let parameters = PatchParams::default();
        let patch = Patch::Merge(patch);
        let patched = patiently(|| self.workflows.patch(workflow, &parameters, &patch)).await;
        match patched {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 404 => false,
            Err(e) => {
                self.journal.violation(workflow, &format!("cannot be written: {e}"));
                false
            }
        }
    }

    async fn delete(&self, workflow: &str) {
        let _call = self.calls.acquire().await;
        let parameters = kube::api::DeleteParams::background();
        let _ = patiently(|| self.workflows.delete(workflow, &parameters)).await;
    }
}

/// Makes a call again for as long as the API server does not answer, as Argo does.
async fn patiently<T, F>(call: impl Fn() -> F) -> kube::Result<T>
where
    F: Future<Output = kube::Result<T>>,
{
    let start = Instant::now();
    loop {
        let result = tokio::time::timeout(CALL, call()).await;
        let is_over = match &result {
            Ok(Ok(_)) => true,
            Ok(Err(kube::Error::Api(status))) => status.code < 500 && status.code != 429,
            Ok(Err(_)) | Err(_) => false,
        };
        match result {
            Ok(result) if is_over || start.elapsed() > PATIENCE => return result,
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
