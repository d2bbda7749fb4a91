//! The controller: `hyperstudy controller`.

pub mod http;
pub mod logging;
pub mod telemetry;
