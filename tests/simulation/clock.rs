//! The world's time: tokio's paused clock, read as a date.

use std::{cell::Cell, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When every world begins: 2026-01-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp::constant(1_767_225_600, 0);

thread_local! {
    // One test is one thread, so a plain function can tell the time of its world.
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
    static STEPS: Cell<u64> = const { Cell::new(0) };
    // The last instant at which anything happened, and how much had happened before.
    static LAST: Cell<(Duration, u64)> = const { Cell::new((Duration::ZERO, 0)) };
}

/// Begins the time of this thread's world.
pub fn begin() {
    START.set(Some(Instant::now()));
    STEPS.set(0);
    LAST.set((Duration::ZERO, 0));
}

/// Numbers what happens in this thread's world, over all its servers.
pub fn step() -> u64 {
    let before = steps_before();
    LAST.set((elapsed(), before));
    STEPS.set(STEPS.get() + 1);
    STEPS.get()
}

/// The number of the last thing that happened before this instant: what a program that sends something now can have learnt of.
pub fn steps_before() -> u64 {
    let (at, before) = LAST.get();
    if at == elapsed() { before } else { STEPS.get() }
}

/// How long this thread's world has existed.
pub fn elapsed() -> Duration {
    let start = START.get().unwrap_or_else(|| {
        begin();
        Instant::now()
    });
    Instant::now() - start
}

/// What clocks show in this thread's world.
pub fn now() -> Timestamp {
    let passed = SignedDuration::try_from(elapsed()).unwrap_or(SignedDuration::MAX);
    BEGINNING.checked_add(passed).unwrap_or(Timestamp::MAX)
}

/// The same to the second, as Kubernetes writes it.
pub fn stamp() -> String {
    let now = now();
    Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}
