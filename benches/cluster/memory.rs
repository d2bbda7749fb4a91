//! A controller that finds many finished studies: its memory, and how soon it acts.

use std::time::Duration;

use futures::{StreamExt, stream};
use hyperstudy::{
    api::{
        HyperparameterStudy, HyperparameterTrial, Origin, StudyRef, StudyStatus, TrialPhase, TrialSpec, TrialStatus,
    },
    study::{Action, Folder, Identity, Plan, Snapshot, Study, Trial, Written, plan},
};
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
    let parameters: Vec<Value> = parameter_names()
        .map(|name| json!({"name": name, "double": {"min": 0, "max": 1}}))
        .collect();
    let spec = json!({"parameters": parameters, "budget": {"trials": trials}});
    let study = lab.create_study(name, &json!({"spec": spec})).await;
    let api = lab.trials();
    stream::iter(1..=trials)
        .map(|number| finished_trial(&api, name, study.uid().unwrap(), number))
        .buffer_unordered(AT_ONCE)
        .for_each(|()| async {})
        .await;
    let status = json!({"status": summary(&study, trials)});
    lab.studies()
        .patch_status(name, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
}

/// The status that the controller itself would have written at the end, so that it finds nothing to do.
fn summary(object: &HyperparameterStudy, trials: usize) -> StudyStatus {
    let now = Timestamp::now();
    let identity = Identity {
        name: object.name_any(),
        namespace: object.namespace().unwrap(),
        uid: object.uid().unwrap(),
        generation: object.metadata.generation.unwrap(),
        created: now,
        deleting: false,
    };
    let study = Study::compile(identity, object.spec.clone(), &[]).unwrap();
    let trial = |number: usize| {
        let spec = trial_spec(&object.name_any(), number);
        Trial {
            number: spec.number.unwrap(),
            config: study.space.parse(&spec.parameters),
            parameters: spec.parameters,
            origin: spec.origin.unwrap(),
            status: trial_status(&format!("{}-{number}", object.name_any()), number),
            ..Trial::default()
        }
    };
    let mut snapshot = Snapshot {
        trials: (1..=trials).map(trial).collect(),
        folder: Folder::Claimed,
        ..Snapshot::default()
    };
    loop {
        let Plan { steps, status, .. } = plan(&study, &snapshot, now);
        let is_done = steps.is_empty() && status == snapshot.status;
        snapshot.status = status;
        if is_done {
            assert!(snapshot.status.phase.is_finished());
            return snapshot.status;
        }
        for step in steps {
            match step.action {
                Action::WriteResults { revision, .. } => {
                    snapshot.written = Some(Written { revision, at: now });
                    snapshot.reported = snapshot.written;
                }
                other => panic!("a finished study would do {other:?}"),
            }
        }
    }
}

async fn finished_trial(api: &Api<HyperparameterTrial>, study: &str, uid: String, number: usize) {
    let name = format!("{study}-{number}");
    let mut object = HyperparameterTrial::new(&name, trial_spec(study, number));
    let metadata = json!({
        "name": name, "finalizers": ["hyperstudy.dev/trial"],
        "labels": {"hyperstudy.dev/study": study, "hyperstudy.dev/study-uid": uid},
        "ownerReferences": [{
            "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy", "name": study, "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        }],
    });
    object.metadata = serde_json::from_value(metadata).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    let status = json!({"status": trial_status(&name, number)});
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
}

fn value(number: usize) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let number = number as f64;
    1.0 / (number + 1.0)
}

fn parameter_names() -> impl Iterator<Item = String> {
    (0..8).map(|n| format!("parameter_{n}"))
}

fn trial_spec(study: &str, number: usize) -> TrialSpec {
    let value = json!(value(number));
    TrialSpec {
        study_ref: StudyRef { name: study.to_owned() },
        number: Some(u32::try_from(number).unwrap()),
        parameters: parameter_names().map(|name| (name, value.clone())).collect(),
        origin: Some(Origin {
            sampler: Some("random".to_owned()),
            index: Some(number as u64 - 1),
            ..Origin::default()
        }),
        ..TrialSpec::default()
    }
}

fn trial_status(name: &str, number: usize) -> TrialStatus {
    let now = Some(Timestamp::now());
    TrialStatus {
        phase: TrialPhase::Succeeded,
        attempt: 1,
        workflow: Some(format!("{name}-1")),
        objectives: vec![value(number)],
        metrics: (0..5).map(|n| (format!("metric_{n}"), value(number))).collect(),
        iteration: Some(1.0),
        reason: Some("Succeeded".to_owned()),
        start_time: now,
        completion_time: now,
        ..TrialStatus::default()
    }
}
