//! Studies on one machine.

pub mod s3;
