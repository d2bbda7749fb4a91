//! Hyperparameter studies for Argo Workflows.

pub mod api;
pub mod cluster;
pub mod controller;
pub mod expr;
pub mod history;
pub mod local;
pub mod metrics;
pub mod report;
pub mod results;
pub mod sampler;
pub mod space;
pub mod storage;
pub mod study;
pub mod suggest;
pub mod workflow;
