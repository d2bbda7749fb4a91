//! The controller through whole studies while things go wrong that a real cluster cannot be brought to show.

use std::{sync::Arc, time::Duration};

use hyperstudy::{
    cluster::connect::{Connector, Settings},
    controller::{attend_all, context::Context, telemetry::Telemetry},
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::study;
use crate::{
    argo::{self, Part},
    clock,
    cluster::Echo,
    faults::{Fault, Storm, Trouble},
    world::{BUCKET, NAMESPACE, World},
};

/// How many trials run at a time, and how many there are.
const PARALLELISM: usize = 3;
const TRIALS: usize = 12;
/// How long a study may take in the world's time, with all that goes wrong.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// A controller that runs in the world.
struct Controller {
    running: JoinHandle<()>,
    end: CancellationToken,
}

impl Controller {
    fn start(world: &World) -> Self {
        let end = CancellationToken::new();
        let http = world.buckets.connector_until(end.clone());
        let client = world.cluster.client_until("default", end.clone());
        let connector = Connector::through(Settings::default(), http);
        let (context, news, publishing) = Context::new(client, connector, clock::now, Telemetry::new());
        let context = Arc::new(context);
        tokio::spawn(publishing);
        let running = tokio::spawn(async move { attend_all(&context, &[], news, CancellationToken::new()).await });
        Self { running, end }
    }

    /// Ends it as a power failure does: what it has sent arrives, nothing else does.
    fn kill(self) {
        self.end.cancel();
        self.running.abort();
    }
}

/// A study of the cases, whose trials run the template `fit`.
fn wanted() -> Value {
    let mut study = study("s");
    study["spec"]["parallelism"] = PARALLELISM.into();
    study["spec"]["storage"] = json!({"outputPath": format!("s3://{BUCKET}/runs"), "strategy": "Best",
        "s3": {"endpoint": "s3.simulated", "insecure": true,
            "accessKeySecret": {"name": "s3", "key": "access"}, "secretKeySecret": {"name": "s3", "key": "secret"}}});
    study
}

/// A world with the study, its template and an Argo in which every trial takes some time.
fn world(seed: u64) -> World {
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
    argo::start(
        &world,
        Arc::new(|attempt| {
            let lr: f64 = attempt.arguments["lr"].parse().unwrap();
            let takes = Duration::from_millis(1000 + 400 * u64::from(attempt.number * 7 % 11));
            Part::metrics(takes, &json!({"loss": (lr - 0.3).abs()}))
        }),
    );
    world
}

/// How a study ended.
#[derive(Debug, PartialEq)]
struct Ended {
    best: Value,
    counts: Value,
    table: String,
    files: Vec<String>,
    workflows: Vec<String>,
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
    let twice: Vec<_> = world.creations().into_iter().filter(|(_, times)| *times != 1).collect();
    if !twice.is_empty() {
        return Err(format!("Workflows created again: {twice:?}"));
    }
    if world.most_running() > PARALLELISM {
        return Err(format!("{} Workflows at a time", world.most_running()));
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

fn is_finished(world: &World) -> bool {
    let study = world.cluster.get("hyperparameterstudies", NAMESPACE, "s");
    study.is_some_and(|s| matches!(s["status"]["phase"].as_str(), Some("Succeeded" | "Failed")))
}

/// Runs something in a world of its own.
fn simulate<T>(seed: u64, run: impl AsyncFnOnce(World) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { run(world(seed)).await })
}

/// A study from beginning to end while `mischief` is done.
fn study_with(seed: u64, mischief: impl FnOnce(&World)) -> Result<Ended, String> {
    simulate(seed, async |world| {
        mischief(&world);
        let controller = Controller::start(&world);
        world.cluster.create(NAMESPACE, wanted()).unwrap();
        let ended = timeout(PATIENCE, world.cluster.until(|_| is_finished(&world))).await;
        // What is still on its way then may arrive.
        sleep(Duration::from_secs(600)).await;
        controller.kill();
        explained(&world, ended.is_ok())
    })
}

/// How a study ended, and if not as it must, what was asked last.
fn explained(world: &World, in_time: bool) -> Result<Ended, String> {
    let judged = if in_time {
        judge(world)
    } else {
        Err("does not end".to_owned())
    };
    judged.map_err(|wrong| {
        let told = world.told();
        let from = told.len().saturating_sub(40);
        format!("{wrong}\n      {}", told[from..].join("\n      "))
    })
}

/// A study in which nothing goes wrong.
fn undisturbed() -> Ended {
    study_with(0, |_| {}).unwrap()
}

type Mischief = Box<dyn FnOnce(&World)>;

/// Runs a study with each of these, and says which did not end as an undisturbed one.
fn compare(cases: Vec<(String, Mischief)>) {
    let count = cases.len();
    let ended = cases
        .into_iter()
        .map(|(name, mischief)| (name, study_with(1, mischief)));
    let wrong = unlike(&undisturbed(), ended);
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Which of these did not end as they should, and how.
fn unlike(good: &Ended, ended: impl Iterator<Item = (String, Result<Ended, String>)>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, ended) in ended {
        match ended {
            Err(error) => wrong.push(format!("{name}: {error}")),
            Ok(ended) if ended.best != good.best => wrong.push(format!("{name}: the best is {}", ended.best)),
            Ok(ended) if ended.counts != good.counts => wrong.push(format!("{name}: trials are {}", ended.counts)),
            Ok(ended) if ended.table != good.table => wrong.push(format!("{name}: the table is\n{}", ended.table)),
            Ok(ended) if ended.files != good.files => wrong.push(format!("{name}: there are {:?}", ended.files)),
            Ok(ended) if ended != *good => wrong.push(format!("{name}: there were {:?}", ended.workflows)),
            Ok(_) => {}
        }
    }
    wrong
}

const KINDS: [&str; 5] = [
    "hyperparameterstudies",
    "hyperparametertrials",
    "workflows",
    "workflowtemplates",
    "secrets",
];

#[test]
fn an_undisturbed_study_ends_well() {
    let ended = undisturbed();
    assert_eq!(ended.table.lines().count(), TRIALS + 1, "{}", ended.table);
    assert_eq!(ended.workflows.len(), TRIALS);
    let counts = json!({"total": TRIALS, "running": 0, "succeeded": TRIALS, "failed": 0, "stopped": 0});
    assert_eq!(ended.counts, counts);
    let number = ended.best["number"].as_u64().unwrap();
    assert!(
        ended.files.contains(&format!("runs/s/{number}/metrics.json")),
        "{:?}",
        ended.files
    );
    assert_eq!(
        ended.files.iter().filter(|f| f.ends_with("metrics.json")).count(),
        1,
        "{:?}",
        ended.files
    );
    assert_eq!(ended, study_with(5, |_| {}).unwrap());
}

/// Verbs of the API, one by one and together.
const VERBS: [&[&str]; 5] = [&["get"], &["list"], &["watch"], &["create"], &["patch"]];

#[test]
fn refusals_of_every_sort() {
    let mut cases: Vec<(String, Mischief)> = Vec::new();
    for code in [403, 404, 409, 410, 422, 429, 500, 503] {
        for verbs in VERBS {
            // Only what lists and watches can be too old.
            if code == 410 && !matches!(verbs, ["list" | "watch"]) {
                continue;
            }
            let mischief = move |world: &World| {
                for kind in KINDS {
                    // A Workflow that is refused as invalid is invalid.
                    if (code, verbs, kind) != (422, &["create"], "workflows") {
                        for skip in [0, 5] {
                            world
                                .cluster
                                .faults()
                                .push(Fault::next(2, verbs, kind, Trouble::Refuse(code)).after(skip));
                        }
                    }
                }
            };
            cases.push((format!("{code} for {verbs:?}"), Box::new(mischief)));
        }
    }
    compare(cases);
}

#[test]
fn answers_that_get_lost() {
    let mut cases: Vec<(String, Mischief)> = Vec::new();
    for trouble in [
        Trouble::Silence { done: true },
        Trouble::Silence { done: false },
        Trouble::Reset { done: true },
        Trouble::Reset { done: false },
        Trouble::Garble,
        Trouble::Later(5),
        Trouble::Slow(Duration::from_secs(15)),
    ] {
        for kinds in [&KINDS[..2], &KINDS[2..]] {
            let named = format!("{trouble:?} for {kinds:?}");
            let trouble = trouble.clone();
            let mischief = move |world: &World| {
                for kind in kinds {
                    for skip in [0, 7] {
                        let verbs = &["get", "list", "create", "patch"];
                        world
                            .cluster
                            .faults()
                            .push(Fault::next(2, verbs, kind, trouble.clone()).after(skip));
                    }
                }
            };
            cases.push((named, Box::new(mischief)));
        }
    }
    compare(cases);
}

#[test]
fn watches_that_break_lag_and_repeat_themselves() {
    let mut cases: Vec<(String, Mischief)> = Vec::new();
    for (after, clean) in [(0, true), (1, false), (5, false)] {
        let mischief = move |world: &World| {
            for kind in &KINDS[..3] {
                world
                    .cluster
                    .faults()
                    .push(Fault::next(20, &["watch"], kind, Trouble::Cut { after, clean }));
            }
        };
        cases.push((format!("watches end after {after}, clean {clean}"), Box::new(mischief)));
    }
    for kind in &KINDS[..3] {
        for lag in [1, 10, 60] {
            let mischief = move |world: &World| {
                world.cluster.set_lag(kind, Duration::ZERO..Duration::from_secs(lag));
            };
            cases.push((format!("{kind}: lags up to {lag} s"), Box::new(mischief)));
        }
    }
    let everything = |world: &World| {
        for (kind, lag) in KINDS.into_iter().zip([3, 20, 7]) {
            world.cluster.set_lag(kind, Duration::ZERO..Duration::from_secs(lag));
        }
        world.cluster.set_echo(Echo {
            twice: 0.3,
            again: 0.3,
            after: Duration::ZERO..Duration::from_secs(30),
        });
    };
    cases.push(("everything lags and repeats itself".to_owned(), Box::new(everything)));
    let compacted = |world: &World| {
        let world = world.clone();
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(3)).await;
                world.cluster.compact();
                world.cluster.cut_watches(false);
            }
        });
    };
    cases.push(("the past is forgotten every 3 s".to_owned(), Box::new(compacted)));
    compare(cases);
}

#[test]
fn storage_that_fails() {
    let mut cases: Vec<(String, Mischief)> = Vec::new();
    for trouble in [
        Trouble::Refuse(403),
        Trouble::Refuse(500),
        Trouble::Later(1),
        Trouble::Silence { done: true },
        Trouble::Silence { done: false },
        Trouble::Reset { done: true },
        Trouble::Garble,
        Trouble::Cut { after: 0, clean: false },
    ] {
        for times in [1, 12] {
            let named = format!("{trouble:?} {times} times");
            let trouble = trouble.clone();
            let mischief = move |world: &World| {
                for verb in [
                    &["get"] as &'static [&'static str],
                    &["put"],
                    &["list"],
                    &["delete"],
                    &["delete-many"],
                ] {
                    world
                        .buckets
                        .faults()
                        .push(Fault::next(times, verb, "", trouble.clone()).after(1));
                }
            };
            cases.push((named, Box::new(mischief)));
        }
    }
    compare(cases);
}

/// Everything at once, for a while.
fn storm(world: &World, rate: f64) {
    let during = Duration::ZERO..Duration::from_secs(300);
    let troubles = vec![
        Trouble::Refuse(409),
        Trouble::Refuse(429),
        Trouble::Refuse(500),
        Trouble::Refuse(503),
        Trouble::Refuse(403),
        Trouble::Later(3),
        Trouble::Silence { done: true },
        Trouble::Silence { done: false },
        Trouble::Reset { done: true },
        Trouble::Reset { done: false },
        Trouble::Garble,
        Trouble::Slow(Duration::from_secs(2)),
    ];
    let storm = Storm {
        during: during.clone(),
        rate,
        verbs: &["get", "list", "create", "patch", "delete"],
        of: "",
        troubles: troubles.clone(),
    };
    world.cluster.faults().storm(storm);
    let cuts = vec![
        Trouble::Cut { after: 0, clean: true },
        Trouble::Cut { after: 2, clean: false },
        Trouble::Refuse(410),
        Trouble::Refuse(500),
        Trouble::Reset { done: false },
    ];
    world.cluster.faults().storm(Storm {
        during: during.clone(),
        rate,
        verbs: &["watch"],
        of: "",
        troubles: cuts,
    });
    world.buckets.faults().storm(Storm {
        during,
        rate,
        verbs: &[],
        of: "",
        troubles,
    });
    for kind in &KINDS[..3] {
        world.cluster.set_lag(kind, Duration::ZERO..Duration::from_secs(5));
    }
    world.cluster.set_echo(Echo {
        twice: 0.1,
        again: 0.1,
        after: Duration::ZERO..Duration::from_secs(10),
    });
}

/// That many seeds, or as many as `HYPERSTUDY_WORLDS` says.
fn seeds(from: u64, usual: u64) -> std::ops::Range<u64> {
    let count = std::env::var("HYPERSTUDY_WORLDS").ok().and_then(|n| n.parse().ok());
    from..from + count.unwrap_or(usual)
}

#[test]
fn everything_at_once_from_many_seeds() {
    let ended = seeds(0, 12).map(|seed| (format!("seed {seed}"), study_with(seed, |world| storm(world, 0.25))));
    let wrong = unlike(&undisturbed(), ended);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The controller killed at random moments, and started again, while everything goes wrong.
#[test]
fn killed_again_and_again() {
    let ended = seeds(100, 8).map(|seed| {
        let ended = simulate(seed, async |world| {
            if seed % 2 == 0 {
                storm(&world, 0.15);
            }
            world.cluster.create(NAMESPACE, wanted()).unwrap();
            for _ in 0..30 {
                let controller = Controller::start(&world);
                sleep(world.dice.within(&(Duration::ZERO..Duration::from_secs(10)))).await;
                controller.kill();
            }
            let controller = Controller::start(&world);
            let finished = timeout(PATIENCE, world.cluster.until(|_| is_finished(&world))).await;
            sleep(Duration::from_secs(600)).await;
            controller.kill();
            explained(&world, finished.is_ok())
        });
        (format!("seed {seed}"), ended)
    });
    let wrong = unlike(&undisturbed(), ended);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
