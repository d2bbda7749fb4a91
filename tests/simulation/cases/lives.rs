//! What persons do to a study while everything goes wrong.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    lab::*,
    studies::{seeds, storm},
    study, trial,
};
use crate::{
    cluster::Cluster,
    controller::Controller,
    faults::{Fault, Trouble},
    world::{BUCKET, NAMESPACE, World},
};

const STUDIES: &str = "hyperparameterstudies";
const TRIAL_KIND: &str = "hyperparametertrials";

/// Starts the study, lets some of its trials run, and does something then, each from some seeds. Says what went wrong.
fn live(act: impl AsyncFn(&World) -> Result<(), String>) {
    let mut wrong = Vec::new();
    for seed in seeds(0, 4) {
        let result = Scene::Rough.simulate(seed, async |world| {
            if seed > 0 {
                storm(&world, 0.15);
            }
            let mut study = Scene::Rough.study();
            study["spec"]["storage"]["onDelete"] = "Delete".into();
            let controller = Controller::start(&world);
            world.cluster.create(NAMESPACE, study).unwrap();
            let started = |c: &Cluster| c.history("workflows").iter().filter(|c| c.before.is_none()).count() > 4;
            let result = match timeout(PATIENCE, world.cluster.until(started)).await {
                Ok(()) => act(&world).await.and_then(|()| never(&world)),
                Err(_) => Err("no Workflows".to_owned()),
            };
            controller.kill();
            result.map_err(|e| explained(&world, &e))
        });
        if let Err(error) = result {
            wrong.push(format!("seed {seed}: {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Waits until something holds.
async fn until(world: &World, what: &str, holds: impl Fn(&Cluster) -> bool) -> Result<(), String> {
    let waited = timeout(PATIENCE, async {
        loop {
            // Storage changes without the cluster.
            if timeout(Duration::from_secs(10), world.cluster.until(&holds))
                .await
                .is_ok()
            {
                return;
            }
        }
    });
    waited.await.map_err(|_| format!("it never happens that {what}"))
}

fn status(cluster: &Cluster, plural: &str, name: &str) -> Value {
    cluster
        .get(plural, NAMESPACE, name)
        .map_or(Value::Null, |o| o["status"].clone())
}

fn is_over(cluster: &Cluster) -> bool {
    matches!(
        status(cluster, STUDIES, "s")["phase"].as_str(),
        Some("Succeeded" | "Failed")
    )
}

fn active(cluster: &Cluster) -> usize {
    let over = |w: &Value| w["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true";
    cluster.all("workflows").iter().filter(|w| !over(w)).count()
}

#[test]
fn a_trial_that_is_stopped_before_anybody_knows_that_it_has_begun() {
    let result = Scene::Smooth.simulate(1, async |world| {
        world
            .cluster
            .set_lag("workflows", Duration::from_secs(5)..Duration::from_secs(6));
        let create = Fault::next(1, &["create"], "workflows", Trouble::Reset { done: true });
        world.cluster.faults().push(create.named("s-2-1"));
        let controller = Controller::start(&world);
        world.cluster.create(NAMESPACE, Scene::Smooth.study()).unwrap();
        until(&world, "it begins", |c| {
            c.get("workflows", NAMESPACE, "s-2-1").is_some()
        })
        .await?;
        let stop = |t: &mut Value| t["spec"]["stop"] = true.into();
        world.cluster.edit(TRIAL_KIND, NAMESPACE, "s-2", stop).unwrap();
        until(&world, "the study is over", is_over).await?;
        controller.kill();
        let trial = status(&world.cluster, TRIAL_KIND, "s-2");
        let workflow = status(&world.cluster, "workflows", "s-2-1");
        match (&trial["phase"], &trial["attempt"], &workflow["phase"]) {
            (phase, attempt, ended) if phase == "Stopped" && *attempt == 1 && ended == "Failed" => Ok(()),
            found => Err(explained(&world, &format!("it ends as {found:?}"))),
        }
    });
    assert_eq!(result, Ok(()));
}

#[test]
fn a_deleted_study_takes_everything_along() {
    live(async |world| {
        world.cluster.delete(STUDIES, NAMESPACE, "s").unwrap();
        until(world, "nothing is left", |c| {
            c.all(STUDIES).is_empty() && c.all(TRIAL_KIND).is_empty() && c.all("workflows").is_empty()
        })
        .await?;
        sleep(Duration::from_secs(600)).await;
        match world.buckets.keys(BUCKET).as_slice() {
            [] if world.cluster.all("workflows").is_empty() => Ok(()),
            files => Err(format!("there are {files:?}")),
        }
    });
}

#[test]
fn a_study_that_is_terminated_ends_what_runs() {
    live(async |world| {
        let terminate = |s: &mut Value| s["spec"]["shutdown"] = "Terminate".into();
        world.cluster.edit(STUDIES, NAMESPACE, "s", terminate).unwrap();
        let before = world.creations().len();
        until(world, "the study is over", is_over).await?;
        sleep(Duration::from_secs(600)).await;
        let counts = &status(&world.cluster, STUDIES, "s")["trials"];
        if active(&world.cluster) > 0 || counts["running"] != 0 {
            return Err(format!("{} Workflows run, trials are {counts}", active(&world.cluster)));
        }
        // What was on its way when the study was changed may still arrive.
        match world.creations().len() - before {
            0..PARALLELISM => Ok(()),
            more => Err(format!("{more} Workflows more")),
        }
    });
}

#[test]
fn a_trial_that_is_stopped_or_deleted_ends_alone() {
    live(async |world| {
        let trials = world.cluster.all(TRIAL_KIND);
        let running = trials.iter().filter(|t| t["status"]["phase"] == "Running");
        let names: Vec<String> = running
            .map(|t| t["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        let [stopped, rest @ ..] = names.as_slice() else {
            return Ok(());
        };
        world
            .cluster
            .edit(TRIAL_KIND, NAMESPACE, stopped, |t| t["spec"]["stop"] = true.into())
            .unwrap();
        if let Some(deleted) = rest.first() {
            world.cluster.delete(TRIAL_KIND, NAMESPACE, deleted).unwrap();
            until(world, "the deleted trial is gone", |c| {
                c.get(TRIAL_KIND, NAMESPACE, deleted).is_none()
            })
            .await?;
        }
        until(world, "the study is over", is_over).await?;
        let phase = status(&world.cluster, TRIAL_KIND, stopped)["phase"].clone();
        if phase == "Running" || phase == "Pending" {
            return Err(format!("the stopped trial is {phase}"));
        }
        let total = status(&world.cluster, STUDIES, "s")["lastNumber"].clone();
        if total != TRIALS {
            Err(format!("{total} trials"))
        } else {
            Ok(())
        }
    });
}

#[test]
fn suspended_and_resumed() {
    live(async |world| {
        let suspend = |is: bool| move |s: &mut Value| s["spec"]["suspend"] = is.into();
        world.cluster.edit(STUDIES, NAMESPACE, "s", suspend(true)).unwrap();
        // A trial that waits for its next attempt goes on waiting.
        let is_quiet = |c: &Cluster| c.all(TRIAL_KIND).iter().all(|t| t["status"]["phase"] != "Running");
        until(world, "nothing runs", |c| {
            active(c) == 0 && status(c, STUDIES, "s")["phase"] == "Suspended" && is_quiet(c)
        })
        .await?;
        let before = world.creations().len();
        sleep(Duration::from_secs(3600)).await;
        if world.creations().len() != before {
            return Err("something was started".to_owned());
        }
        world.cluster.edit(STUDIES, NAMESPACE, "s", suspend(false)).unwrap();
        until(world, "the study is over", is_over).await
    });
}

#[test]
fn what_does_not_decode_stops_nothing_else() {
    let ended = Scene::Smooth.study_with(1, |world| {
        let mut odd = study("odd");
        odd["spec"] = json!("nothing that the program knows");
        world.cluster.plant(STUDIES, NAMESPACE, odd);
        let labels = json!({"hyperstudy.dev/study": "s", "hyperstudy.dev/study-uid": "none"});
        for (name, spec) in [("s-900", json!({"number": "many"})), ("s-901", json!([]))] {
            let mut odd = trial("s", 900);
            odd["metadata"] = json!({"name": name, "labels": labels});
            odd["spec"] = spec;
            world.cluster.plant(TRIAL_KIND, NAMESPACE, odd);
        }
        let labels =
            json!({"hyperstudy.dev/study": "s", "hyperstudy.dev/trial": "no number", "workflows.argoproj.io/completed": "true", "hyperstudy.dev/attempt": "-1"});
        world
            .cluster
            .plant("workflows", NAMESPACE, super::workflow("odd", &labels));
        let cluster = world.cluster.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(3)).await;
            let mut odd = study("odd-2");
            odd["spec"]["parallelism"] = "three".into();
            cluster.plant(STUDIES, NAMESPACE, odd);
        });
    });
    let (good, mut ended) = (Scene::Smooth.undisturbed(), ended.unwrap());
    ended.workflows.retain(|name| name != "odd");
    assert_eq!(ended, good);
}
