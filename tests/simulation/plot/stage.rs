//! A plot, played.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{Plot, foreign};
use crate::{
    argo,
    cluster::Echo,
    controller::Controller,
    watchdog,
    world::{BUCKET, NAMESPACE, World},
};

/// How long after everything is calm a study may still take. Whoever waits longest waits for the next full listing, ten minutes.
const PATIENCE: Duration = Duration::from_secs(1500);
/// How long after its end what is still on its way may arrive.
const AFTERMATH: Duration = Duration::from_secs(100);
/// Within this everything is listed anew, and what follows from that is done.
const RELISTED: Duration = Duration::from_secs(900);

/// How a plot ended.
#[derive(Debug)]
pub struct Outcome {
    /// What is wrong, with the number of the invariant.
    pub wrong: Vec<String>,
    /// Each study's results: best, counts, table, and the files in its folder.
    pub results: BTreeMap<String, Value>,
    /// What has gone wrong, how often.
    pub faults: BTreeMap<&'static str, u64>,
    /// How many controllers were started.
    pub programs: u32,
    /// How many calls they made.
    pub calls: u32,
    /// How many trials there were.
    pub trials: usize,
    /// Everything that happened, as text.
    pub trace: Vec<String>,
}

/// Plays a plot in a world of its own, in this thread.
pub fn play(plot: &Plot, with_trace: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let outcome = runtime.block_on(staged(plot, with_trace));
    drop(runtime);
    outcome
}

async fn staged(plot: &Plot, with_trace: bool) -> Outcome {
    let world = World::new(plot.seed);
    furnish(&world, plot);
    let begin = Instant::now();
    let (mut acts, mut doings) = (JoinSet::new(), JoinSet::new());
    for (at, act) in plot.acts.clone() {
        let (world, names) = (world.clone(), plot.names());
        acts.spawn(async move {
            sleep_until(begin + at).await;
            act.perform(&world, &names).await;
        });
    }
    for double in plot.doubles.clone() {
        let world = world.clone();
        doings.spawn(async move {
            sleep_until(begin + double.start).await;
            let controller = Controller::beside(&world);
            sleep_until(begin + double.end).await;
            controller.kill();
        });
    }
    for at in plot.compactions.clone() {
        let world = world.clone();
        doings.spawn(async move {
            sleep_until(begin + at).await;
            world.cluster.compact();
            world.cluster.cut_watches(false);
        });
    }
    for place in 0..plot.contenders {
        doings.spawn(supervise(world.clone(), plot.clone(), place, begin));
    }
    for study in &plot.studies {
        world.cluster.create(NAMESPACE, study.clone()).unwrap();
    }
    sleep_until(begin + plot.calm).await;
    world.cluster.faults().calm();
    world.buckets.faults().calm();
    for (kind, _) in &plot.lags {
        world.cluster.set_lag(kind, Duration::ZERO..Duration::ZERO);
    }
    world.cluster.set_echo(Echo::default());
    world.cluster.set_losses(0.0);
    world.cluster.set_page(None);
    let over = async {
        while acts.join_next().await.is_some() {}
        world.cluster.until(|_| watchdog::is_over(&world, plot)).await;
    };
    let in_time = timeout(PATIENCE, over).await.is_ok();
    sleep(AFTERMATH).await;
    let mut wrong = watchdog::judge(&world, plot, in_time);
    if wrong.iter().any(|what| heals(what)) {
        // What an event that got lost tells shows with the next full listing.
        sleep(RELISTED).await;
        let later = watchdog::judge(&world, plot, in_time);
        let news = later.into_iter().filter(|what| heals(what) || !wrong.contains(what));
        let news: Vec<String> = news.collect();
        wrong.retain(|what| !heals(what));
        wrong.extend(news);
    }
    let names = plot.names();
    let results = names.iter().map(|name| (name.clone(), results(&world, name))).collect();
    let trace = match with_trace || !wrong.is_empty() {
        true => crate::trace::trace(&world),
        false => Vec::new(),
    };
    let mut faults = world.cluster.faults().happened();
    for (word, count) in world.buckets.faults().happened() {
        *faults.entry(word).or_default() += count;
    }
    Outcome {
        wrong,
        results,
        faults,
        programs: world.programs(),
        calls: world.calls.made(),
        trials: watchdog::numbers(&world),
        trace,
    }
}

/// Whether a finding is about how things stand, and not about what happened.
fn heals(finding: &str) -> bool {
    finding.starts_with("5 ") || finding.starts_with("6 ")
}

/// What is there before the studies, and what is to go wrong.
fn furnish(world: &World, plot: &Plot) {
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
    for key in foreign() {
        world.buckets.put(BUCKET, &key, b"another's");
    }
    let parts = plot.clone();
    argo::start(world, Arc::new(move |attempt| parts.part(attempt)));
    for (call, trouble) in &plot.calls {
        world.cluster.faults().push_at(*call, trouble.clone());
        world.buckets.faults().push_at(*call, trouble.clone());
    }
    plot.faults
        .0
        .iter()
        .for_each(|f| world.cluster.faults().push(f.clone()));
    plot.faults
        .1
        .iter()
        .for_each(|f| world.buckets.faults().push(f.clone()));
    plot.storms
        .0
        .iter()
        .for_each(|s| world.cluster.faults().storm(s.clone()));
    plot.storms
        .1
        .iter()
        .for_each(|s| world.buckets.faults().storm(s.clone()));
    for (kind, lag) in &plot.lags {
        world.cluster.set_lag(kind, Duration::ZERO..*lag);
    }
    world.cluster.set_page(plot.page);
    if let Some(page) = plot.page {
        world.buckets.set_page(page);
    }
    world.cluster.set_losses(plot.losses);
    world.cluster.set_echo(Echo {
        twice: plot.echoes.0,
        again: plot.echoes.1,
        after: Duration::ZERO..Duration::from_secs(10),
    });
}

/// Keeps a controller running, as a Deployment does; kills it when the plot says so.
async fn supervise(world: World, plot: Plot, place: usize, begin: Instant) {
    let mut kills: Vec<Instant> = plot
        .kills
        .iter()
        .skip(place)
        .step_by(plot.contenders)
        .map(|at| begin + *at)
        .collect();
    kills.sort();
    let mut kills = kills.into_iter();
    let mut next = kills.next();
    loop {
        let mut controller = Controller::contend(&world, &plot.leasing);
        let killed = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = controller.ended() => {}
            () = killed => next = kills.next(),
        }
        controller.kill();
        let pause = world.dice.within(&(Duration::ZERO..Duration::from_secs(4)));
        sleep(pause).await;
    }
}

/// What came out of a study, but for times.
fn results(world: &World, name: &str) -> Value {
    let study = world
        .cluster
        .get("hyperparameterstudies", NAMESPACE, name)
        .unwrap_or_default();
    let status = &study["status"];
    let folder = format!("runs/{name}/");
    let table = world
        .buckets
        .get(BUCKET, &format!("{folder}study_results.csv"))
        .unwrap_or_default();
    let files: Vec<String> = world
        .buckets
        .keys(BUCKET)
        .into_iter()
        .filter(|k| k.starts_with(&folder))
        .collect();
    json!({
        "phase": status["phase"], "best": status["best"], "trials": status["trials"], "files": files,
        "table": String::from_utf8_lossy(&table),
    })
}

impl Plot {
    /// The studies' names.
    pub fn names(&self) -> Vec<String> {
        let name = |s: &Value| s["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        self.studies.iter().map(name).collect()
    }
}
