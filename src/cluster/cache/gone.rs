//! What was deleted lately.

use std::collections::{BTreeSet, VecDeque};

use super::StudyId;

/// How many deletions of a kind are remembered: far more than can happen while an answer or an event is on its way.
const MOST: usize = 1000;

/// What was deleted lately: studies by where they were and their UID, as anybody may write that of one into an object of theirs; trials by their own UID.
#[derive(Debug, Default)]
pub(super) struct Gone {
    studies: Lately<StudyId>,
    trials: Lately<String>,
}

impl Gone {
    /// Remembers that a study was deleted.
    pub fn insert_study(&mut self, id: &StudyId) {
        self.studies.insert(id.clone());
    }

    /// Whether a study was deleted lately.
    pub fn has_study(&self, id: &StudyId) -> bool {
        self.studies.items.contains(id)
    }

    /// Remembers that a trial, or a request for one, was deleted.
    pub fn insert_trial(&mut self, uid: &str) {
        self.trials.insert(uid.to_owned());
    }

    /// Whether a trial was deleted lately.
    pub fn has_trial(&self, uid: &str) -> bool {
        self.trials.items.contains(uid)
    }
}

/// The last things of a kind.
#[derive(Debug)]
struct Lately<T> {
    /// Oldest first.
    order: VecDeque<T>,
    items: BTreeSet<T>,
}

impl<T> Default for Lately<T> {
    fn default() -> Self {
        Self {
            order: VecDeque::new(),
            items: BTreeSet::new(),
        }
    }
}

impl<T: Clone + Ord> Lately<T> {
    fn insert(&mut self, item: T) {
        if !self.items.insert(item.clone()) {
            return;
        }
        self.order.push_back(item);
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.items.remove(&oldest);
        }
    }
}
