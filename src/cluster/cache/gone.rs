//! What was deleted lately.

use std::collections::{BTreeSet, VecDeque};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// How many deletions are remembered: far more than can happen while an answer or an event is on its way.
const MOST: usize = 1000;

/// The UIDs of what was deleted lately.
#[derive(Debug, Default)]
pub(super) struct Gone {
    /// Oldest first.
    order: VecDeque<String>,
    uids: BTreeSet<String>,
}

impl Gone {
    /// Remembers a deletion; at most the last thousand.
    pub fn insert(&mut self, uid: &str) {
        if !self.uids.insert(uid.to_owned()) {
            return;
        }
        self.order.push_back(uid.to_owned());
        if self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.uids.remove(&oldest);
        }
    }

    /// Whether that object was deleted lately.
    pub fn contains(&self, metadata: &ObjectMeta) -> bool {
        metadata.uid.as_ref().is_some_and(|uid| self.has(uid))
    }

    /// Whether the object of that UID was deleted lately.
    pub fn has(&self, uid: &str) -> bool {
        self.uids.contains(uid)
    }
}
