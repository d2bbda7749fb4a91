//! How long the core's decisions take: a plan over a long history, and the way to the unit cube and back.

#![allow(clippy::expect_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hyperstudy::{
    api::{Origin, StudySpec, TrialPhase, TrialStatus},
    local::{
        Ledger,
        entry::{Entry, StatusEntry, StudyEntry, TrialEntry},
    },
    study::{Folder, Identity, Snapshot, Study, Trial, Written, plan, started},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn study(spec: serde_json::Value) -> Study {
    let spec: StudySpec = serde_json::from_value(spec).expect("a spec");
    let identity = Identity {
        name: "bench".into(),
        namespace: "default".into(),
        uid: "bench".into(),
        generation: 1,
        created: Timestamp::UNIX_EPOCH,
        deleting: false,
    };
    Study::compile(identity, spec, &[]).expect("a study")
}

fn five_parameters(trials: u32) -> Study {
    study(json!({
        "objectives": [{"metric": "loss", "goal": "Minimize"}],
        "parameters": [
            {"name": "lr", "double": {"min": 1e-6, "max": 0.1, "scale": "Log"}},
            {"name": "dropout", "double": {"min": 0, "max": 0.5}},
            {"name": "units", "int": {"min": 8, "max": 512, "step": 8}},
            {"name": "layers", "int": {"min": 1, "max": 8}},
            {"name": "optimizer", "categorical": {"values": ["adam", "sgd", "rmsprop"]}},
        ],
        "algorithm": {"sampler": {"random": {}}, "seed": 1},
        "budget": {"trials": trials},
        "storage": {"outputPath": "s3://b/runs", "strategy": "Best"},
    }))
}

/// A study in the middle of its life: `n` finished trials, a free place for one more.
fn snapshot(study: &Study, n: u32) -> Snapshot {
    let dimensions = study.space.dimensions();
    let trial = |number: u32| {
        let unit: Vec<f64> = (0..dimensions)
            .map(|d| f64::from(number.wrapping_mul(2_654_435_761) >> d) % 1.0)
            .collect();
        let config = study.space.decode(&unit);
        Trial {
            number,
            parameters: study.space.write(&config),
            config: Some(config),
            origin: Origin {
                sampler: Some("random".into()),
                index: Some(u64::from(number) - 1),
                ..Origin::default()
            },
            status: TrialStatus {
                phase: TrialPhase::Succeeded,
                attempt: 1,
                objectives: vec![f64::from(number.wrapping_mul(2_654_435_761)) / 4e9],
                files: (number > 1).then_some(hyperstudy::api::Files::Deleted),
                ..TrialStatus::default()
            },
            ..Trial::default()
        }
    };
    let written = Some(Written {
        revision: 0,
        at: Timestamp::UNIX_EPOCH,
    });
    let mut snapshot = Snapshot {
        trials: (1..=n).map(trial).collect(),
        folder: Folder::Claimed,
        written,
        reported: written,
        ..Snapshot::default()
    };
    snapshot.status = plan(study, &snapshot, Timestamp::UNIX_EPOCH).status;
    snapshot
}

fn plans(c: &mut Criterion) {
    let study = five_parameters(20_000);
    let snapshot = snapshot(&study, 10_000);
    let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(5);
    let proposes = plan(&study, &snapshot, now);
    assert!(!proposes.steps.is_empty());
    c.bench_function("plan with a random suggestion, 10,000 trials", |b| {
        b.iter(|| plan(black_box(&study), black_box(&snapshot), now));
    });
}

/// A journal as a run of 10,000 trials leaves it: each trial's creation, start and end.
fn journal(study: &Study, snapshot: &Snapshot, path: &std::path::Path) {
    let mut ledger = Ledger::open(path, &study.space).expect("an empty journal");
    let mut record = |entry| ledger.record(entry, &study.space).expect("room on the disk");
    let study_entry = StudyEntry {
        uid: study.uid.clone(),
        created: study.created,
        generation: study.generation,
        spec: study.spec.clone(),
    };
    record(Entry::Study(Box::new(study_entry)));
    for trial in &snapshot.trials {
        let number = trial.number;
        let created = TrialEntry {
            number,
            parameters: trial.parameters.clone(),
            origin: trial.origin.clone(),
            continues: None,
        };
        record(Entry::Trial(Box::new(created)));
        let began = started(study, number, &TrialStatus::default(), 1, Timestamp::UNIX_EPOCH);
        let ended = TrialStatus {
            metrics: [("loss".to_owned(), 0.5), ("accuracy".to_owned(), 0.9)].into(),
            iteration: Some(1.0),
            completion_time: Some(Timestamp::UNIX_EPOCH),
            start_time: Some(Timestamp::UNIX_EPOCH),
            workflow: began.workflow.clone(),
            ..trial.status.clone()
        };
        for status in [began, ended] {
            record(Entry::Status(Box::new(StatusEntry { number, status })));
        }
    }
}

fn ledger(c: &mut Criterion) {
    let study = five_parameters(20_000);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    journal(&study, &snapshot(&study, 10_000), &path);
    let mut group = c.benchmark_group("ledger");
    group.sample_size(20);
    group.bench_function("snapshot of 10,000 trials from the journal", |b| {
        b.iter(|| {
            let ledger = Ledger::open(&path, &study.space).expect("a journal");
            assert_eq!(ledger.snapshot().trials.len(), 10_000);
        });
    });
    group.finish();
}

fn encoding(c: &mut Criterion) {
    let kind = |i: usize| match i % 5 {
        0 => json!({"name": format!("p{i}"), "double": {"min": 1e-6, "max": 0.1, "scale": "Log"}}),
        1 => json!({"name": format!("p{i}"), "double": {"min": 0, "max": 1}}),
        2 => json!({"name": format!("p{i}"), "int": {"min": 8, "max": 512, "step": 8}}),
        3 => json!({"name": format!("p{i}"), "ordinal": {"values": [8, 16, 32, 64]}}),
        _ => json!({"name": format!("p{i}"), "categorical": {"values": ["a", "b", "c"], "weights": [3, 2, 1]}}),
    };
    let parameters: Vec<serde_json::Value> = (0..20).map(kind).collect();
    let mut spec = serde_json::to_value(&five_parameters(1).spec).expect("a spec");
    spec["parameters"] = json!(parameters);
    let study = study(spec);
    let unit: Vec<f64> = (0..20).map(|i| (f64::from(i) * 0.618) % 1.0).collect();
    let config = study.space.decode(&unit);
    let mut place = vec![0.0; 20];
    c.bench_function("encode and decode a configuration of 20 parameters", |b| {
        b.iter(|| {
            study.space.encode(black_box(&config), &mut place);
            study.space.decode(black_box(&place))
        });
    });
}

criterion_group!(benches, plans, encoding, ledger);
criterion_main!(benches);
