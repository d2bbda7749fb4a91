//! Which trial is better than which: strictly better wins, a tie goes to the lower number.

use std::cmp::Ordering;

use super::{Snapshot, Study, Trial};

/// Trials that have an objective, the best ones in front.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    /// The numbers of the best trials, best first; as many as were asked for, or all.
    pub top: Vec<u32>,
}

/// The order of two trials by loss and number; the smaller is the better.
type Key = (f64, u32);

fn key(study: &Study, trial: &Trial) -> Option<Key> {
    trial
        .objective()
        .map(|value| (study.objective.loss(value), trial.number))
}

fn order(a: &Key, b: &Key) -> Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

/// Whether `a` is recorded as better than `b`: it has an objective, and `b` has none or a worse one.
pub(super) fn is_better(study: &Study, a: &Trial, b: &Trial) -> bool {
    match (key(study, a), key(study, b)) {
        (Some(a), Some(b)) => order(&a, &b).is_lt(),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

impl Ranking {
    /// The best `most` trials of a snapshot.
    pub fn of(study: &Study, snapshot: &Snapshot, most: usize) -> Self {
        let mut keys: Vec<Key> = snapshot.trials.iter().filter_map(|t| key(study, t)).collect();
        if most > 0 && most < keys.len() {
            keys.select_nth_unstable_by(most - 1, order);
        }
        keys.truncate(most);
        keys.sort_unstable_by(order);
        Self {
            top: keys.into_iter().map(|(_, number)| number).collect(),
        }
    }

    /// The best trial's number.
    pub fn best(&self) -> Option<u32> {
        self.top.first().copied()
    }
}
