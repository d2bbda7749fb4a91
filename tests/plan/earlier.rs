//! What earlier studies found is known before the first trial, and what cannot be read is waited for.

use std::sync::Arc;

use hyperstudy::{
    api::StudyPhase,
    report::results_of,
    study::{Action, Earlier, Ending, Folder, Memory, Plan},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::world::World;

fn spec() -> Value {
    json!({
        "objectives": [{"metric": "loss", "goal": "Maximize"}],
        "parameters": [{"name": "x", "double": {"min": 0, "max": 3}}, {"name": "n", "int": {"min": 0, "max": 3}}],
        "algorithm": {"sampler": {"random": {}}, "seed": 7},
        "budget": {"trials": 3},
        "storage": {"outputPath": "s3://b/runs"},
        "history": {"from": ["s3://bucket/runs/earlier"]},
        "startDeadline": "10m",
    })
}

fn has(plan: &Plan, is_it: impl Fn(&Action) -> bool) -> bool {
    plan.steps.iter().any(|step| is_it(&step.action))
}

fn reads(plan: &Plan) -> bool {
    has(plan, |action| *action == Action::ReadHistory)
}

fn creates(plan: &Plan) -> bool {
    has(plan, |action| matches!(action, Action::CreateTrial { .. }))
}

/// The condition `Ready`: its status, reason and message.
fn ready(plan: &Plan) -> (String, String, String) {
    let ready = plan.status.conditions.iter().find(|c| c.type_ == "Ready").unwrap();
    (ready.status.clone(), ready.reason.clone(), ready.message.clone())
}

#[test]
fn nothing_is_proposed_before_it_is_known() {
    let mut world = World::new(&spec(), 1, 0);
    assert!(!reads(&world.plan()) && !creates(&world.plan()));
    world.snapshot.folder = Folder::Claimed;
    assert!(reads(&world.plan()) && !creates(&world.plan()));
    let table = b"Status,x,n,Objective\nCOMPLETED,1,2,0.1\nCOMPLETED,2.5,0,0.7\nFAILED,3,3,\n";
    let found = results_of(&world.study, table).unwrap();
    let earlier = Earlier::new(&world.study, found.past, 3, "3 of 3".to_owned());
    world.snapshot.memory = Memory::Known(Arc::new(earlier));
    let plan = world.plan();
    assert!(!reads(&plan) && creates(&plan));
    let (status, _, message) = ready(&plan);
    assert_eq!(status, "True");
    assert!(message.ends_with("; history: 3 of 3"), "{message}");
    world.run();
    let first = world.snapshot.trial(1).unwrap();
    assert_eq!(first.origin.sampler.as_deref(), Some("history"));
    assert_eq!(json!(first.parameters), json!({"x": 2.5, "n": 0}));
    // Its own trials alone are counted and ranked.
    assert_eq!(world.snapshot.status.trials.total, 3);
    assert_eq!(world.snapshot.status.phase, StudyPhase::Succeeded);
}

#[test]
fn what_cannot_be_read_is_tried_again_until_the_deadline() {
    let mut world = World::new(&spec(), 1, 0);
    world.snapshot.folder = Folder::Claimed;
    let retry_at = world.now + SignedDuration::from_secs(10);
    world.snapshot.memory = Memory::Unreadable("there is no table".to_owned(), retry_at);
    let plan = world.plan();
    assert!(!reads(&plan) && !creates(&plan));
    assert_eq!(plan.again_at, Some(retry_at));
    let said = ("False", "HistoryUnreadable", "there is no table");
    assert_eq!(ready(&plan), (said.0.into(), said.1.into(), said.2.into()));
    assert_eq!(plan.status.phase, StudyPhase::Pending);
    world.now = retry_at;
    assert!(reads(&world.plan()));
    world.pass(600);
    assert!(!reads(&world.plan()));
    world.settle();
    assert_eq!(world.snapshot.status.phase, StudyPhase::Failed);
    let failed = world
        .snapshot
        .status
        .conditions
        .iter()
        .find(|c| c.type_ == "Failed")
        .unwrap();
    assert_eq!(failed.reason, Ending::StartDeadlineExceeded.reason());
}

#[test]
fn a_program_that_restarts_reads_it_before_it_goes_on() {
    let mut world = World::new(&spec(), 1, 0);
    world.settle();
    world.snapshot.memory = Memory::Unread;
    world.snapshot.folder = Folder::Unclaimed;
    let active = world.active()[0];
    world.end(active);
    // What runs is looked after; what is new waits.
    for _ in 0..10 {
        let plan = world.plan();
        assert!(!creates(&plan) || matches!(world.snapshot.memory, Memory::Known(_)));
        world.snapshot.status = plan.status.clone();
        world.apply(&plan, 1);
    }
    world.run();
    assert_eq!(world.snapshot.status.trials.total, 3);
    // A finished one needs it no more.
    world.snapshot.memory = Memory::Unread;
    assert!(!reads(&world.plan()));
    assert_eq!(world.plan().status, world.snapshot.status);
}
