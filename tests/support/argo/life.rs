//! One Workflow from its creation to its deletion.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

use super::{End, Happened, Job, Play, World, play::parameters};

/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(86_400);

/// What a Workflow hears of its end; closed when the Workflow is deleted.
type Shutdown = watch::Receiver<Option<String>>;

/// How a wait came to its end.
enum Woken {
    Over,
    Stopped(String),
    TimedOut,
    Deleted,
}

/// Plays a Workflow to its end.
pub(super) async fn live(world: Arc<World>, mut job: Job, mut shutdown: Shutdown) {
    let Some(template) = world.template(&job.template, job.cluster_scope).await else {
        let kind = if job.cluster_scope {
            "clusterworkflowtemplates"
        } else {
            "workflowtemplates"
        };
        let message = format!("{kind}.argoproj.io \"{}\" not found", job.template);
        finish(&world, &job, &Play::never_run(), "Error", &message).await;
        return;
    };
    for (name, value) in parameters(&template["spec"]) {
        match (job.arguments.contains_key(&name), value) {
            (true, _) => {}
            (false, Some(value)) => drop(job.arguments.insert(name, value)),
            (false, None) => {
                let message =
                    format!("invalid spec: spec.arguments.{name}.value or spec.arguments.{name}.valueFrom is required");
                finish(&world, &job, &Play::never_run(), "Failed", &message).await;
                return;
            }
        }
    }
    let Some(script) = world.script(&job.template) else {
        world
            .journal
            .violation(&job.workflow, "nobody has said what its template does");
        return;
    };
    let play = script(&job);
    if !matches!(play.end, End::Ignored) && start(&world, &job, &play, &mut shutdown).await {
        run(&world, &job, &play, &mut shutdown).await;
    }
}

/// Brings it to Running; false where it ended or went before that.
async fn start(world: &World, job: &Job, play: &Play, shutdown: &mut Shutdown) -> bool {
    if play.brisk {
        return true;
    }
    if !world.patch(&job.workflow, phase("Pending", json!({}))).await {
        return false;
    }
    let turn = Instant::now() + play.pending;
    match wait(shutdown, turn, None).await {
        Woken::Over | Woken::TimedOut => {}
        Woken::Deleted => return false,
        Woken::Stopped(strategy) if strategy == "Terminate" => {
            finish(world, job, play, "Failed", &stopped(&strategy)).await;
            return false;
        }
        // `Stop` is not heard by what waits for its turn.
        Woken::Stopped(_) => sleep_until(turn).await,
    }
    check_folder(world, job).await;
    let started = json!({"status": {"startedAt": Timestamp::now().to_string()}});
    world.journal.note(&job.workflow, Happened::Running);
    world.patch(&job.workflow, phase("Running", started)).await
}

/// Nothing of an earlier attempt, or of an earlier study, may be in the folder of a trial that begins.
async fn check_folder(world: &World, job: &Job) {
    let Some(key) = job.arguments.get("output_key") else {
        return;
    };
    let files = world.bucket.below(&format!("{key}/")).await;
    if !files.is_empty() {
        world
            .journal
            .violation(&job.workflow, &format!("starts in a folder with {files:?}"));
    }
}

async fn run(world: &World, job: &Job, play: &Play, shutdown: &mut Shutdown) {
    let now = Instant::now();
    let hangs = matches!(play.end, End::Hang);
    let over = now + if hangs { FOREVER } else { play.running };
    let deadline = job.deadline.map(|time| now + time);
    let mut woken = wait(shutdown, over, deadline).await;
    if matches!((&woken, &play.end), (Woken::Stopped(_), End::Deaf)) {
        sleep_until(over).await;
        woken = Woken::Over;
    }
    if matches!(woken, Woken::Deleted) {
        return;
    }
    for (path, content) in &play.files {
        let key = job.arguments.get("output_key").map_or("", String::as_str);
        if let Err(e) = world.bucket.write(&format!("{key}/{path}"), content).await {
            let message = format!("failed to save outputs: {e}");
            finish(world, job, play, "Error", &message).await;
            return;
        }
    }
    match (woken, &play.end) {
        (Woken::Deleted, _) | (_, End::Ignored) => {}
        (Woken::Stopped(strategy), _) => finish(world, job, play, "Failed", &stopped(&strategy)).await,
        (Woken::TimedOut, _) => {
            let message = "Pod was active on the node longer than the specified deadline";
            finish(world, job, play, "Failed", message).await;
        }
        (Woken::Over, End::Succeed | End::Deaf | End::Hang) => finish(world, job, play, "Succeeded", "").await,
        (Woken::Over, End::Fail(message)) => finish(world, job, play, "Failed", message).await,
        (Woken::Over, End::Error(message)) => finish(world, job, play, "Error", message).await,
        (Woken::Over, End::Vanish) => world.delete(&job.workflow).await,
        (Woken::Over, End::VanishDone) => {
            finish(world, job, play, "Succeeded", "").await;
            world.delete(&job.workflow).await;
        }
    }
}

fn stopped(strategy: &str) -> String {
    format!("Stopped with strategy '{strategy}'")
}

/// Waits until `over`, or for what comes before.
async fn wait(shutdown: &mut Shutdown, over: Instant, deadline: Option<Instant>) -> Woken {
    let heard = async {
        match shutdown.wait_for(Option::is_some).await {
            Ok(strategy) => strategy.clone().map_or(Woken::Deleted, Woken::Stopped),
            Err(_) => Woken::Deleted,
        }
    };
    tokio::select! {
        biased;
        woken = heard => woken,
        () = sleep_until(deadline.unwrap_or(over)), if deadline.is_some_and(|d| d <= over) => Woken::TimedOut,
        () = sleep_until(over) => Woken::Over,
    }
}

/// The patch that brings a Workflow to a phase: labels and status in one.
fn phase(phase: &str, more: Value) -> Value {
    let is_over = matches!(phase, "Succeeded" | "Failed" | "Error");
    let mut patch = json!({
        "metadata": {"labels": {
            "workflows.argoproj.io/phase": phase,
            "workflows.argoproj.io/completed": is_over.to_string(),
        }},
        "status": {"phase": phase},
    });
    if let (Value::Object(status), Value::Object(more)) = (&mut patch["status"], &more["status"]) {
        status.extend(more.clone());
    }
    patch
}

/// Writes the last phase, and sees to the deletion that `ttlStrategy` asks for.
async fn finish(world: &World, job: &Job, play: &Play, last: &str, message: &str) {
    let listed = |list: &[(String, String)]| -> Vec<Value> {
        let parameter = |(name, value): &(String, String)| json!({"name": name, "value": value});
        list.iter().map(parameter).collect()
    };
    let mut node = json!({
        "id": job.workflow, "name": job.workflow, "displayName": job.workflow,
        "type": "Pod", "phase": last, "message": message,
    });
    let succeeded = last == "Succeeded";
    if succeeded && !play.outputs.is_empty() {
        node["outputs"] = json!({"parameters": listed(&play.outputs)});
    }
    let mut status = json!({
        "finishedAt": Timestamp::now().to_string(),
        "message": message,
        "progress": if succeeded { "1/1" } else { "0/1" },
        "resourcesDuration": {"cpu": 1, "memory": 1},
    });
    if play.runs {
        status["nodes"] = Map::from_iter([(job.workflow.clone(), node)]).into();
    }
    if succeeded && !play.globals.is_empty() {
        status["outputs"] = json!({"parameters": listed(&play.globals)});
    }
    // Before the write: whoever hears of it may be faster than its answer.
    world.journal.completed(job, last);
    if !world.patch(&job.workflow, phase(last, json!({"status": status}))).await {
        return;
    }
    let own = if succeeded {
        "secondsAfterSuccess"
    } else {
        "secondsAfterFailure"
    };
    let ttl = job.ttl.get(own).or_else(|| job.ttl.get("secondsAfterCompletion"));
    if let Some(seconds) = ttl {
        sleep(Duration::from_secs(*seconds)).await;
        world.delete(&job.workflow).await;
    }
}
