//! The storage strategy: which finished trials' folders go.
//!
//! A best trial's folder goes only after a better one's result is recorded, and the step says which.

use std::collections::HashSet;

use super::{Action, Ranking, Requirement, Snapshot, Step, Study, Trial};
use crate::api::Strategy;

/// How many of the best trials' folders stay.
pub(super) fn kept(study: &Study) -> usize {
    match study.spec.storage.strategy {
        Strategy::Best => study.spec.storage.keep_top as usize,
        Strategy::Keep | Strategy::Delete => 0,
    }
}

/// The deletions that the strategy asks for. `ranking` names at least the best [`kept`] trials.
pub(super) fn deletions(study: &Study, snapshot: &Snapshot, ranking: &Ranking) -> Vec<Step> {
    let strategy = study.spec.storage.strategy;
    if strategy == Strategy::Keep {
        return Vec::new();
    }
    let best = &ranking.top[..kept(study).min(ranking.top.len())];
    let best_set: HashSet<u32> = best.iter().copied().collect();
    let continued: HashSet<u32> = snapshot
        .trials
        .iter()
        .filter(|t| !t.is_finished())
        .filter_map(|t| t.continues)
        .collect();
    let goes = |t: &&Trial| {
        t.is_finished() && t.status.files.is_none() && !best_set.contains(&t.number) && !continued.contains(&t.number)
    };
    let due = snapshot.trials.iter().filter(goes);
    due.map(|trial| deletion(study, trial, strategy, best)).collect()
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
