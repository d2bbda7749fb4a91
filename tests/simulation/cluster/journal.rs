//! Every request that reached the cluster, for tests to count.

use std::time::Duration;

use serde_json::Value;

use super::route::{Call, Verb};
use crate::{clock, faults::Trouble};

/// A request, and what became of it.
#[derive(Clone, Debug)]
pub struct Record {
    /// When, in the world's time.
    pub at: Duration,
    /// What was wanted.
    pub verb: Verb,
    /// Of which kind, as its plural.
    pub plural: &'static str,
    /// In which namespace; empty for all.
    pub namespace: String,
    /// To which object; for one that was created, as it was asked for. Empty for many.
    pub name: String,
    /// Whether to the status subresource.
    pub status: bool,
    /// What was sent.
    pub body: Value,
    /// The HTTP code of what was done, whether or not the client heard of it; 0 where nothing was done.
    pub code: u16,
    /// The resourceVersion that it made, where it changed something.
    pub effect: Option<u64>,
    /// What went wrong.
    pub trouble: Option<Trouble>,
    /// Which program asked.
    pub by: u32,
    /// Its place among everything that happened.
    pub step: u64,
}

impl Record {
    /// A request to which nothing has happened yet.
    pub fn of(call: &Call, trouble: Option<Trouble>) -> Self {
        let asked = call.name.as_deref().or_else(|| call.body["metadata"]["name"].as_str());
        Self {
            at: clock::elapsed(),
            verb: call.verb,
            plural: call.kind.plural,
            namespace: call.namespace.clone().unwrap_or_default(),
            name: asked.unwrap_or_default().to_owned(),
            status: call.status,
            body: call.body.clone(),
            code: 0,
            effect: None,
            trouble,
            by: call.by,
            step: clock::step(),
        }
    }
}

/// The word for what is wanted, as faults name it.
pub fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::List => "list",
        Verb::Watch => "watch",
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Patch => "patch",
        Verb::Delete => "delete",
    }
}
