//! Studies on one machine.

pub mod artifacts;
pub mod s3;
pub mod template;
