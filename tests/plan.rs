//! The plan's properties, on simulated worlds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)]
#[path = "plan/earlier.rs"]
mod earlier;
#[path = "support/world.rs"]
mod world;

use hyperstudy::{
    api::{Shutdown, StudyPhase, TrialPhase},
    metrics::MetricsError,
    study::{Action, Failure, Folder, Plan, Requirement, Run, RunState, Snapshot, Step},
};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use world::World;

/// A spec with everything that decides about the course of a study.
fn spec() -> impl Strategy<Value = Value> {
    (without_history(), any::<bool>()).prop_map(|(mut spec, has_history)| {
        if has_history {
            spec["history"] = json!({"from": ["s3://bucket/runs/earlier"]});
        }
        spec
    })
}

fn without_history() -> impl Strategy<Value = Value> {
    let sampler = prop_oneof![
        Just(json!({"random": {}})),
        Just(json!({"grid": {"pointsPerParameter": 3}})),
        Just(json!({"sobol": {}})),
        Just(json!({"list": [{"x": 1.0, "n": 1}, {"x": 2.0, "n": 2}, {"x": 2.0, "n": 2}]})),
        Just(
            json!({"chain": [{"sampler": {"grid": {"pointsPerParameter": 2}}, "trials": 3}, {"sampler": {"random": {}}}]})
        ),
    ];
    let storage = prop_oneof![
        Just(json!({"strategy": "Keep"})),
        Just(json!({"strategy": "Delete"})),
        (1..4_u32).prop_map(|k| json!({"strategy": "Best", "keepTop": k})),
    ];
    let budget = (
        1..30_u32,
        proptest::option::weighted(0.3, 1..6_u32),
        proptest::option::weighted(0.2, 10..300_u32),
    );
    let objective = (any::<bool>(), proptest::option::weighted(0.2, 0.0..1.0));
    (sampler, storage, budget, objective, 1..6_u32, 0..3_u32, any::<bool>()).prop_map(
        |(sampler, mut storage, (trials, failed, seconds), (minimize, target), parallelism, retries, finite)| {
            storage["outputPath"] = json!("s3://b/runs");
            let x = if finite {
                json!({"min": 0, "max": 3, "step": 1})
            } else {
                json!({"min": 0, "max": 3})
            };
            let mut spec = json!({
                "objectives": [{"metric": "loss", "goal": if minimize { "Minimize" } else { "Maximize" }}],
                "parameters": [{"name": "x", "double": x}, {"name": "n", "int": {"min": 0, "max": 3}}],
                "algorithm": {"sampler": sampler, "seed": 7},
                "parallelism": parallelism,
                "budget": {"trials": trials},
                "retries": {"limit": retries},
                "storage": storage,
            });
            if let Some(failed) = failed {
                spec["budget"]["failedTrials"] = json!(failed);
            }
            if let Some(seconds) = seconds {
                spec["budget"]["duration"] = json!(format!("{seconds}s"));
            }
            if let Some(target) = target {
                spec["objectives"][0]["target"] = json!(target);
            }
            spec
        },
    )
}

/// What a random course of events does next.
fn disturb(world: &mut World, rng: &mut ChaCha8Rng) {
    match rng.random_range(0..40_u32) {
        0 => world.update(|s| s.suspend = !s.suspend),
        1 => world.update(|s| s.parallelism = 1 + s.parallelism % 5),
        2 => world.update(|s| s.retries.limit = 2 - s.retries.limit.min(2)),
        3 => world.update(|s| s.budget.trials = s.budget.trials.map(|n| n + 1)),
        4 if world.snapshot.trials.len() > 5 => world.update(|s| s.shutdown = s.shutdown.or(Some(Shutdown::Stop))),
        5 if world.snapshot.trials.len() > 8 => world.update(|s| s.shutdown = Some(Shutdown::Terminate)),
        6 => {
            if let Some(trial) = world.snapshot.trials.last_mut() {
                trial.stop = true;
            }
        }
        7 => {
            if let Some(trial) = world.snapshot.trials.first_mut() {
                trial.deleting = true;
            }
        }
        8 => {
            let name = format!("r{}", rng.random::<u32>());
            world.request(&name, &json!({"x": rng.random_range(0..5_u32), "n": 1}));
        }
        9 => {
            let keep = rng.random_range(1..4_u32);
            world.update(|s| {
                if s.storage.strategy == hyperstudy::api::Strategy::Best {
                    s.storage.keep_top = keep;
                }
            });
        }
        _ => {}
    }
}

/// Parts of the world as a lagging cache shows them: each part from now or from an earlier moment.
fn mixed(old: &Snapshot, new: &Snapshot, rng: &mut ChaCha8Rng) -> Snapshot {
    let mut view = new.clone();
    if rng.random::<bool>() {
        view.status = old.status.clone();
    }
    if rng.random::<bool>() {
        view.requests = old.requests.clone();
    }
    if rng.random::<bool>() {
        view.trials.retain(|t| old.trial(t.number).is_some());
    }
    for trial in &mut view.trials {
        if let Some(before) = old.trial(trial.number) {
            match rng.random_range(0..4_u32) {
                0 => *trial = before.clone(),
                1 => trial.run = before.run.clone(),
                2 => trial.status = before.status.clone(),
                _ => {}
            }
        }
    }
    view
}

/// Runs a study to its end with everything that can come between: steps left undone, plans made on old views, changed specs.
fn disturbed(world: &mut World, seed: u64, calm_after: usize, stale: bool) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut views: Vec<Snapshot> = Vec::new();
    for round in 0..20_000 {
        let plan = world.plan();
        assert_eq!(plan, world.plan(), "the same snapshot and time give the same plan");
        let is_calm = round > calm_after;
        if is_calm && world.study.spec.suspend {
            world.update(|s| s.suspend = false);
            continue;
        }
        if stale && views.len() > 3 {
            let old = &views[rng.random_range(0..views.len())];
            let view = mixed(old, &world.snapshot, &mut rng);
            let old_plan = hyperstudy::study::plan(&world.study, &view, world.now);
            world.apply(&old_plan, usize::MAX);
            let older_plan = hyperstudy::study::plan(&world.study, old, world.now);
            world.apply(&older_plan, usize::MAX);
        }
        let plan = world.plan();
        let most = if is_calm { usize::MAX } else { rng.random_range(0..4) };
        if rng.random_range(0..3_u32) > 0 || is_calm {
            world.snapshot.status = plan.status.clone();
        }
        let applied = world.apply(&plan, most);
        if stale && views.len() < 50 {
            views.push(world.snapshot.clone());
        }
        let active = world.active();
        if !active.is_empty() && (is_calm || rng.random_range(0..3_u32) == 0) {
            world.end(active[rng.random_range(0..active.len())]);
        }
        if !is_calm {
            disturb(world, &mut rng);
            world.pass(rng.random_range(0..3));
        } else if applied == 0 && active.is_empty() {
            if world.is_over() {
                world.settle();
                return;
            }
            if let Some(at) = world.plan().again_at {
                world.now = at;
            }
        }
    }
    panic!(
        "the study never ends: {:#?} {:#?} {:?}",
        world.snapshot,
        world.plan(),
        world.now
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_study_ends_whatever_happens(spec in spec(), seed: u64, trouble in 0..60_u32) {
        let mut world = World::new(&spec, seed, trouble);
        disturbed(&mut world, seed, 200, false);
        prop_assert!(world.active().is_empty());
        let status = &world.snapshot.status;
        prop_assert_eq!(status.phase == StudyPhase::Succeeded || status.phase == StudyPhase::Failed, true);
        prop_assert!(world.snapshot.written.is_some());
    }

    #[test]
    fn plans_made_on_old_and_mixed_views_do_no_harm(spec in spec(), seed: u64, trouble in 0..60_u32) {
        let mut world = World::new(&spec, seed, trouble);
        disturbed(&mut world, seed, 120, true);
    }

    #[test]
    fn a_study_interrupted_anywhere_ends_as_an_undisturbed_one(mut spec in spec(), seed: u64, trouble in 0..60_u32) {
        // With one trial at a time nothing depends on which ends first; time is not the same, so it must not matter.
        spec["parallelism"] = json!(1);
        spec["budget"].as_object_mut().unwrap().remove("duration");
        let mut calm = World::new(&spec, seed, trouble);
        calm.run();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut world = World::new(&spec, seed, trouble);
        for _ in 0..20_000 {
            let plan = world.plan();
            let most = rng.random_range(0..3);
            // The status is written before the steps, after them, or lost with the program.
            if rng.random::<bool>() {
                world.snapshot.status = plan.status.clone();
            }
            world.apply(&plan, most);
            if let (Some(number), true) = (world.active().first(), rng.random::<bool>()) {
                world.end(*number);
            }
            world.pass(1);
            if world.is_over() {
                break;
            }
        }
        world.settle();
        prop_assert_eq!(world.outcome(), calm.outcome());
        prop_assert_eq!(&world.folders, &calm.folders);
        let (a, b) = (&world.snapshot.status, &calm.snapshot.status);
        prop_assert_eq!((a.phase, a.trials, &a.best, &a.top), (b.phase, b.trials, &b.best, &b.top));
    }

    #[test]
    fn the_same_trials_whatever_ends_first(mut spec in spec(), seed: u64) {
        spec["budget"].as_object_mut().unwrap().remove("duration");
        spec["budget"].as_object_mut().unwrap().remove("failedTrials");
        spec["objectives"][0].as_object_mut().unwrap().remove("target");
        let mut calm = World::new(&spec, seed, 0);
        calm.run();
        let mut world = World::new(&spec, seed, 0);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        while !world.is_over() {
            world.settle();
            let active = world.active();
            if !active.is_empty() {
                world.end(active[rng.random_range(0..active.len())]);
            }
        }
        prop_assert_eq!(world.outcome(), calm.outcome());
        prop_assert_eq!(world.folders, calm.folders);
    }
}

fn base() -> Value {
    json!({
        "objectives": [{"metric": "loss", "goal": "Minimize"}],
        "parameters": [{"name": "x", "double": {"min": 0, "max": 1}}],
        "algorithm": {"sampler": {"random": {}}, "seed": 1},
        "budget": {"trials": 10},
        "storage": {"outputPath": "s3://b/runs"},
    })
}

fn with(changes: Value) -> Value {
    let mut spec = base();
    for (key, value) in changes.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

fn condition<'a>(world: &'a World, kind: &str) -> (&'a str, &'a str) {
    let condition = world
        .snapshot
        .status
        .conditions
        .iter()
        .find(|c| c.type_ == kind)
        .unwrap();
    (&condition.status, &condition.reason)
}

#[test]
fn budget_of_trials_ends_it_and_a_raised_one_goes_on() {
    let mut world = World::new(&base(), 3, 0);
    world.run();
    let status = world.snapshot.status.clone();
    assert_eq!(
        (status.phase, status.trials.succeeded, status.last_number),
        (StudyPhase::Succeeded, 10, 10)
    );
    assert_eq!(condition(&world, "Complete"), ("True", "TrialsUsed"));
    assert!(status.completion_time.is_some());

    world.pass(1000);
    world.update(|s| s.budget.trials = Some(12));
    world.settle();
    assert_eq!(world.snapshot.status.phase, StudyPhase::Running);
    assert_eq!(world.snapshot.status.completion_time, None);
    world.run();
    assert_eq!(world.snapshot.status.trials.succeeded, 12);
}

#[test]
fn a_study_opened_again_is_over_only_with_its_new_results_even_if_its_status_missed_the_time_between() {
    let mut world = World::new(&base(), 3, 0);
    world.run();
    let (first, results) = (world.snapshot.status.clone(), world.results);
    world.pass(1000);
    world.update(|s| s.budget.trials = Some(12));
    loop {
        // The status is not written meanwhile: a writer takes its time.
        let plan = world.plan();
        if plan.status.phase.is_finished() {
            world.snapshot.status = plan.status;
            break;
        }
        if world.apply(&plan, usize::MAX) == 0 {
            match world.active().first() {
                Some(number) => world.end(*number),
                None => world.now = plan.again_at.unwrap(),
            }
        }
    }
    let last = &world.snapshot.status;
    assert_eq!((last.trials.succeeded, last.phase), (12, StudyPhase::Succeeded));
    assert!(world.results > results, "its results were written again");
    assert!(last.completion_time > first.completion_time);
}

#[test]
fn time_suspended_or_finished_is_not_counted() {
    let mut world = World::new(&with(json!({"budget": {"trials": 3, "duration": "100s"}})), 3, 0);
    world.settle();
    assert_eq!(world.active(), [1]);
    world.pass(60);
    world.update(|s| s.suspend = true);
    world.settle();
    assert_eq!(world.active(), [1], "what runs goes on");
    world.end(1);
    world.settle();
    assert!(world.active().is_empty());
    assert_eq!(world.snapshot.status.phase, StudyPhase::Suspended);
    assert_eq!(condition(&world, "Suspended").0, "True");
    world.pass(10_000);
    world.settle();
    world.update(|s| s.suspend = false);
    world.settle();
    assert_eq!(world.active(), [2]);
    let resumed = world.now;
    while world.active() == [2] {
        world.now = world.plan().again_at.unwrap();
        world.settle();
    }
    assert_eq!(world.now.duration_since(resumed).as_secs(), 40);
    assert_eq!(world.snapshot.status.phase, StudyPhase::Succeeded);
    assert_eq!(world.snapshot.trial(2).unwrap().status.phase, TrialPhase::Stopped);
    assert_eq!(
        world.snapshot.trial(2).unwrap().status.reason.as_deref(),
        Some("DurationOver")
    );
    assert_eq!(condition(&world, "Complete"), ("True", "DurationOver"));
}

#[test]
fn a_target_stops_what_runs() {
    let objectives = json!([{"metric": "loss", "goal": "Maximize", "target": 0.0}]);
    let mut world = World::new(&with(json!({"objectives": objectives, "parallelism": 3})), 3, 0);
    world.settle();
    world.end(2);
    world.settle();
    let status = &world.snapshot.status;
    assert_eq!(
        (status.phase, status.trials.succeeded, status.trials.stopped),
        (StudyPhase::Succeeded, 1, 2)
    );
    assert_eq!(condition(&world, "Complete"), ("True", "TargetReached"));
}

#[test]
fn too_many_failures_fail_the_study_and_retries_come_first() {
    let mut world = World::new(
        &with(json!({"budget": {"trials": 50, "failedTrials": 2}, "retries": {"limit": 1}})),
        5,
        100,
    );
    world.run();
    assert_eq!(world.snapshot.status.phase, StudyPhase::Failed);
    assert_eq!(condition(&world, "Failed"), ("True", "TooManyFailedTrials"));
    assert_eq!(world.snapshot.status.trials.failed, 2);
}

#[test]
fn no_successful_trial_fails_the_study() {
    let mut spec = with(json!({"budget": {"trials": 1}}));
    spec["objectives"][0]["metric"] = json!("other");
    let mut world = World::new(&spec, 3, 0);
    world.run();
    assert_eq!(condition(&world, "Failed"), ("True", "NoSuccessfulTrial"));
    assert_eq!(
        world.snapshot.trial(1).unwrap().status.reason.as_deref(),
        Some("MetricMissing")
    );
}

#[test]
fn shutdown_stop_lets_finish_and_terminate_does_not() {
    let mut world = World::new(&with(json!({"parallelism": 2})), 3, 0);
    world.settle();
    world.end(1);
    world.update(|s| s.shutdown = Some(Shutdown::Stop));
    world.settle();
    assert_eq!(world.active(), [2]);
    assert_eq!(world.snapshot.status.phase, StudyPhase::Running);
    world.update(|s| s.shutdown = Some(Shutdown::Terminate));
    world.settle();
    assert_eq!(world.snapshot.status.phase, StudyPhase::Succeeded);
    assert_eq!(world.snapshot.trial(2).unwrap().status.phase, TrialPhase::Stopped);
}

#[test]
fn requests_go_first_in_their_order_and_count() {
    let mut world = World::new(&with(json!({"budget": {"trials": 3}, "parallelism": 2})), 3, 0);
    world.request("b", &json!({"x": 0.5}));
    world.request("a", &json!({"x": 0.25}));
    world.request("bad", &json!({"x": 7}));
    world.settle();
    let x = |n| world.snapshot.trial(n).unwrap().parameters["x"].clone();
    assert_eq!((x(1), x(2)), (json!(0.5), json!(0.25)));
    assert_eq!(world.rejected, ["OutsideSpace"]);
    assert!(world.snapshot.requests.is_empty());
    world.run();
    assert_eq!(world.snapshot.status.trials.total, 3);
    world.request("late", &json!({"x": 0.5}));
    world.settle();
    assert_eq!(world.rejected, ["OutsideSpace", "StudyFinished"]);
}

#[test]
fn a_stopped_trial_ends_alone_and_a_deleted_ones_number_stays_used() {
    let mut world = World::new(&with(json!({"budget": {"trials": 4}, "parallelism": 2})), 3, 0);
    world.settle();
    world.snapshot.trials[0].stop = true;
    world.snapshot.trials[1].deleting = true;
    world.settle();
    assert_eq!(
        world.snapshot.trial(1).unwrap().status.reason.as_deref(),
        Some("StoppedByUser")
    );
    assert!(world.snapshot.trial(2).is_none());
    assert_eq!(world.active(), [3, 4]);
    world.run();
    assert_eq!(world.snapshot.status.trials.total, 4);
}

#[test]
fn a_waiting_trial_is_recorded_as_ended_only_if_its_next_attempt_has_not_begun() {
    let mut world = World::new(&with(json!({"budget": {"trials": 2}, "parallelism": 1})), 3, 0);
    world.settle();
    let trial = &mut world.snapshot.trials[0];
    (trial.stop, trial.run, trial.status.phase, trial.status.attempt) = (true, None, TrialPhase::Pending, 1);
    let plan = world.plan();
    let records = |step: &&Step| matches!(&step.action, Action::Record { number: 1, .. });
    let step = plan.steps.iter().find(records).unwrap();
    assert!(step.requires.contains(&Requirement::NoRun { number: 1, attempt: 2 }));
    assert!(step.is_due(&world.study, &world.snapshot));
    world.snapshot.trials[0].run = Some(Run {
        attempt: 2,
        state: RunState::Active,
    });
    assert!(!step.is_due(&world.study, &world.snapshot));
}

#[test]
fn a_trial_that_was_stopped_before_it_wrote_anything_is_stopped_whatever_argo_calls_it() {
    for (stop, expected) in [(true, TrialPhase::Stopped), (false, TrialPhase::Failed)] {
        let mut world = World::new(&with(json!({"budget": {"trials": 2}, "parallelism": 1})), 3, 0);
        world.settle();
        let trial = &mut world.snapshot.trials[0];
        (trial.stop, trial.status.phase, trial.status.attempt) = (stop, TrialPhase::Running, 1);
        trial.run = Some(Run {
            attempt: 1,
            state: RunState::Succeeded,
        });
        trial.metrics = Some(Err(MetricsError::MetricsMissing("metrics.json".to_owned())));
        let plan = world.plan();
        let recorded = plan.steps.iter().find_map(|step| match &step.action {
            Action::Record { number: 1, status } => Some(status.phase),
            _ => None,
        });
        assert_eq!(recorded, Some(expected));
    }
}

#[test]
fn a_study_that_cannot_start_in_time_fails() {
    let mut world = World::new(&with(json!({"startDeadline": "10m"})), 3, 0);
    world.snapshot.obstacle = Some(("TemplateNotFound".into(), "there is no WorkflowTemplate ffnn".into()));
    world.settle();
    assert_eq!(condition(&world, "Ready"), ("False", "TemplateNotFound"));
    assert_eq!(world.snapshot.status.phase, StudyPhase::Pending);
    world.now = world.plan().again_at.unwrap();
    world.settle();
    assert_eq!(world.snapshot.status.phase, StudyPhase::Failed);
    assert_eq!(condition(&world, "Failed"), ("True", "StartDeadlineExceeded"));
}

#[test]
fn storage_that_fails_for_long_degrades_a_study_and_is_tried_on() {
    let mut world = World::new(
        &with(json!({"budget": {"trials": 1}, "storage": {"outputPath": "s3://b/r", "strategy": "Delete"}})),
        3,
        0,
    );
    world.settle();
    world.end(1);
    // Its metrics are read and recorded; then storage fails.
    for _ in 0..2 {
        let plan = world.plan();
        world.snapshot.status = plan.status.clone();
        world.apply(&plan, 1);
    }
    assert!(world.snapshot.trial(1).unwrap().is_finished());
    world.snapshot.storage.failing_since = Some(world.now);
    world.snapshot.storage.retry_at = Some(world.now + jiff::SignedDuration::from_secs(10));
    world.settle();
    assert_eq!(world.snapshot.status.phase, StudyPhase::Running);
    assert_eq!(condition(&world, "Ready"), ("False", "StorageUnavailable"));
    assert!(world.folders.contains(&1));
    world.pass(601);
    world.snapshot.storage.retry_at = Some(world.now + jiff::SignedDuration::from_secs(10));
    world.settle();
    assert_eq!(world.snapshot.status.phase, StudyPhase::Succeeded);
    assert_eq!(condition(&world, "StorageDegraded").0, "True");
    world.snapshot.storage = Default::default();
    world.settle();
    assert!(world.folders.is_empty());
    assert_eq!(condition(&world, "StorageDegraded").0, "False");
    assert_eq!(condition(&world, "Ready"), ("True", "Ready"));
    assert_eq!(world.snapshot.status.phase, StudyPhase::Succeeded);
}

#[test]
fn the_best_keep_their_folders_and_ties_go_to_the_lower_number() {
    let mut spec = with(
        json!({"budget": {"trials": 12}, "storage": {"outputPath": "s3://b/r", "strategy": "Best", "keepTop": 2}}),
    );
    // Every trial gives the same value.
    spec["objectives"][0] = json!({"value": "metrics.loss * 0.0", "goal": "Maximize"});
    let mut world = World::new(&spec, 3, 0);
    world.run();
    assert_eq!(world.folders.iter().copied().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(world.snapshot.status.best.as_ref().unwrap().number, 1);
}

#[test]
fn a_best_trial_that_is_being_deleted_surpasses_nothing() {
    let storage = json!({"outputPath": "s3://b/r", "strategy": "Best"});
    let mut world = World::new(
        &with(json!({"budget": {"trials": 2}, "parallelism": 2, "storage": storage})),
        3,
        0,
    );
    world.settle();
    world.end(1);
    world.end(2);
    while !world.snapshot.trials.iter().all(hyperstudy::study::Trial::is_finished) {
        let plan = world.plan();
        let records: Vec<_> = plan.steps.iter().map(|s| s.action.clone()).collect();
        assert!(
            !records.iter().any(|a| matches!(a, Action::DeleteFolder { .. })),
            "{records:?}"
        );
        world.apply(&plan, usize::MAX);
    }
    let deletes = |world: &World| {
        let steps = world.plan().steps.into_iter();
        steps
            .filter(|s| matches!(s.action, Action::DeleteFolder { .. }))
            .collect::<Vec<_>>()
    };
    let made = deletes(&world);
    let [step] = made.as_slice() else { panic!("{made:?}") };
    assert!(step.is_due(&world.study, &world.snapshot));
    let Action::DeleteFolder { number: worse } = step.action else {
        panic!()
    };
    let best = world.snapshot.trials.iter_mut().find(|t| t.number != worse).unwrap();
    best.deleting = true;
    // Neither the step that was planned before, nor a new one.
    assert!(!step.is_due(&world.study, &world.snapshot));
    assert!(!deletes(&world).iter().any(|s| s.action == step.action));
}

#[test]
fn a_trial_that_was_created_waits_where_fewer_may_run_meanwhile() {
    let mut world = World::new(&with(json!({"budget": {"trials": 3}, "parallelism": 2})), 3, 0);
    let plan = world.plan();
    world.apply(&plan, usize::MAX);
    // Both are created, one is started: then the program ends, and a person changes the study.
    loop {
        let plan = world.plan();
        if plan.steps.iter().any(|s| matches!(s.action, Action::Start { .. })) {
            break;
        }
        assert!(world.apply(&plan, 1) > 0);
    }
    let starts = |world: &World| -> Vec<u32> {
        let steps = world.plan().steps.into_iter().map(|s| s.action);
        steps
            .filter_map(|a| match a {
                Action::Start { number, .. } => Some(number),
                _ => None,
            })
            .collect()
    };
    let plan = world.plan();
    let [first, second] = [1, 2].map(|number| {
        let is_start =
            |s: &&hyperstudy::study::Step| matches!(s.action, Action::Start { number: n, .. } if n == number);
        plan.steps.iter().find(is_start).cloned().unwrap()
    });
    world.update(|s| s.parallelism = 1);
    assert_eq!(starts(&world), [1]);
    assert!(
        !first.is_due(&world.study, &world.snapshot),
        "it was planned for another spec"
    );
    let plan = world.plan();
    world.apply(&plan, usize::MAX);
    assert_eq!((world.active(), starts(&world)), (vec![1], vec![]));
    drop(second);
    world.run();
    assert_eq!(world.snapshot.status.trials.succeeded, 3);
}

#[test]
fn the_report_is_written_less_often_than_the_tables_and_never_left_behind() {
    let mut world = World::new(&with(json!({"budget": {"trials": 9}, "parallelism": 1})), 3, 0);
    let writes = |plan: &Plan| -> Option<bool> {
        plan.steps.iter().find_map(|s| match s.action {
            Action::WriteResults { report, .. } => Some(report),
            _ => None,
        })
    };
    let mut seen = Vec::new();
    for _ in 0..8 {
        // A trial every 11 seconds.
        loop {
            let plan = world.plan();
            seen.extend(writes(&plan));
            if world.apply(&plan, usize::MAX) == 0 {
                break;
            }
        }
        let number = world.active()[0];
        world.end(number);
        world.pass(11);
    }
    let reports = seen.iter().filter(|report| **report).count();
    assert!(seen.len() >= 8, "{seen:?}");
    assert!(
        seen[0] && (2..=3).contains(&reports),
        "at once, and once a minute: {seen:?}"
    );
    // Where nothing more happens, what it lacks comes after the minute.
    loop {
        let plan = world.plan();
        if world.apply(&plan, usize::MAX) == 0 {
            break;
        }
    }
    assert_ne!(world.snapshot.reported, world.snapshot.written);
    let began = world.now;
    while world.snapshot.reported != world.snapshot.written {
        world.now = world.plan().again_at.unwrap();
        assert!(world.now.duration_since(began).as_secs() <= 60);
        let plan = world.plan();
        assert!(world.apply(&plan, usize::MAX) > 0);
    }
    world.run();
    assert_eq!(world.snapshot.reported, world.snapshot.written);
}

#[test]
fn a_metrics_file_that_is_not_there_is_looked_for_once_more() {
    let mut world = World::new(&with(json!({"budget": {"trials": 1}})), 3, 0);
    world.settle();
    world.end(1);
    let reads = |world: &World| {
        let steps = world.plan().steps.into_iter();
        steps.filter(|s| matches!(s.action, Action::ReadMetrics { .. })).count()
    };
    assert_eq!(reads(&world), 1);
    world.snapshot.trials[0].missed_at = Some(world.now);
    assert_eq!(reads(&world), 0);
    let due = world.plan().again_at.unwrap();
    assert_eq!(due.duration_since(world.now).as_secs(), 3);
    world.now = due;
    assert_eq!(reads(&world), 1);
}

#[test]
fn a_study_is_not_over_while_a_trial_that_it_has_is_not_in_view() {
    let mut world = World::new(&with(json!({"budget": {"trials": 3}})), 3, 0);
    world.run();
    assert_eq!(world.snapshot.status.phase, StudyPhase::Succeeded);
    // As another controller saw it just before: the last trial ran, and this one's view lacks it.
    world.snapshot.status.phase = StudyPhase::Running;
    let last = world.snapshot.trials.pop().unwrap();
    assert_eq!(world.plan().status.phase, StudyPhase::Running);
    assert_eq!(world.snapshot.unseen().collect::<Vec<_>>(), [3]);
    world.snapshot.trials.push(last);
    assert_eq!(world.plan().status.phase, StudyPhase::Succeeded);
}

#[test]
fn an_outcome_is_not_recorded_of_a_run_that_goes_on_meanwhile() {
    let mut world = World::new(&with(json!({"budget": {"trials": 1}, "retries": {"limit": 1}})), 3, 0);
    world.settle();
    world.snapshot.trials[0].run = Some(Run {
        attempt: 1,
        state: RunState::Failed(Failure::Failed, "exit code 1".to_owned()),
    });
    let plan = world.plan();
    let record = plan.steps.iter().find(|s| matches!(s.action, Action::Record { .. }));
    let record = record.unwrap();
    assert!(record.is_due(&world.study, &world.snapshot));
    world.snapshot.trials[0].run = Some(Run {
        attempt: 1,
        state: RunState::Active,
    });
    assert!(!record.is_due(&world.study, &world.snapshot));
}

#[test]
fn results_wait_for_a_trial_that_is_not_in_view() {
    let mut world = World::new(&with(json!({"budget": {"trials": 3}})), 3, 0);
    world.run();
    let writes = |world: &World| {
        let mut steps = world.plan().steps.into_iter();
        steps.any(|s| matches!(s.action, Action::WriteResults { .. }))
    };
    world.pass(60);
    let last = world.snapshot.trials.pop().unwrap();
    assert!(!writes(&world), "without it they would be others");
    // It is gone for good.
    world.snapshot.vanishes(3);
    assert!(writes(&world));
    world.snapshot.trials.push(last);
    assert!(!writes(&world), "they are as they should be");
}

#[test]
fn a_deleted_study_goes_with_its_folder_only_if_that_is_wanted() {
    for (policy, removed) in [("Retain", false), ("Delete", true)] {
        let storage = json!({"outputPath": "s3://b/r", "onDelete": policy});
        let mut world = World::new(&with(json!({"storage": storage, "parallelism": 2})), 3, 0);
        world.settle();
        world.study.deleting = true;
        let plan = world.plan();
        world.apply(&plan, 2);
        assert!(world.active().is_empty());
        for _ in 0..10 {
            let plan = world.plan();
            world.apply(&plan, 1);
        }
        assert_eq!((world.gone, world.study_folder_removed), (true, removed));
    }
}

#[test]
fn a_deleted_study_whose_trials_are_gone_waits_for_its_folder_all_the_same() {
    let storage = json!({"outputPath": "s3://b/r", "onDelete": "Delete"});
    let mut world = World::new(&with(json!({"storage": storage, "budget": {"trials": 2}})), 3, 0);
    world.run();
    world.snapshot.status = world.plan().status;
    world.study.deleting = true;
    let releases = |world: &World| world.plan().steps.iter().any(|s| s.action == Action::ReleaseStudy);
    // Somebody has deleted the trials, and the key with them; and a new program does not know yet whose the folder is.
    world.snapshot.trials.clear();
    world.snapshot.folder = Folder::Unclaimed;
    world.snapshot.obstacle = Some(("SecretNotFound".into(), "gone".into()));
    world.snapshot.vanished = 2;
    assert!(!releases(&world));
    // A trial that is not in view may run.
    world.snapshot.folder = Folder::Removed;
    assert!(releases(&world));
    world.snapshot.vanished = 1;
    assert!(!releases(&world));
}

#[test]
fn a_deleted_study_that_never_began_looks_for_its_mark_where_there_is_a_way_to_it() {
    let storage = json!({"outputPath": "s3://b/r", "onDelete": "Delete"});
    let mut world = World::new(&with(json!({"storage": storage})), 3, 0);
    world.study.deleting = true;
    world.snapshot.folder = Folder::Unclaimed;
    world.snapshot.obstacle = Some(("TemplateNotFound".into(), "gone".into()));
    let has = |world: &World, action| world.plan().steps.iter().any(|s| s.action == action);
    assert!(has(&world, Action::ClaimFolder) && !has(&world, Action::ReleaseStudy));
    // Nobody is kept waiting for a key that may never be there.
    world.snapshot.is_closed = true;
    assert!(!has(&world, Action::ClaimFolder) && has(&world, Action::ReleaseStudy));
}

#[test]
fn a_finished_study_is_deleted_after_its_ttl() {
    let mut world = World::new(&with(json!({"ttlAfterFinished": "1h", "budget": {"trials": 1}})), 3, 0);
    world.run();
    assert!(!world.gone);
    assert!(!world.plan().steps.iter().any(|s| s.action == Action::DeleteStudy));
    world.now = world.plan().again_at.unwrap();
    let plan = world.plan();
    assert!(plan.steps.iter().any(|s| s.action == Action::DeleteStudy));
}

#[test]
fn a_finite_space_that_is_used_up_ends_the_study() {
    let parameters = json!([{"name": "n", "int": {"min": 1, "max": 4}}]);
    let mut world = World::new(&with(json!({"parameters": parameters, "budget": {}})), 3, 0);
    world.run();
    assert_eq!(world.snapshot.status.trials.succeeded, 4);
    assert_eq!(condition(&world, "Complete"), ("True", "Exhausted"));
    // It stays finished whatever happens to its template afterwards.
    world.snapshot.obstacle = Some(("TemplateNotFound".into(), "gone".into()));
    world.settle();
    assert_eq!(world.snapshot.status.phase, StudyPhase::Succeeded);
    // Nor does a trial that is deleted bring it back to life.
    world.snapshot.trials[1].deleting = true;
    world.settle();
    assert!(world.active().is_empty());
    assert_eq!(world.snapshot.status.phase, StudyPhase::Succeeded);
}

#[test]
fn a_study_that_is_to_go_at_once_is_deleted_only_when_its_end_is_recorded() {
    let mut world = World::new(&with(json!({"ttlAfterFinished": "0s", "budget": {"trials": 1}})), 3, 0);
    let deletes = |plan: &Plan| plan.steps.iter().any(|s| s.action == Action::DeleteStudy);
    for _ in 0..100 {
        let plan = world.plan();
        if plan.status.phase.is_finished() && !world.snapshot.status.phase.is_finished() {
            assert!(!deletes(&plan), "nobody could have seen its end");
            world.snapshot.status = plan.status;
            assert!(deletes(&world.plan()));
            return;
        }
        world.snapshot.status = plan.status.clone();
        if world.apply(&plan, usize::MAX) == 0
            && let Some(number) = world.active().first()
        {
            world.end(*number);
        }
    }
    panic!("never ends");
}

#[test]
fn how_a_study_ended_does_not_change_with_what_people_delete() {
    let mut world = World::new(&with(json!({"budget": {"trials": 50, "failedTrials": 2}})), 5, 50);
    world.run();
    let before = world.snapshot.status.clone();
    assert_eq!(condition(&world, "Failed"), ("True", "TooManyFailedTrials"));
    assert!(before.best.is_some(), "it has a best trial as well");
    for trial in &mut world.snapshot.trials {
        trial.deleting = trial.status.phase == TrialPhase::Failed;
    }
    world.settle();
    assert!(world.snapshot.status.trials.failed < before.trials.failed);
    assert_eq!(world.snapshot.status.phase, StudyPhase::Failed);
    assert_eq!(condition(&world, "Failed"), ("True", "TooManyFailedTrials"));
}

#[test]
fn a_plan_for_an_older_spec_is_not_carried_out() {
    let mut world = World::new(&base(), 3, 0);
    world.snapshot.generation = Some(world.study.generation);
    let plan = world.plan();
    assert!(world.apply(&plan, usize::MAX) > 0);
    world.settle();
    let running = world.active().len();
    world.end(1);
    world.settle();
    let plan = world.plan();
    world.snapshot.generation = Some(world.study.generation + 1);
    let due = |plan: &Plan| {
        plan.steps
            .iter()
            .filter(|s| s.is_due(&world.study, &world.snapshot))
            .count()
    };
    assert_eq!(due(&plan), 0, "{:?}", plan.steps);
    assert_eq!(world.active().len(), running);
}

#[test]
fn metrics_that_cannot_be_read_for_long_are_told_of() {
    let mut world = World::new(&with(json!({"budget": {"trials": 1}})), 3, 0);
    world.settle();
    world.end(1);
    world.snapshot.storage.failing_since = Some(world.now);
    world.snapshot.storage.retry_at = Some(world.now + jiff::SignedDuration::from_secs(10));
    world.settle();
    assert_eq!(condition(&world, "StorageDegraded").0, "False");
    world.pass(601);
    world.snapshot.storage.retry_at = Some(world.now + jiff::SignedDuration::from_secs(10));
    world.settle();
    assert_eq!(condition(&world, "StorageDegraded").0, "True");
    assert_eq!(world.snapshot.status.phase, StudyPhase::Running);
    world.snapshot.storage = Default::default();
    world.run();
    assert_eq!(world.snapshot.status.trials.succeeded, 1);
    assert_eq!(condition(&world, "StorageDegraded").0, "False");
}

#[test]
fn a_deleted_trial_waits_for_its_folder_and_a_deleted_study_tells_of_a_folder_that_stays() {
    let storage = json!({"outputPath": "s3://b/r", "strategy": "Delete", "onDelete": "Delete"});
    let mut world = World::new(&with(json!({"budget": {"trials": 1}, "storage": storage})), 3, 0);
    world.settle();
    world.end(1);
    while !world.snapshot.trial(1).unwrap().is_finished() {
        let plan = world.plan();
        world.snapshot.status = plan.status.clone();
        world.apply(&plan, 1);
    }
    world.snapshot.trials[0].deleting = true;
    let fail = |world: &mut World| {
        world.snapshot.storage.failing_since.get_or_insert(world.now);
        world.snapshot.storage.retry_at = Some(world.now + jiff::SignedDuration::from_secs(10));
    };
    fail(&mut world);
    world.settle();
    assert!(
        world.folders.contains(&1) && world.snapshot.trial(1).is_some(),
        "not let go before its folder is"
    );
    world.study.deleting = true;
    world.pass(601);
    fail(&mut world);
    world.settle();
    assert_eq!(condition(&world, "StorageDegraded").0, "True");
    assert!(!world.gone);
    world.snapshot.storage = Default::default();
    for _ in 0..10 {
        let plan = world.plan();
        world.snapshot.status = plan.status.clone();
        world.apply(&plan, usize::MAX);
    }
    assert!(world.study_folder_removed && world.gone);
}

#[test]
fn what_its_time_limit_does_not_end_is_ended_and_counts_as_timed_out() {
    let trial = json!({"workflowTemplateRef": {"name": "t"}, "timeout": "60s"});
    let mut world = World::new(
        &with(json!({"budget": {"trials": 1}, "trial": trial, "retries": {"limit": 0}})),
        3,
        0,
    );
    world.settle();
    world.snapshot.trials[0].run_since = Some(world.now);
    let stops = |world: &World| {
        let is_stop = |s: &&hyperstudy::study::Step| matches!(s.action, Action::Stop { .. });
        world.plan().steps.iter().filter(is_stop).count()
    };
    world.pass(60);
    assert_eq!(stops(&world), 0, "whatever runs it has its own clock");
    world.now = world.plan().again_at.unwrap();
    assert_eq!(stops(&world), 1);
    world.settle();
    let status = &world.snapshot.trial(1).unwrap().status;
    assert_eq!(
        (status.phase, status.reason.as_deref()),
        (TrialPhase::Failed, Some("TimedOut"))
    );
    assert_eq!(condition(&world, "Failed"), ("True", "NoSuccessfulTrial"));
    let conditions = &world.snapshot.status.conditions;
    let failed = conditions.iter().find(|c| c.type_ == "Failed").unwrap();
    assert!(
        failed.message.contains("trial 1: it was not over"),
        "{}",
        failed.message
    );
}
