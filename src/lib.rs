//! Hyperparameter studies for Argo Workflows.

pub mod api;
pub mod expr;
pub mod metrics;
pub mod sampler;
pub mod space;
<<<<<<< HEAD
pub mod study;
=======
pub mod storage;
>>>>>>> d
