//! What persons do.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    cluster::Cluster,
    dice::Dice,
    plot::metrics,
    world::{BUCKET, NAMESPACE, World},
};

const STUDIES: &str = "hyperparameterstudies";
const TRIALS: &str = "hyperparametertrials";

/// Something that a person does; to the study at that place, and to one of what it has then.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Deletes the study.
    DeleteStudy(usize),
    /// Sets the parallelism.
    Parallelism(usize, u32),
    /// Sets the budget.
    Budget(usize, u32),
    /// Sets how many of the best stay.
    KeepTop(usize, u32),
    /// Suspends it, and resumes it so much later.
    Suspend(usize, Duration),
    /// Ends it: `Stop` or `Terminate`.
    Shutdown(usize, &'static str),
    /// Ends a trial.
    StopTrial(usize, usize),
    /// Deletes a trial.
    DeleteTrial(usize, usize),
    /// Deletes a Workflow.
    DeleteWorkflow(usize, usize),
    /// `argo terminate`.
    Terminate(usize, usize),
    /// `argo retry` of one that has failed.
    Retry(usize, usize),
    /// `argo resubmit`.
    Resubmit(usize, usize),
    /// Asks for a configuration.
    Request(usize, u32),
    /// Takes the template away, and gives it back so much later.
    Template(Duration),
    /// Takes the credentials away, and gives them back so much later.
    Secret(Duration),
    /// Deletes the study, and creates it again so much after it has gone, with `onConflict: Overwrite` where it takes over what is left.
    Recreate {
        which: usize,
        takes_over: bool,
        wait: Duration,
    },
}

impl Act {
    /// Something, to one of so many studies.
    pub fn draw(dice: &Dice, studies: usize) -> Self {
        let which = dice.below(studies);
        let place = dice.below(100);
        let number = u32::try_from(dice.below(6) + 1).unwrap_or(1);
        let wait = dice.within(&(Duration::from_secs(1)..Duration::from_secs(40)));
        match dice.below(16) {
            0 => Self::DeleteStudy(which),
            1 => Self::Parallelism(which, number),
            2 => Self::Budget(which, number + 2),
            3 => Self::KeepTop(which, number.min(3)),
            4 => Self::Suspend(which, wait),
            5 => Self::Shutdown(which, ["Stop", "Terminate"][dice.below(2)]),
            6 | 7 => Self::StopTrial(which, place),
            8 | 9 => Self::DeleteTrial(which, place),
            10 => Self::DeleteWorkflow(which, place),
            11 => Self::Terminate(which, place),
            12 => Self::Retry(which, place),
            13 => Self::Resubmit(which, place),
            14 => Self::Request(which, number),
            _ => match dice.below(2) {
                0 => Self::Template(wait),
                _ => Self::Secret(wait),
            },
        }
    }

    /// Whether Workflows are brought back to life by it.
    pub fn revives(&self) -> bool {
        self.revived().is_some()
    }

    /// Whether a study may leave files by it that were to go.
    pub fn may_leave_files(&self) -> bool {
        self.revives() || matches!(self, Self::Secret(_) | Self::Template(_) | Self::DeleteStudy(_))
    }

    /// The place of the study of which it brings Workflows back to life; they may be of another one whose name begins alike.
    pub fn revived(&self) -> Option<usize> {
        match self {
            Self::Retry(which, _) | Self::Resubmit(which, _) => Some(*which),
            _ => None,
        }
    }

    /// Does it. What cannot be done at the moment is not done.
    pub async fn perform(&self, world: &World, names: &[String]) {
        let set = |which: &usize, field: &'static str, value: Value| {
            let _ = world
                .cluster
                .edit(STUDIES, NAMESPACE, &names[*which], |s| s["spec"][field] = value);
        };
        match self {
            Self::DeleteStudy(which) => drop(world.cluster.delete(STUDIES, NAMESPACE, &names[*which])),
            Self::Parallelism(which, n) => set(which, "parallelism", (*n).into()),
            Self::Budget(which, n) => set(which, "budget", json!({"trials": n})),
            Self::KeepTop(which, n) => {
                let _ = world.cluster.edit(STUDIES, NAMESPACE, &names[*which], |s| {
                    if s["spec"]["storage"]["strategy"] == "Best" {
                        s["spec"]["storage"]["keepTop"] = (*n).into();
                    }
                });
            }
            Self::Suspend(which, wait) => {
                set(which, "suspend", true.into());
                sleep(*wait).await;
                set(which, "suspend", false.into());
            }
            Self::Shutdown(which, how) => set(which, "shutdown", (*how).into()),
            Self::StopTrial(which, place) => {
                if let Some(name) = chosen(world, TRIALS, &names[*which], *place) {
                    let _ = world
                        .cluster
                        .edit(TRIALS, NAMESPACE, &name, |t| t["spec"]["stop"] = true.into());
                }
            }
            Self::DeleteTrial(which, place) => {
                if let Some(name) = chosen(world, TRIALS, &names[*which], *place) {
                    let _ = world.cluster.delete(TRIALS, NAMESPACE, &name);
                }
            }
            Self::DeleteWorkflow(which, place) => {
                if let Some(name) = chosen(world, "workflows", &names[*which], *place) {
                    let _ = world.cluster.delete("workflows", NAMESPACE, &name);
                }
            }
            Self::Terminate(which, place) => {
                if let Some(name) = chosen(world, "workflows", &names[*which], *place) {
                    let _ = world.cluster.edit("workflows", NAMESPACE, &name, |w| {
                        w["spec"]["shutdown"] = "Terminate".into();
                    });
                }
            }
            Self::Retry(which, place) => retry(world, &names[*which], *place).await,
            Self::Resubmit(which, place) => {
                if let Some(name) = chosen(world, "workflows", &names[*which], *place)
                    && let Some(workflow) = world.cluster.get("workflows", NAMESPACE, &name)
                {
                    let mut copy = workflow.clone();
                    let metadata = &workflow["metadata"];
                    copy["metadata"] = json!({
                        "generateName": format!("{name}-"), "labels": metadata["labels"], "ownerReferences": metadata["ownerReferences"],
                    });
                    copy["metadata"]["labels"]["workflows.argoproj.io/completed"] = "false".into();
                    copy["status"] = json!({});
                    let _ = world.cluster.create(NAMESPACE, copy);
                }
            }
            Self::Request(which, n) => {
                let request = json!({
                    "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterTrial",
                    "metadata": {"generateName": "try-"},
                    "spec": {"studyRef": {"name": names[*which]}, "parameters": {"lr": 0.01 * f64::from(*n)}},
                });
                let _ = world.cluster.create(NAMESPACE, request);
            }
            Self::Template(wait) => away(world, "workflowtemplates", "fit", *wait).await,
            Self::Secret(wait) => away(world, "secrets", "s3", *wait).await,
            Self::Recreate {
                which,
                takes_over,
                wait,
            } => recreate(world, &names[*which], *takes_over, *wait).await,
        }
    }
}

/// One of a study's objects.
fn chosen(world: &World, plural: &str, study: &str, place: usize) -> Option<String> {
    let named = format!("{study}-");
    let is_own = |name: &str| {
        name.strip_prefix(&named)
            .is_some_and(|rest| rest.split('-').all(|p| p.parse::<u32>().is_ok()))
    };
    let all = world.cluster.all(plural);
    let names: Vec<String> = all
        .iter()
        .filter_map(|o| o["metadata"]["name"].as_str())
        .filter(|name| is_own(name))
        .map(str::to_owned)
        .collect();
    (!names.is_empty()).then(|| names[place % names.len()].clone())
}

async fn away(world: &World, plural: &str, name: &str, wait: Duration) {
    let Some(mut object) = world.cluster.get(plural, NAMESPACE, name) else {
        return;
    };
    let _ = world.cluster.delete(plural, NAMESPACE, name);
    sleep(wait).await;
    object["metadata"] = json!({"name": name});
    let _ = world.cluster.create(NAMESPACE, object);
}

/// A study, deleted, and created again when it has gone.
async fn recreate(world: &World, name: &str, takes_over: bool, wait: Duration) {
    let Some(mut study) = world.cluster.get(STUDIES, NAMESPACE, name) else {
        return;
    };
    let _ = world.cluster.delete(STUDIES, NAMESPACE, name);
    world
        .cluster
        .until(|c| c.look(STUDIES, NAMESPACE, name).is_none())
        .await;
    sleep(wait).await;
    study["metadata"] = json!({"name": name});
    if let Some(study) = study.as_object_mut() {
        study.remove("status");
    }
    for field in ["shutdown", "suspend"] {
        study["spec"].as_object_mut().and_then(|spec| spec.remove(field));
    }
    if takes_over {
        study["spec"]["storage"]["onConflict"] = "Overwrite".into();
    }
    let _ = world.cluster.create(NAMESPACE, study);
}

/// Argo's retry: the label of completion goes, and what had stopped it; the phase stays for a moment. This time it mostly succeeds, if nobody stops it.
async fn retry(world: &World, study: &str, place: usize) {
    let Some(name) = chosen(world, "workflows", study, place) else {
        return;
    };
    let over = |w: &Value| w["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true";
    let failed = |w: &Value| matches!(w["status"]["phase"].as_str(), Some("Failed" | "Error"));
    let Some(workflow) = world
        .cluster
        .get("workflows", NAMESPACE, &name)
        .filter(|w| over(w) && failed(w))
    else {
        return;
    };
    let uid = workflow["metadata"]["uid"].clone();
    let label = |phase: Option<&'static str>, completed: &'static str| {
        let _ = world.cluster.edit("workflows", NAMESPACE, &name, |w| {
            if w["metadata"]["uid"] == uid {
                if let (true, Some(spec)) = (phase.is_none(), w["spec"].as_object_mut()) {
                    spec.remove("shutdown");
                }
                w["metadata"]["labels"]["workflows.argoproj.io/completed"] = completed.into();
                if let Some(phase) = phase {
                    w["metadata"]["labels"]["workflows.argoproj.io/phase"] = phase.into();
                    w["status"]["phase"] = phase.into();
                }
            }
        });
    };
    label(None, "false");
    sleep(Duration::from_millis(300)).await;
    label(Some("Running"), "false");
    let dice = Dice::new(name.bytes().fold(study.len() as u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3).rotate_left(29)
    }));
    let stopped = |c: &Cluster| {
        let now = c
            .look("workflows", NAMESPACE, &name)
            .filter(|w| w["metadata"]["uid"] == uid);
        now.is_none_or(|w| !w["spec"]["shutdown"].is_null())
    };
    let goes_wrong = dice.chance(0.25);
    let fails = tokio::select! {
        biased;
        () = sleep(dice.within(&(Duration::from_millis(300)..Duration::from_secs(9)))) => goes_wrong,
        () = world.cluster.until(stopped) => true,
    };
    if fails {
        return label(Some("Failed"), "true");
    }
    let attempt = crate::argo::read(&workflow);
    let trial = world
        .cluster
        .get(TRIALS, NAMESPACE, &format!("{study}-{}", attempt.number));
    let runs = trial.is_some_and(|t| t["status"]["phase"] == "Running" && t["status"]["attempt"] == attempt.attempt);
    if runs && world.cluster.get("workflows", NAMESPACE, &name).is_some() {
        let key = format!("runs/{study}/{}/metrics.json", attempt.number);
        world
            .buckets
            .put(BUCKET, &key, metrics(&attempt).to_string().as_bytes());
    }
    label(Some("Succeeded"), "true");
}
