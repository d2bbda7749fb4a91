//! The controller: `hyperstudy controller`.
//!
//! Two reconcilers, a study's and a trial's, over one cache of what was seen. Every decision is [`crate::study::plan`]'s.

mod access;
pub mod context;
mod history;
pub mod http;
pub mod logging;
mod run;
mod steps;
mod study;
pub mod telemetry;
mod trial;

pub use run::{Options, RunError, run, serve};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;

use crate::{api::HyperparameterStudy, study::Study};

/// A study as the owner of its trials.
fn owner_reference(study: &Study) -> OwnerReference {
    OwnerReference {
        api_version: HyperparameterStudy::api_version(&()).into_owned(),
        kind: HyperparameterStudy::kind(&()).into_owned(),
        name: study.name.clone(),
        uid: study.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}
