//! The storage strategy: which finished trials' folders go.
//!
//! A best trial's folder goes only after a better one's result is recorded, and the step says which.

use std::collections::HashSet;

use super::{Action, Ranking, Requirement, Snapshot, Step, Study, Trial};
use crate::api::Strategy;

/// How many of the best trials' folders stay.
fn kept(study: &Study) -> usize {
    match study.spec.storage.strategy {
        Strategy::Best => study.spec.storage.keep_top as usize,
        Strategy::Keep | Strategy::Delete => 0,
    }
}

/// The best trials, as far as their folders stay.
struct Best {
    /// Those that nobody has deleted, as many as the strategy keeps.
    lasting: Vec<u32>,
    /// The same with those among them that a person has deleted: their folders stay, but for them nobody else's goes.
    all: HashSet<u32>,
}

impl Best {
    fn of(study: &Study, snapshot: &Snapshot) -> Self {
        let deleted = snapshot.trials.iter().filter(|t| t.deleting).count();
        let most = kept(study);
        let ranked = match most {
            0 => Vec::new(),
            most => Ranking::of(study, snapshot, most.saturating_add(deleted)).top,
        };
        let mut best = Self {
            lasting: Vec::new(),
            all: HashSet::new(),
        };
        for number in ranked {
            if best.lasting.len() >= most {
                break;
            }
            best.all.insert(number);
            if snapshot.trial(number).is_some_and(|t| !t.deleting) {
                best.lasting.push(number);
            }
        }
        best
    }
}

/// The deletions that the strategy asks for.
pub(super) fn deletions(study: &Study, snapshot: &Snapshot) -> Vec<Step> {
    let strategy = study.spec.storage.strategy;
    if strategy == Strategy::Keep {
        return Vec::new();
    }
    let best = Best::of(study, snapshot);
    let continued: HashSet<u32> = snapshot
        .trials
        .iter()
        .filter(|t| !t.is_finished())
        .filter_map(|t| t.continues)
        .collect();
    let goes = |t: &&Trial| {
        t.is_finished() && t.status.files.is_none() && !best.all.contains(&t.number) && !continued.contains(&t.number)
    };
    let due = snapshot.trials.iter().filter(goes);
    due.map(|trial| deletion(study, trial, strategy, &best.lasting))
        .collect()
}

fn deletion(study: &Study, trial: &Trial, strategy: Strategy, best: &[u32]) -> Step {
    let number = trial.number;
    let mut requires = vec![
        Requirement::Generation(study.generation),
        Requirement::OwnsFolder,
        Requirement::Finished(number),
        Requirement::NotContinued(number),
    ];
    if strategy == Strategy::Best && trial.objective().is_some() {
        let by = best.to_vec();
        requires.push(Requirement::Surpassed { number, by });
    }
    Step {
        action: Action::DeleteFolder { number },
        requires,
    }
}
