//! A controller that finds many finished studies: its memory, and how soon it acts.

use std::time::Duration;

use futures::{StreamExt, stream};
use hyperstudy::api::HyperparameterTrial;
use jiff::Timestamp;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    Line, line, millis,
    support::{audit::Write, lab::Lab},
};

/// How many requests are under way while the studies are made.
const AT_ONCE: usize = 32;

pub async fn measure(studies: usize, trials: usize) -> Vec<Line> {
    let lab = Lab::start("memory").await;
    eprintln!("making {studies} finished studies of {} trials", trials / studies);
    for number in 0..studies {
        finished_study(&lab, &format!("old-{number}"), trials / studies).await;
    }
    lab.create_study("new", &json!({})).await;
    let mut controller = lab.controller();
    controller.ready().await;
    lab.finished("new").await;
    // Once more, so that nothing is left of the start that would be freed.
    lab.create_study("newer", &json!({"spec": {"budget": {"trials": 20}}}))
        .await;
    lab.finished("newer").await;
    let resident = controller.resident();
    let writes = lab.writes();
    let held = writes.iter().find(|w| w.resource == "leases").map(|w| w.answered);
    let first = |name: &str| {
        let is_first = |w: &&Write| w.resource != "leases" && w.resource != "events" && w.name.starts_with(name);
        writes.iter().find(is_first).map(|w| w.answered)
    };
    let since = |at: Option<Timestamp>| -> Option<Duration> { at?.duration_since(held?).try_into().ok() };
    let shown = |time: Option<Duration>| time.map_or("never".to_owned(), millis);
    let old = writes.iter().filter(|w| w.name.starts_with("old-")).count();
    vec![
        line(
            &format!("memory with {trials} trials of {studies} studies"),
            format!("{} MiB", resident >> 20),
            "150 MiB or less",
        ),
        line(
            "from the lease to the first action",
            shown(since(first("new"))),
            "3 s or less",
        ),
        line("  writes to finished studies", old.to_string(), "0"),
    ]
}

/// A study that has run, as the API server would have it.
async fn finished_study(lab: &Lab, name: &str, trials: usize) {
    let names: Vec<String> = (0..8).map(|n| format!("parameter_{n}")).collect();
    let parameters: Vec<Value> = names
        .iter()
        .map(|name| json!({"name": name, "double": {"min": 0, "max": 1}}))
        .collect();
    let spec = json!({"parameters": parameters, "budget": {"trials": trials}});
    let study = lab.create_study(name, &json!({"spec": spec})).await;
    let api = lab.trials();
    stream::iter(1..=trials)
        .map(|number| finished_trial(&api, name, study.uid().unwrap(), &names, number))
        .buffer_unordered(AT_ONCE)
        .for_each(|()| async {})
        .await;
    let now = Timestamp::now().to_string();
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": now, "observedGeneration": 1,
        })
    };
    let status = json!({"status": {
        "phase": "Succeeded", "observedGeneration": 1, "lastNumber": trials,
        "conditions": [
            condition("Ready", "True", "Ready"), condition("Complete", "True", "TrialsUsed"),
            condition("Failed", "False", "TrialsUsed"),
        ],
        "trials": {"total": trials, "succeeded": trials, "running": 0, "failed": 0, "stopped": 0},
        "startTime": now, "completionTime": now,
    }});
    lab.studies()
        .patch_status(name, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
}

async fn finished_trial(api: &Api<HyperparameterTrial>, study: &str, uid: String, names: &[String], number: usize) {
    let name = format!("{study}-{number}");
    #[allow(clippy::cast_precision_loss)]
    let value = 1.0 / (number as f64 + 1.0);
    let parameters: Value = names.iter().map(|name| (name.clone(), json!(value))).collect();
    let object = json!({
        "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterTrial",
        "metadata": {
            "name": name, "finalizers": ["hyperstudy.dev/trial"],
            "labels": {"hyperstudy.dev/study": study, "hyperstudy.dev/study-uid": uid},
            "ownerReferences": [{
                "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy", "name": study, "uid": uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "studyRef": {"name": study}, "number": number, "parameters": parameters,
            "origin": {"sampler": "random", "index": number - 1},
        },
    });
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    let now = Timestamp::now().to_string();
    let metrics: Value = (0..5).map(|n| (format!("metric_{n}"), json!(value))).collect();
    let status = json!({"status": {
        "phase": "Succeeded", "attempt": 1, "workflow": format!("{name}-1"), "objectives": [value], "metrics": metrics,
        "reason": "Succeeded", "iteration": 1.0, "startTime": now, "completionTime": now,
    }});
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
}
