//! `hyperstudy controller` against a real API server and a real S3 server, with a stand-in for Argo.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "controller/basics.rs"]
mod basics;
#[path = "controller/deletion.rs"]
mod deletion;
#[path = "controller/history.rs"]
mod history;
#[path = "controller/kills.rs"]
mod kills;
#[path = "controller/life.rs"]
mod life;
#[path = "controller/many.rs"]
mod many;
#[path = "controller/mending.rs"]
mod mending;
#[path = "controller/outages.rs"]
mod outages;
#[path = "controller/stand_in.rs"]
mod stand_in;
#[path = "controller/standby.rs"]
mod standby;
#[path = "controller/storage.rs"]
mod storage;
#[path = "controller/trials.rs"]
mod trials;
#[path = "controller/undisturbed.rs"]
mod undisturbed;
