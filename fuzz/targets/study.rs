//! Any text as a study's file: either every mistake has a place and a short sentence, or the study can be run.

use std::path::Path;

use hyperstudy::{
    api::{StudySpec, TrialPhase, TrialStatus, check::Requirements, check::check_study},
    local::{
        load::{self, Loaded},
        validate,
    },
    study::{Action, Earlier, Folder, Identity, Memory, Snapshot, Study, Trial, arguments::variables, plan},
};

/// How many trials a study has at a time here: more takes long, and shows nothing else.
const PARALLELISM: u32 = 4;

/// Longer sentences are not for people, whatever they have written.
const LONGEST_MESSAGE: usize = 8 << 10;

const TIMES: [&str; 3] = ["2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"];

pub fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (loaded, mut study) = match load::check_text(text, Path::new("study.yaml")) {
        Ok(read) => read,
        Err(lines) => return sentences(&lines),
    };
    let written = serde_json::to_string(&loaded.spec).expect("JSON");
    let again: StudySpec = serde_json::from_str(&written).expect("what was written");
    assert_eq!(again, loaded.spec);
    in_a_cluster(&loaded);
    match validate::summary(&loaded, &study, &Earlier::default(), &[]) {
        Ok(summary) => assert!(summary.contains(&format!("{} is valid", study.name))),
        Err(lines) => sentences(&lines),
    }
    study.spec.parallelism = study.spec.parallelism.min(PARALLELISM);
    run(&study, loaded);
}

/// That each is a place and what is wrong there.
fn sentences(lines: &[String]) {
    assert!(!lines.is_empty());
    for line in lines {
        let (place, message) = line.split_once(": ").unwrap_or(("study.yaml", line));
        assert!(!place.is_empty() && !message.trim().is_empty(), "{line}");
        assert!(line.len() < LONGEST_MESSAGE && !line.contains('\n'), "{line}");
    }
}

/// What a cluster would take is compiled there just so, other than what there is on one machine only.
fn in_a_cluster(loaded: &Loaded) {
    if !check_study(&loaded.object, Requirements::Cluster).0.is_empty() {
        return;
    }
    let identity = Identity {
        name: loaded.name.clone(),
        namespace: loaded.namespace.clone(),
        uid: "0c1b".to_owned(),
        generation: 1,
        created: Default::default(),
        deleting: false,
    };
    if let Err(errors) = Study::compile(identity, loaded.spec.clone(), &[]) {
        for error in &errors.0 {
            let is_local = error.message.contains("outputDir") || error.path.starts_with("spec.history.from");
            assert!(is_local, "{error}");
        }
    }
}

/// Plans and applies some rounds, in which trials end one way or the other.
fn run(study: &Study, loaded: Loaded) {
    let mut snapshot = Snapshot {
        requests: loaded.requests,
        folder: Folder::Claimed,
        memory: Memory::Known(Default::default()),
        ..Snapshot::default()
    };
    for now in TIMES {
        let now = now.parse().expect("a time");
        let planned = plan(study, &snapshot, now);
        assert_eq!(
            planned,
            plan(study, &snapshot, now),
            "the same snapshot gives the same plan"
        );
        for step in planned.steps {
            match step.action {
                Action::CreateTrial {
                    number,
                    parameters,
                    origin,
                    continues,
                } => {
                    assert_eq!(number, snapshot.last_number() + 1);
                    let config = study.space.read(&parameters).expect("a configuration of the space");
                    assert_eq!(study.space.parse(&parameters).as_ref(), Some(&config));
                    assert_eq!(study.space.write(&config), parameters);
                    let facts = study.trial_facts(number, 1, continues);
                    if let Err(errors) = study.arguments.render(&variables(&parameters, &facts, &study.facts())) {
                        sentences(&load::lines(&errors));
                    }
                    snapshot.trials.push(Trial {
                        number,
                        parameters,
                        config: Some(config),
                        origin,
                        continues,
                        ..Trial::default()
                    });
                }
                Action::Admit { request, .. } | Action::Reject { request, .. } => {
                    snapshot.requests.retain(|open| open.request != request);
                }
                _ => {}
            }
        }
        for condition in &planned.status.conditions {
            assert!(condition.message.len() <= LONGEST_MESSAGE + 20, "{}", condition.message);
        }
        snapshot.status = planned.status;
        for trial in snapshot.trials.iter_mut().filter(|trial| !trial.is_finished()) {
            trial.status = end(trial.number);
        }
    }
}

fn end(number: u32) -> TrialStatus {
    let (phase, objectives) = match number % 5 {
        0 => (TrialPhase::Failed, vec![]),
        4 => (TrialPhase::Stopped, vec![-1e300]),
        _ => (TrialPhase::Succeeded, vec![1.0 / f64::from(number)]),
    };
    TrialStatus {
        phase,
        attempt: 1,
        objectives,
        ..TrialStatus::default()
    }
}
