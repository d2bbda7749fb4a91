//! Studies in the simulated world: the controller, what its trials do, and what must hold of every study however much went wrong.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::study;
use crate::{
    argo::{self, Attempt, End, Part},
    cluster::Cluster,
    controller::Controller,
    world::{BUCKET, NAMESPACE, World},
};

/// How many trials run at a time, and how many there are.
pub const PARALLELISM: usize = 3;
pub const TRIALS: usize = 12;
/// How long a study may take in the world's time, with all that goes wrong.
pub const PATIENCE: Duration = Duration::from_secs(3600);
/// How long after its end what is still on its way may arrive.
const AFTERMATH: Duration = Duration::from_secs(600);

/// What a study is, and what becomes of its Workflows.
#[derive(Clone, Copy, Debug)]
pub enum Scene {
    /// Every trial succeeds at once.
    Smooth,
    /// Trials fail, vanish, run too long and write nonsense.
    Rough,
}

impl Scene {
    fn part(self, attempt: &Attempt) -> Part {
        let lr: f64 = attempt
            .arguments
            .get("lr")
            .and_then(|lr| lr.parse().ok())
            .unwrap_or_default();
        let metrics = json!({"loss": (lr - 0.3).abs()});
        let file = |text: String| vec![("metrics.json".to_owned(), text.into_bytes())];
        let end = match (self, attempt.number, attempt.attempt) {
            (Self::Rough, 2, 1) => End::Failed("no"),
            (Self::Rough, 4, 1) => End::Vanished(Vec::new()),
            (Self::Rough, 5, 1) => End::Vanished(file(metrics.to_string())),
            (Self::Rough, 7, 1) => End::Error("pod deleted"),
            (Self::Rough, 7, _) => End::Failed("no again"),
            (Self::Rough, 8, 1) => End::Never,
            (Self::Rough, 11, _) => End::Succeeded(file("{\"loss\": ".to_owned())),
            _ => End::Succeeded(file(metrics.to_string())),
        };
        Part::new(
            Duration::from_millis(1000 + 400 * u64::from(attempt.number * 7 % 11)),
            end,
        )
    }

    /// The study `s`, whose trials run the template `fit`.
    pub fn study(self) -> Value {
        let mut study = study("s");
        study["spec"]["parallelism"] = PARALLELISM.into();
        study["spec"]["storage"] = json!({"outputPath": format!("s3://{BUCKET}/runs"), "strategy": "Best",
            "s3": {"endpoint": "s3.simulated",
                "accessKeySecret": {"name": "s3", "key": "access"}, "secretKeySecret": {"name": "s3", "key": "secret"}}});
        if matches!(self, Self::Rough) {
            study["spec"]["retries"] = json!({"limit": 1});
            study["spec"]["trial"]["timeout"] = "30s".into();
        }
        study
    }

    /// A world with the template, the credentials and Argo.
    fn world(self, seed: u64) -> World {
        let world = World::new(seed);
        let template = json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "WorkflowTemplate", "metadata": {"name": "fit"},
            "spec": {
                "entrypoint": "main",
                "arguments": {"parameters": [{"name": "lr"}, {"name": "output_path"}]},
                "templates": [{"name": "main", "container": {"image": "fit"}}],
            },
        });
        world.cluster.create(NAMESPACE, template).unwrap();
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"},
            "data": {"access": "a2V5", "secret": "c2VjcmV0"},
        });
        world.cluster.create(NAMESPACE, secret).unwrap();
        argo::start(&world, Arc::new(move |attempt| self.part(attempt)));
        world
    }

    /// Runs something in a world of its own.
    pub fn simulate<T>(self, seed: u64, run: impl AsyncFnOnce(World) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(async { run(self.world(seed)).await })
    }

    /// A study from beginning to end while `mischief` is done.
    pub fn study_with(self, seed: u64, mischief: impl FnOnce(&World)) -> Result<Ended, String> {
        self.simulate(seed, async |world| {
            mischief(&world);
            let controller = Controller::start(&world);
            world.cluster.create(NAMESPACE, self.study()).unwrap();
            let ended = ended(&world).await;
            controller.kill();
            ended
        })
    }

    /// The study in which nothing goes wrong but what the scene has.
    pub fn undisturbed(self) -> Ended {
        self.study_with(0, |_| {}).unwrap()
    }

    /// Runs the study with each of these, and says which did not end as an undisturbed one.
    pub fn compare(self, cases: Vec<(String, Mischief)>) {
        let ended = cases
            .into_iter()
            .map(|(name, mischief)| (name, self.study_with(1, mischief)));
        self.alike(ended);
    }

    /// Says which of these did not end as an undisturbed study, and how.
    pub fn alike(self, ended: impl IntoIterator<Item = (String, Result<Ended, String>)>) {
        let good = self.undisturbed();
        let (mut wrong, mut count) = (Vec::new(), 0);
        for (name, ended) in ended {
            count += 1;
            match ended {
                Err(error) => wrong.push(format!("{name}: {error}")),
                Ok(ended) if ended.best != good.best => wrong.push(format!("{name}: the best is {}", ended.best)),
                Ok(ended) if ended.counts != good.counts => wrong.push(format!("{name}: trials are {}", ended.counts)),
                Ok(ended) if ended.table != good.table => wrong.push(format!("{name}: the table is\n{}", ended.table)),
                Ok(ended) if ended.files != good.files => wrong.push(format!("{name}: there are {:?}", ended.files)),
                Ok(ended) if ended != good => wrong.push(format!("{name}: there were {:?}", ended.workflows)),
                Ok(_) => {}
            }
        }
        assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// Something that is done to a world before the controller starts.
pub type Mischief = Box<dyn FnOnce(&World)>;

/// How a study ended.
#[derive(Debug, PartialEq)]
pub struct Ended {
    /// The best trial.
    pub best: Value,
    /// How many trials ended how.
    pub counts: Value,
    /// The table of results.
    pub table: String,
    /// What is in the bucket.
    pub files: Vec<String>,
    /// All Workflows that there ever were.
    pub workflows: Vec<String>,
}

/// Waits for the study's end and for what comes after; gives how it ended, or what is wrong and what was asked last.
pub async fn ended(world: &World) -> Result<Ended, String> {
    ended_beside(world, AFTERMATH)
        .await
        .and_then(|ended| never(world).map(|()| ended))
        .map_err(|wrong| explained(world, &wrong))
}

/// The same where there are Workflows of others, too.
pub async fn ended_beside(world: &World, aftermath: Duration) -> Result<Ended, String> {
    let phase = || {
        world
            .cluster
            .get("hyperparameterstudies", NAMESPACE, "s")
            .map(|s| s["status"]["phase"].clone())
    };
    let over = |_: &Cluster| phase().is_some_and(|p| p == "Succeeded" || p == "Failed");
    let in_time = timeout(PATIENCE, world.cluster.until(over)).await;
    sleep(aftermath).await;
    match in_time {
        Ok(()) => judge(world),
        Err(_) => Err("it does not end".to_owned()),
    }
}

/// What is wrong, and what was asked last.
pub fn explained(world: &World, wrong: &str) -> String {
    let told = world.told();
    let from = told.len().saturating_sub(40);
    format!("{wrong}\n      {}", told[from..].join("\n      "))
}

/// What must hold of every study however much went wrong.
fn judge(world: &World) -> Result<Ended, String> {
    let study = world
        .cluster
        .get("hyperparameterstudies", NAMESPACE, "s")
        .ok_or("the study is gone")?;
    let status = &study["status"];
    if status["phase"] != "Succeeded" {
        return Err(format!("not Succeeded: {}", status["conditions"]));
    }
    let table = world
        .buckets
        .get(BUCKET, "runs/s/study_results.csv")
        .unwrap_or_default();
    Ok(Ended {
        best: status["best"].clone(),
        counts: status["trials"].clone(),
        table: String::from_utf8_lossy(&table).into_owned(),
        files: world.buckets.keys(BUCKET),
        workflows: world.creations().into_keys().collect(),
    })
}

/// What must never happen.
pub fn never(world: &World) -> Result<(), String> {
    // A Workflow that vanishes before anybody has seen it leaves no trace of itself.
    let unseen = |name: &str| matches!(name, "s-4-1" | "s-5-1");
    let creations = world.creations().into_iter();
    let twice: Vec<_> = creations.filter(|(name, times)| *times != 1 && !unseen(name)).collect();
    if !twice.is_empty() {
        return Err(format!("Workflows created again: {twice:?}"));
    }
    if world.most_running() > PARALLELISM {
        return Err(format!("{} Workflows at a time", world.most_running()));
    }
    Ok(())
}
