//! The program against a simulated world: an API server, an S3 server and a stand-in for Argo inside the test, in paused time,
//! with faults from a script or a seed. For what real servers cannot be brought to show.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

/// A world allocates and frees without end; the system's allocator takes a quarter of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod argo;
mod cases;
mod clock;
mod cluster;
mod controller;
mod dice;
mod faults;
mod plot;
mod program;
mod s3;
#[path = "../support/mod.rs"]
mod support;
mod trace;
mod watchdog;
mod world;
