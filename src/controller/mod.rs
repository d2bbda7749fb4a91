//! The controller: `hyperstudy controller`.

pub mod http;
pub mod telemetry;
