//! A program that runs in the world: who asks, how often it has asked, and when it is killed.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio_util::sync::CancellationToken;

/// A program. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Which one, from 1; 0 is the world itself: persons, Argo, tests.
    pub id: u32,
    /// When it is killed: from then on nothing of it reaches a server, and no answer reaches it.
    pub end: CancellationToken,
}

impl Program {
    /// A program of that number.
    pub fn new(id: u32) -> Self {
        Self { id, ..Self::default() }
    }
}

/// How many calls the programs of a world have made, to all its servers. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<AtomicU32>);

impl Calls {
    /// The number of the next call, from 0.
    pub fn next(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    /// How many there were.
    pub fn made(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}
