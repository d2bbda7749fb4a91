//! `hyperstudy controller` against a real API server and a real S3 server, with a stand-in for Argo.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[path = "controller/stand_in.rs"]
mod stand_in;
