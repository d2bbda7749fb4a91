#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kube::core::DeserializeGuard;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::StudySpec,
    metrics::{MetricsError, Reading},
    study::{Action, Failure, Requirement, Run, RunState, Step, Study},
};

const NAMESPACE: &str = "lab";

fn guard<K: serde::de::DeserializeOwned>(object: Value) -> DeserializeGuard<K> {
    DeserializeGuard(Ok(serde_json::from_value(object).unwrap()))
}

fn study(uid: &str, version: u64) -> DeserializeGuard<HyperparameterStudy> {
    guard(json!({
        "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy",
        "metadata": {"name": "s", "namespace": NAMESPACE, "uid": uid, "generation": 1, "resourceVersion": version.to_string()},
        "spec": {
            "objectives": [{"metric": "loss", "goal": "Minimize"}],
            "parameters": [{"name": "x", "double": {"min": 0, "max": 1}}],
            "algorithm": {"sampler": {"random": {}}}, "budget": {"trials": 9},
            "trial": {"workflowTemplateRef": {"name": "t"}}, "storage": {"outputPath": "s3://bucket/runs"},
        },
    }))
}

fn trial(number: u32, version: u64, phase: &str, attempt: u32) -> DeserializeGuard<HyperparameterTrial> {
    guard(json!({
        "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterTrial",
        "metadata": {
            "name": format!("s-{number}"), "namespace": NAMESPACE, "uid": format!("trial-{number}"), "resourceVersion": version.to_string(),
            "ownerReferences": [{"apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy", "name": "s", "uid": "one"}],
        },
        "spec": {"studyRef": {"name": "s"}, "number": number, "parameters": {"x": 0.5}},
        "status": {"phase": phase, "attempt": attempt},
    }))
}

fn request(name: &str, created: &str, phase: &str) -> DeserializeGuard<HyperparameterTrial> {
    guard(json!({
        "apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterTrial",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": name, "creationTimestamp": created, "resourceVersion": "1"},
        "spec": {"studyRef": {"name": "s"}, "parameters": {"x": 0.5}},
        "status": {"phase": phase},
    }))
}

fn workflow(name: &str, version: u64, owner: &str, labels: &Value) -> ObjectMeta {
    let mut labels = labels.clone();
    labels[STUDY_UID_LABEL] = "one".into();
    serde_json::from_value(json!({
        "name": name, "namespace": NAMESPACE, "uid": name, "resourceVersion": version.to_string(), "labels": labels,
        "ownerReferences": [{"apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterTrial", "name": "x", "uid": owner}],
    }))
    .unwrap()
}

fn ended(phase: &str) -> Value {
    json!({"workflows.argoproj.io/phase": phase, "workflows.argoproj.io/completed": "true"})
}

/// A cache with the study `one` and its trial 1, an attempt of which runs.
fn cache() -> (Cache, Arc<Entry>) {
    let (cache, mut news) = Cache::new();
    cache.take_trial(trial(1, 10, "Running", 1), 1);
    cache.take_study(study("one", 11), 1);
    let entry = news.try_recv().unwrap();
    assert!(news.try_recv().is_err(), "announced once");
    (cache, entry)
}

fn run(entry: &Entry) -> Option<Run> {
    entry.state().snapshot.trial(1).unwrap().run.clone()
}

fn state(state: RunState) -> Option<Run> {
    Some(Run { attempt: 1, state })
}

#[test]
fn a_run_is_what_the_trials_own_workflow_says() {
    let (cache, entry) = cache();
    assert_eq!(run(&entry), None);
    assert_eq!(entry.state().looks(), [(1, 1, Look::Missing)]);
    // Another's, of the same name; a resubmitted copy of ours, of another name.
    cache.take_workflow(&workflow("s-1-1", 20, "trial-7", &ended("Succeeded")), 1);
    cache.take_workflow(&workflow("s-1-1-copy", 20, "trial-1", &ended("Succeeded")), 1);
    assert_eq!(run(&entry), None);
    cache.take_workflow(&workflow("s-1-1", 21, "trial-1", &json!({})), 1);
    assert_eq!(run(&entry), state(RunState::Active));
    assert!(entry.state().looks().is_empty());
    cache.take_workflow(&workflow("s-1-1", 23, "trial-1", &ended("Failed")), 1);
    assert_eq!(run(&entry), state(RunState::Active), "why it failed is not known yet");
    assert_eq!(entry.state().looks(), [(1, 1, Look::Ended)]);
    entry.note(|s| s.set_run_state("s-1-1", RunState::Succeeded));
    assert!(entry.state().looks().is_empty());
    // Old news change nothing.
    cache.take_workflow(&workflow("s-1-1", 22, "trial-1", &json!({})), 1);
    assert_eq!(run(&entry), state(RunState::Succeeded));
}

#[test]
fn a_workflow_that_vanishes_is_looked_for_before_it_counts_as_gone() {
    let (cache, entry) = cache();
    let seen = workflow("s-1-1", 21, "trial-1", &json!({}));
    cache.take_workflow(&seen, 1);
    cache.drop_workflow(&seen);
    assert_eq!(
        (run(&entry), entry.state().looks()),
        (None, vec![(1, 1, Look::Missing)])
    );
    entry.note(|s| s.set_gone(1, 1));
    assert_eq!(run(&entry), state(RunState::Gone));
    // The next attempt's is another matter.
    cache.take_trial(trial(1, 30, "Running", 2), 1);
    assert_eq!(
        (run(&entry), entry.state().looks()),
        (None, vec![(1, 2, Look::Missing)])
    );
}

#[test]
fn an_attempt_that_runs_ahead_of_its_record_is_seen() {
    let (cache, entry) = cache();
    cache.take_trial(trial(1, 30, "Pending", 1), 1);
    assert_eq!(run(&entry), None);
    cache.take_workflow(&workflow("s-1-2", 31, "trial-1", &json!({})), 1);
    assert_eq!(
        run(&entry),
        Some(Run {
            attempt: 2,
            state: RunState::Active
        })
    );
}

#[test]
fn older_news_of_a_trial_are_left_alone_and_metrics_stay_with_their_run() {
    let (cache, entry) = cache();
    let asked = || entry.state().snapshot.trial(1).unwrap().clone();
    let reading = || {
        Ok(Reading {
            objective: 1.0,
            iteration: 1.0,
            metrics: Default::default(),
            reports: Vec::new(),
        })
    };
    let mut other = asked();
    other.status.attempt = 2;
    entry.note(|s| s.set_metrics(&other, reading()));
    assert!(asked().metrics.is_none(), "of another attempt");

    let failed = json!({"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Failed"});
    cache.take_workflow(&workflow("s-1-1", 31, "trial-1", &failed), 1);
    let failed = RunState::Failed(Failure::Stopped, "stopped".into());
    entry.note(|s| s.set_run_state("s-1-1", failed.clone()));
    let stopped = asked();
    assert_eq!(stopped.run.as_ref().map(|r| &r.state), Some(&failed));
    let missing = || Err(MetricsError::MetricsMissing("m".into()));
    entry.note(|s| s.set_metrics_file(&stopped, missing(), Timestamp::UNIX_EPOCH));
    assert!(asked().missed_at.is_some() && asked().metrics.is_none());
    entry.note(|s| s.set_metrics_file(&stopped, missing(), Timestamp::UNIX_EPOCH));
    assert!(asked().metrics.is_some());
    entry.state().stopped.insert((1, 1));
    cache.take_workflow(&workflow("s-1-1", 32, "trial-1", &json!({})), 1);
    assert!(entry.state().stopped.is_empty(), "it has to be stopped anew");
    assert!(
        asked().metrics.is_none() && asked().missed_at.is_none(),
        "a person runs it again"
    );
    entry.note(|s| s.set_metrics_file(&stopped, reading(), Timestamp::UNIX_EPOCH));
    assert!(asked().metrics.is_none(), "of the run before");

    let now = asked();
    entry.note(|s| s.set_metrics(&now, reading()));
    cache.take_trial(trial(1, 9, "Pending", 0), 1);
    let now = entry.state().snapshot.trial(1).unwrap().clone();
    assert!(now.status.attempt == 1 && now.metrics.is_some());
    cache.take_trial(trial(1, 12, "Succeeded", 1), 1);
    assert!(entry.state().snapshot.trial(1).unwrap().is_finished());
    assert!(entry.state().looks().is_empty());
}

#[test]
fn a_listing_forgets_what_it_does_not_name() {
    let (cache, entry) = cache();
    cache.take_trial(trial(2, 12, "Pending", 0), 1);
    cache.take_trial(request("r", "2026-01-01T00:00:00Z", "Pending"), 1);
    cache.take_trial(trial(2, 12, "Pending", 0), 2);
    cache.trials_listed(Some("elsewhere"), 2);
    assert_eq!(entry.state().snapshot.trials.len(), 2, "another namespace's");
    cache.trials_listed(Some(NAMESPACE), 2);
    let numbers: Vec<u32> = entry.state().snapshot.trials.iter().map(|t| t.number).collect();
    assert_eq!(numbers, [2]);
    assert!(entry.state().snapshot.requests.is_empty());
    cache.studies_listed(None, 2);
    assert!(entry.state().record.is_none());
}

#[test]
fn requests_are_those_of_the_study_that_bears_the_name_oldest_first() {
    let (cache, entry) = cache();
    for (name, created, phase) in [
        ("b", "2026-01-02T00:00:00Z", "Pending"),
        ("a", "2026-01-02T00:00:00Z", "Pending"),
        ("z", "2026-01-01T00:00:00Z", "Pending"),
        ("done", "2026-01-01T00:00:00Z", "Admitted"),
    ] {
        cache.take_trial(request(name, created, phase), 1);
    }
    let names = || -> Vec<String> {
        let state = entry.state();
        state.snapshot.requests.iter().map(|r| r.request.name.clone()).collect()
    };
    assert_eq!(names(), ["z", "a", "b"]);
    cache.take_trial(request("a", "2026-01-02T00:00:00Z", "Rejected"), 1);
    assert_eq!(names(), ["z", "b"]);
    assert!(cache.request_version(NAMESPACE, "s", "a").is_none());
}

#[test]
fn a_study_that_is_created_anew_has_none_of_the_old_ones_trials() {
    let (cache, old) = cache();
    let DeserializeGuard(Ok(object)) = study("one", 11) else {
        panic!()
    };
    cache.drop_study(&object.metadata);
    assert!(!cache.forget(&old), "a trial is left");
    cache.take_study(study("two", 50), 1);
    let new = cache.entries().into_iter().find(|e| e.id.uid == "two").unwrap();
    assert!(new.state().snapshot.trials.is_empty());
    old.note(|s| s.drop_trial(1));
    assert!(cache.forget(&old));
}

#[test]
fn another_study_of_the_same_name_ends_the_old_one_only_if_it_is_newer() {
    let (cache, old) = cache();
    for (version, comes_back) in [(3, true), (50, false)] {
        let DeserializeGuard(Ok(other)) = study("two", version) else {
            panic!()
        };
        cache.replaced_study(&old.id, &other.metadata);
        assert!(old.state().record.is_none());
        // A watch that lags.
        cache.take_study(study("one", 11), 1);
        assert_eq!(old.state().record.is_some(), comes_back);
    }
}

/// Anybody may write another study's UID into a trial of theirs: that no such study is there says nothing of the other one.
#[test]
fn a_study_is_not_gone_because_there_is_none_of_its_uid_elsewhere() {
    let (cache, entry) = cache();
    for (namespace, name) in [(NAMESPACE, "other"), ("elsewhere", "s")] {
        cache.lost_study(&StudyId {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            uid: "one".to_owned(),
        });
    }
    cache.take_study(study("one", 12), 1);
    assert!(!cache.is_gone(&entry.id));
    assert_eq!(entry.state().record.as_ref().unwrap().version, Version("12".to_owned()));
}

#[test]
fn of_two_studies_of_one_name_the_older_one_is_gone() {
    for newest_first in [false, true] {
        let (cache, old) = cache();
        if newest_first {
            cache.miss_study(&old.id);
        }
        cache.take_study(study("two", 50), 1);
        // A watch that lags, or repeats itself.
        cache.take_study(study("one", 12), 1);
        assert!(old.state().record.is_none());
        assert_eq!(cache.is_gone(&old.id), !newest_first);
        let new = cache.study(NAMESPACE, "s").unwrap();
        assert_eq!(new.id.uid, "two");
        assert!(new.state().record.is_some());
    }
}

#[test]
fn an_answer_that_comes_late_brings_nothing_back() {
    let (cache, entry) = cache();
    let DeserializeGuard(Ok(object)) = study("one", 12) else {
        panic!()
    };
    cache.drop_study(&object.metadata);
    cache.answered_study(object);
    assert!(entry.state().record.is_none());
    let DeserializeGuard(Ok(one)) = trial(1, 13, "Running", 1) else {
        panic!()
    };
    cache.drop_trial(&DeserializeGuard(Ok(one.clone())));
    cache.answered_trial(one);
    assert!(entry.state().snapshot.trials.is_empty());
    assert!(cache.forget(&entry));
    // The answer to the write that takes the last finalizer away is the end of it.
    cache.take_trial(trial(2, 14, "Stopped", 1), 1);
    let entry = cache.entries().pop().unwrap();
    assert_eq!(entry.state().snapshot.trials.len(), 1);
    let DeserializeGuard(Ok(mut two)) = trial(2, 15, "Stopped", 1) else {
        panic!()
    };
    two.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(
        Timestamp::UNIX_EPOCH,
    ));
    cache.answered_trial(two);
    assert!(entry.state().snapshot.trials.is_empty());
}

#[test]
fn what_was_deleted_is_not_brought_back_by_news_that_come_late() {
    let (cache, entry) = cache();
    cache.drop_trial(&trial(1, 20, "Running", 1));
    cache.take_trial(trial(1, 19, "Running", 1), 2);
    assert!(entry.state().snapshot.trials.is_empty());
    assert_eq!(entry.state().snapshot.last_number(), 1, "its number stays used");
    let DeserializeGuard(Ok(object)) = study("one", 21) else {
        panic!()
    };
    cache.drop_study(&object.metadata);
    cache.take_study(study("one", 20), 2);
    assert!(entry.state().record.is_none());
}

#[test]
fn a_trial_that_a_list_from_an_old_state_lacks_is_missed() {
    let (cache, entry) = cache();
    cache.take_trial(trial(1, 10, "Running", 1), 1);
    cache.take_trial(trial(2, 20, "Running", 1), 1);
    let is_complete = || entry.state().snapshot.is_complete();
    assert!(is_complete());
    let epoch = cache.begin_listing() + 1;
    cache.take_trial(trial(1, 11, "Running", 1), epoch);
    cache.trials_listed(None, epoch);
    // The study's status need not know of it yet: another one must not take its place.
    assert!(!is_complete());
    cache.answered_trial(trial(2, 20, "Running", 1).0.unwrap());
    assert!(is_complete());
    // What an event says is gone is gone.
    cache.drop_trial(&trial(2, 21, "Running", 1));
    assert!(is_complete());
    // Nor does a later one take the place of one that is missed.
    cache.take_trial(trial(3, 22, "Running", 1), epoch);
    cache.trials_listed(None, epoch + 1);
    cache.answered_trial(trial(3, 22, "Running", 1).0.unwrap());
    assert_eq!(entry.state().snapshot.unseen().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_trial_that_is_not_there_is_not_brought_back_by_news_that_come_late() {
    let (cache, entry) = cache();
    cache.take_trial(trial(1, 10, "Failed", 1), 1);
    let uid = entry.state().trial_record(1).unwrap().uid.clone();
    cache.lost_trial(&entry.id, 1, "another");
    assert!(entry.state().trial_record(1).is_some());
    cache.lost_trial(&entry.id, 1, &uid);
    cache.take_trial(trial(1, 9, "Running", 1), 1);
    assert!(entry.state().trial_record(1).is_none() && entry.state().snapshot.is_complete());
}

#[test]
fn a_trial_of_which_no_event_came_is_missed_when_a_later_one_shows() {
    let (cache, entry) = cache();
    cache.take_trial(trial(1, 10, "Running", 1), 1);
    cache.take_trial(trial(3, 12, "Running", 1), 1);
    assert_eq!(entry.state().snapshot.unseen().collect::<Vec<_>>(), [2]);
    cache.answered_trial(trial(2, 11, "Running", 1).0.unwrap());
    assert!(entry.state().snapshot.is_complete());
    // The study itself shows only after them.
    let (cache, mut news) = Cache::new();
    for number in [1, 4] {
        cache.take_trial(trial(number, 10, "Running", 1), 1);
    }
    cache.take_study(study("one", 11), 1);
    let entry = news.try_recv().unwrap();
    assert_eq!(entry.state().snapshot.unseen().collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn a_study_that_a_list_from_an_old_state_lacks_is_taken_when_it_shows() {
    let (cache, entry) = cache();
    let epoch = cache.begin_listing();
    // From before its last change: it was listed all the same.
    cache.take_study(study("one", 5), epoch);
    cache.studies_listed(None, epoch);
    assert!(entry.state().record.is_some());
    // From before it was created.
    let epoch = cache.begin_listing();
    cache.studies_listed(None, epoch);
    assert!(entry.state().record.is_none());
    cache.take_study(study("one", 11), epoch);
    assert!(cache.study(NAMESPACE, "s").unwrap().state().record.is_some());
}

#[tokio::test(start_paused = true)]
async fn only_an_answer_confirms_a_trial_and_not_for_long() {
    let (cache, entry) = cache();
    let is_confirmed = || entry.state().trial_record(1).unwrap().is_fresh();
    cache.take_trial(trial(1, 20, "Running", 1), 1);
    assert!(!is_confirmed());
    let DeserializeGuard(Ok(answer)) = trial(1, 20, "Running", 1) else {
        panic!()
    };
    cache.answered_trial(answer);
    assert!(is_confirmed());
    cache.take_trial(trial(1, 21, "Running", 1), 1);
    assert!(is_confirmed());
    tokio::time::advance(std::time::Duration::from_secs(2)).await;
    assert!(!is_confirmed());
}

#[test]
fn an_attempt_whose_workflow_came_and_went_before_its_record_is_not_begun_again() {
    let (cache, entry) = cache();
    cache.take_trial(trial(1, 30, "Pending", 1), 1);
    let seen = workflow("s-1-2", 31, "trial-1", &json!({}));
    cache.take_workflow(&seen, 1);
    cache.drop_workflow(&seen);
    let second = Some(Run {
        attempt: 2,
        state: RunState::Active,
    });
    assert_eq!(run(&entry), second);
    // Once that is recorded, it is looked for.
    cache.take_trial(trial(1, 32, "Running", 2), 1);
    assert_eq!(entry.state().looks(), [(1, 2, Look::Missing)]);
}

#[test]
fn as_many_start_at_a_time_as_may_run() {
    let (cache, entry) = cache();
    cache.take_trial(trial(2, 20, "Pending", 0), 1);
    cache.take_trial(trial(3, 21, "Pending", 0), 1);
    let record = entry.state().record.clone().unwrap();
    let begins = |number, parallelism| {
        let spec = StudySpec {
            parallelism,
            ..record.spec.clone().unwrap()
        };
        let study = Study::compile(record.identity.clone(), spec, &[]).unwrap();
        let step = Step {
            action: Action::Start { number, attempt: 1 },
            requires: vec![Requirement::Room(number)],
        };
        entry.state().begins(number, &study, &step)
    };
    assert!(!begins(2, 1), "1 runs");
    assert!(begins(2, 2));
    assert!(!begins(3, 2), "1 runs, 2 is being started");
    entry.state().started(2);
    assert!(begins(3, 2));
}

#[test]
fn a_study_is_announced_once_there_is_something_to_be_seen() {
    let (cache, mut news) = Cache::new();
    cache.take_study(study("one", 1), 1);
    let entry = news.try_recv().unwrap();
    assert!(entry.state().record.is_some());
    assert!(!cache.forget(&entry));
    let DeserializeGuard(Ok(object)) = study("one", 2) else {
        panic!()
    };
    cache.drop_study(&object.metadata);
    assert!(cache.forget(&entry));
    // What comes afterwards is announced anew.
    cache.take_trial(trial(1, 3, "Running", 1), 1);
    assert!(!Arc::ptr_eq(&entry, &news.try_recv().unwrap()));
}

#[test]
fn what_cannot_be_read_is_known_by_its_name_and_keeps_its_status() {
    let (cache, entry) = cache();
    entry.state().snapshot.status.last_number = 7;
    let DeserializeGuard(Ok(object)) = study("one", 12) else {
        panic!()
    };
    let invalid = kube::core::error_boundary::InvalidObject {
        error: "spec.parallelism: not a number".to_owned(),
        metadata: object.metadata,
    };
    cache.take_study(DeserializeGuard(Err(invalid)), 1);
    let state = entry.state();
    assert_eq!(state.snapshot.status.last_number, 7);
    assert!(state.record.as_ref().unwrap().spec.is_err());
}

#[test]
fn what_only_says_that_it_is_a_studys_is_not() {
    let (cache, entry) = cache();
    let rename = |namespace: &str, study: &str| {
        let DeserializeGuard(Ok(mut object)) = trial(2, 20, "Succeeded", 1) else {
            panic!()
        };
        object.metadata.namespace = Some(namespace.to_owned());
        object.metadata.name = Some(format!("{study}-2"));
        study.clone_into(&mut object.spec.study_ref.name);
        DeserializeGuard(Ok(object))
    };
    cache.take_trial(rename("elsewhere", "s"), 1);
    cache.take_trial(rename(NAMESPACE, "other"), 1);
    assert_eq!(entry.state().snapshot.trials.len(), 1);
    let mut foreign = workflow("s-1-1", 20, "trial-1", &ended("Failed"));
    foreign.namespace = Some("elsewhere".to_owned());
    cache.take_workflow(&foreign, 1);
    assert_eq!(run(&entry), None);
    cache.take_trial(rename(NAMESPACE, "s"), 1);
    assert_eq!(entry.state().snapshot.trials.len(), 2);
}

#[test]
fn a_trial_that_outlives_its_study_is_let_go_when_it_is_deleted() {
    let (cache, entry) = cache();
    let left = |deleted: bool| {
        let DeserializeGuard(Ok(mut object)) = trial(1, if deleted { 31 } else { 30 }, "Succeeded", 1) else {
            panic!()
        };
        object.metadata.owner_references = None;
        object.metadata.labels = Some([(STUDY_UID_LABEL.to_owned(), "one".to_owned())].into());
        object.metadata.finalizers = Some(vec![TRIAL_FINALIZER.to_owned()]);
        if deleted {
            object.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        }
        DeserializeGuard(Ok(object))
    };
    let DeserializeGuard(Ok(object)) = study("one", 29) else {
        panic!()
    };
    cache.drop_study(&object.metadata);
    cache.take_trial(left(false), 1);
    assert!(cache.forget(&entry), "nothing of the study is left to be attended to");
    cache.take_trial(left(true), 1);
    let entries = cache.entries();
    let deleted = entries[0].state().deleted_trials();
    assert_eq!(deleted, [1]);
}

#[test]
fn a_workflow_that_waits_for_its_turn_does_not_run_yet() {
    let (cache, entry) = cache();
    let at = |second: i64| Timestamp::from_second(second).unwrap();
    let since = || entry.state().snapshot.trial(1).unwrap().run_since;
    let phase = |phase: &str| json!({"workflows.argoproj.io/phase": phase, "workflows.argoproj.io/completed": "false"});
    cache.take_workflow(&workflow("s-1-1", 20, "trial-1", &phase("Pending")), 1);
    entry.state().note_running(at(10));
    assert_eq!(since(), None);
    cache.take_workflow(&workflow("s-1-1", 21, "trial-1", &phase("Running")), 1);
    entry.state().note_running(at(20));
    assert_eq!(since(), Some(at(20)));
    cache.take_workflow(&workflow("s-1-1", 22, "trial-1", &phase("Running")), 1);
    entry.state().note_running(at(30));
    assert_eq!(since(), Some(at(20)));
}
