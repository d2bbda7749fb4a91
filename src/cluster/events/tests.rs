#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod publishing;

use serde_json::{Value, json};

use super::{NoteType::*, *};
use crate::api::{StudyStatus, TrialStatus};

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z",
    })
}

fn says(notes: &[Note]) -> Vec<(NoteType, &'static str, &str)> {
    notes.iter().map(|n| (n.type_, n.reason, n.message.as_str())).collect()
}

fn study(before: &Value, after: &Value, expected: &[(NoteType, &str, &str)]) {
    let [was, is] = [before, after].map(|v| serde_json::from_value::<StudyStatus>(v.clone()).unwrap());
    assert_eq!(says(&study_events(&was, &is)), expected, "{before}\n{after}");
    assert_eq!(study_events(&is, &is), [], "{after}");
}

#[test]
fn a_study_that_cannot_start() {
    let ready = json!({"conditions": [condition("Ready", "True", "Ready", "fine")]});
    let not = |reason, message| json!({"conditions": [condition("Ready", "False", reason, message)]});
    let missing = not("TemplateNotFound", "no `fit`");
    study(&json!({}), &ready, &[]);
    study(
        &json!({}),
        &missing,
        &[(Warning, "NotReady", "TemplateNotFound: no `fit`")],
    );
    study(&ready, &missing, &[(Warning, "NotReady", "TemplateNotFound: no `fit`")]);
    study(
        &missing,
        &not("TemplateNotFound", "no `f`"),
        &[(Warning, "NotReady", "TemplateNotFound: no `f`")],
    );
    study(
        &missing,
        &not("SecretNotFound", ""),
        &[(Warning, "NotReady", "SecretNotFound")],
    );
    study(
        &missing,
        &ready,
        &[(Normal, "Ready", "what was in the way is gone: TemplateNotFound")],
    );
    study(&missing, &json!({}), &[]);
}

#[test]
fn a_study_that_runs() {
    let best = |n: u32, v: f64| json!({"trial": format!("s-{n}"), "number": n, "objectives": [v], "parameters": {}, "metrics": {}});
    let running = json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z"});
    let with = |n, v| json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "best": best(n, v)});
    study(
        &json!({}),
        &running,
        &[(Normal, "Started", "the first trial was created")],
    );
    study(
        &running,
        &with(3, 1e-7),
        &[(Normal, "NewBest", "trial s-3 is the best so far: 0.0000001")],
    );
    study(
        &with(3, 0.5),
        &with(4, 0.25),
        &[(Normal, "NewBest", "trial s-4 is the best so far: 0.25")],
    );
    let mut kept = with(3, 0.5);
    kept["best"]["outputPath"] = json!("s3://b/s/3");
    study(&with(3, 0.5), &kept, &[]);
    study(&with(3, 0.5), &running, &[]);

    let suspended = json!({"phase": "Suspended", "startTime": "2026-01-01T00:00:00Z"});
    let message = "spec.suspend is true: nothing new is started, what runs finishes";
    study(&running, &suspended, &[(Normal, "Suspended", message)]);
    study(
        &suspended,
        &running,
        &[(Normal, "Resumed", "spec.suspend is no more true")],
    );
    study(
        &json!({"phase": "Suspended"}),
        &json!({}),
        &[(Normal, "Resumed", "spec.suspend is no more true")],
    );
    let counts = json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z", "trials": {"total": 4}});
    study(&running, &counts, &[]);
}

#[test]
fn a_study_that_ends() {
    let running = json!({"phase": "Running", "startTime": "2026-01-01T00:00:00Z"});
    let ended = |phase, kind, reason, message| {
        let conditions = [condition(kind, "True", reason, message)];
        json!({"phase": phase, "startTime": "2026-01-01T00:00:00Z", "conditions": conditions})
    };
    let done = ended("Succeeded", "Complete", "TrialsUsed", "all were run");
    study(&running, &done, &[(Normal, "Completed", "TrialsUsed: all were run")]);
    let failed = ended("Failed", "Failed", "NoSuccessfulTrial", "none");
    study(&running, &failed, &[(Warning, "Failed", "NoSuccessfulTrial: none")]);
    study(
        &done,
        &running,
        &[(Normal, "Reopened", "it had ended, and goes on by its changed spec")],
    );

    let works = json!({"conditions": [condition("StorageDegraded", "False", "StorageWorks", "")]});
    let fails = json!({"conditions": [condition("StorageDegraded", "True", "StorageFails", "unreachable")]});
    study(
        &works,
        &fails,
        &[(Warning, "StorageDegraded", "StorageFails: unreachable")],
    );
    let message = "storage works again, and nothing is left to be done in it";
    study(&fails, &works, &[(Normal, "StorageRecovered", message)]);
    study(&json!({}), &works, &[]);
}

type Notes = &'static [(NoteType, &'static str, &'static str)];

#[test]
fn trials() {
    let running = json!({"phase": "Running", "attempt": 1});
    let table: [(Value, Value, Notes); 9] = [
        (json!({}), running.clone(), &[]),
        (
            running.clone(),
            json!({"phase": "Succeeded", "attempt": 1, "reason": "Succeeded"}),
            &[],
        ),
        (
            running.clone(),
            json!({"phase": "Pending", "attempt": 1, "failures": 1, "reason": "Lost", "message": "gone"}),
            &[(
                Warning,
                "AttemptFailed",
                "attempt 1 will be followed by another: Lost: gone",
            )],
        ),
        (
            running.clone(),
            json!({"phase": "Pending", "attempt": 1, "preemptions": 1, "reason": "Preempted"}),
            &[(
                Warning,
                "AttemptFailed",
                "attempt 1 will be followed by another: Preempted",
            )],
        ),
        (
            running.clone(),
            json!({"phase": "Failed", "attempt": 1, "failures": 1, "reason": "MetricsMissing", "message": "no file"}),
            &[(Warning, "Failed", "MetricsMissing: no file")],
        ),
        (
            running,
            json!({"phase": "Stopped", "attempt": 1, "reason": "StoppedByUser", "message": "spec.stop was set"}),
            &[(Normal, "Stopped", "StoppedByUser: spec.stop was set")],
        ),
        (
            json!({}),
            json!({"phase": "Rejected", "reason": "OutsideSpace", "message": "lr"}),
            &[(Warning, "Rejected", "OutsideSpace: lr")],
        ),
        (json!({}), json!({"phase": "Admitted", "number": 3}), &[]),
        (
            json!({"phase": "Failed", "reason": "Failed"}),
            json!({"phase": "Failed", "reason": "Failed", "files": "Deleted"}),
            &[],
        ),
    ];
    for (before, after, expected) in table {
        let [was, is] = [&before, &after].map(|v| serde_json::from_value::<TrialStatus>(v.clone()).unwrap());
        assert_eq!(says(&trial_events(&was, &is)), expected, "{before}\n{after}");
        assert_eq!(trial_events(&is, &is), [], "{after}");
    }
}
