//! A stand-in for Argo's controller: Workflows go through their phases as a script says.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{clock, cluster::Cluster, s3::Buckets, world::World};

const PHASE: &str = "workflows.argoproj.io/phase";
const COMPLETED: &str = "workflows.argoproj.io/completed";

/// A Workflow as scripts see it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The trial's number, as its label says.
    pub number: u32,
    /// The attempt, as its label says.
    pub attempt: u32,
    /// Its arguments.
    pub arguments: BTreeMap<String, String>,
}

/// What becomes of a Workflow.
#[derive(Clone, Debug)]
pub struct Part {
    /// How long it waits until it runs.
    pub pending: Duration,
    /// How long it runs.
    pub runs: Duration,
    /// How it ends.
    pub end: End,
    /// Whether it ends so even when it is stopped just before.
    pub wins: bool,
}

/// How a Workflow ends.
#[derive(Clone, Debug)]
pub enum End {
    /// Well, with these files below its `output_path`.
    Succeeded(Vec<(String, Vec<u8>)>),
    /// As failed, with this message.
    Failed(&'static str),
    /// As an error, with this message.
    Error(&'static str),
    /// It is deleted before anybody saw its end; these files are there.
    Vanished(Vec<(String, Vec<u8>)>),
    /// Never.
    Never,
}

impl Part {
    /// Ends as `end` after it has run so long.
    pub fn new(runs: Duration, end: End) -> Self {
        Self {
            pending: Duration::from_millis(200),
            runs,
            end,
            wins: false,
        }
    }

    /// Succeeds with a metrics file.
    pub fn metrics(runs: Duration, metrics: &Value) -> Self {
        Self::new(
            runs,
            End::Succeeded(vec![("metrics.json".to_owned(), metrics.to_string().into_bytes())]),
        )
    }
}

/// Says what becomes of each Workflow.
pub type Script = Arc<dyn Fn(&Attempt) -> Part + Send + Sync>;

/// Starts the stand-in.
pub fn start(world: &World, script: Script) {
    let world = world.clone();
    tokio::spawn(async move {
        let mut seen = 0;
        loop {
            let created: Vec<_> = world
                .cluster
                .history("workflows")
                .into_iter()
                .filter(|c| c.before.is_none())
                .skip(seen)
                .collect();
            seen += created.len();
            for change in created {
                let play = Play {
                    cluster: world.cluster.clone(),
                    buckets: world.buckets.clone(),
                    attempt: read(&change.object),
                };
                tokio::spawn(play.run(script(&read(&change.object)), Arc::clone(&change.object)));
            }
            world.cluster.until(|c| c.creations("workflows") > seen).await;
        }
    });
}

/// A Workflow as scripts see it.
pub fn read(workflow: &Value) -> Attempt {
    let metadata = &workflow["metadata"];
    let label = |name: &str| {
        metadata["labels"][name]
            .as_str()
            .and_then(|v| v.parse().ok())
            .unwrap_or(0)
    };
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let arguments = workflow["spec"]["arguments"]["parameters"]
        .as_array()
        .into_iter()
        .flatten();
    Attempt {
        name: text(&metadata["name"]),
        namespace: text(&metadata["namespace"]),
        number: label("hyperstudy.dev/trial"),
        attempt: label("hyperstudy.dev/attempt"),
        arguments: arguments.map(|a| (text(&a["name"]), text(&a["value"]))).collect(),
    }
}

/// One Workflow on its way.
struct Play {
    cluster: Cluster,
    buckets: Buckets,
    attempt: Attempt,
}

impl Play {
    async fn run(self, part: Part, workflow: Arc<Value>) {
        let uid = &workflow["metadata"]["uid"];
        let there = |c: &Cluster| {
            c.look("workflows", &self.attempt.namespace, &self.attempt.name)
                .filter(|w| w["metadata"]["uid"] == *uid)
        };
        self.phase("Pending", "", uid);
        sleep(part.pending).await;
        self.phase("Running", "", uid);
        let end = Instant::now() + part.runs;
        let deadline = workflow["spec"]["activeDeadlineSeconds"].as_u64();
        let deadline = deadline.map(|s| Instant::now() + Duration::from_secs(s));
        let stopped = |c: &Cluster| there(c).is_none_or(|w| !w["spec"]["shutdown"].is_null());
        let ends = async {
            match part.end {
                End::Never => std::future::pending().await,
                _ => sleep_until(end).await,
            }
        };
        let late = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            biased;
            () = ends => part.end.clone(),
            () = self.cluster.until(stopped) => match there(&self.cluster) {
                None => return,
                Some(_) if part.wins => part.end.clone(),
                Some(_) => End::Failed("Stopped with strategy 'Terminate'"),
            },
            () = late => End::Failed("Step exceeded its deadline"),
        };
        if there(&self.cluster).is_none() {
            return;
        }
        match end {
            End::Succeeded(files) => {
                self.write(files);
                self.phase("Succeeded", "", uid);
            }
            End::Failed(message) => self.phase("Failed", message, uid),
            End::Error(message) => self.phase("Error", message, uid),
            End::Vanished(files) => {
                self.write(files);
                let _ = self
                    .cluster
                    .delete("workflows", &self.attempt.namespace, &self.attempt.name);
            }
            End::Never => {}
        }
        if let Some(seconds) = workflow["spec"]["ttlStrategy"]["secondsAfterCompletion"].as_u64() {
            sleep(Duration::from_secs(seconds)).await;
            if there(&self.cluster).is_some() {
                let _ = self
                    .cluster
                    .delete("workflows", &self.attempt.namespace, &self.attempt.name);
            }
        }
    }

    /// Writes files below the output path.
    fn write(&self, files: Vec<(String, Vec<u8>)>) {
        let path = self.attempt.arguments.get("output_path").map_or("", String::as_str);
        let Some((bucket, key)) = path.strip_prefix("s3://").and_then(|p| p.split_once('/')) else {
            return;
        };
        for (name, bytes) in files {
            self.buckets.put(bucket, &format!("{key}/{name}"), &bytes);
        }
    }

    /// Writes the phase and its labels, in one update, as Argo does.
    fn phase(&self, phase: &str, message: &str, uid: &Value) {
        let completed = !matches!(phase, "Pending" | "Running");
        let _ = self
            .cluster
            .edit("workflows", &self.attempt.namespace, &self.attempt.name, |workflow| {
                if workflow["metadata"]["uid"] != *uid {
                    return;
                }
                workflow["metadata"]["labels"][PHASE] = phase.into();
                workflow["metadata"]["labels"][COMPLETED] = completed.to_string().into();
                workflow["status"]["phase"] = phase.into();
                match phase {
                    "Pending" => {}
                    "Running" => workflow["status"]["startedAt"] = clock::stamp().into(),
                    _ => {
                        workflow["status"]["finishedAt"] = clock::stamp().into();
                        workflow["status"]["resourcesDuration"] = json!({"cpu": 1, "memory": 1});
                        if !message.is_empty() {
                            workflow["status"]["message"] = message.into();
                        }
                    }
                }
            });
    }
}
