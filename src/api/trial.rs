//! A trial: one configuration that is run, or, without a number, the request to run one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ParameterMap;

/// One configuration that a study runs. A person creates one without `number`, by `generateName`,
/// to queue a configuration: a request, which the study turns into a numbered trial.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "hyperstudy.dev",
    version = "v1alpha1",
    kind = "HyperparameterTrial",
    plural = "hyperparametertrials",
    shortname = "hpt",
    namespaced,
    status = "TrialStatus",
    derive = "PartialEq"
)]
pub struct TrialSpec {
    /// The study in the same namespace that this trial belongs to.
    pub study_ref: StudyRef,

    /// The trial's number in its study, from 1. Set by the program, never by a person, and never used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,

    /// The value of each active parameter by its name; inactive ones are absent.
    /// In a request, what is left out takes the parameter's default.
    #[serde(default)]
    pub parameters: ParameterMap,

    /// What proposed this configuration. Set by the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,

    /// The number of the trial whose folder this one goes on from. Set by the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<u32>,

    /// Ends this trial. What it reported until then counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop: bool,
}

/// A study by its name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StudyRef {
    /// The study's name.
    pub name: String,
}

/// What proposed a configuration: a sampler, or a person's request.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The sampler that proposed it; `default` for the parameters' defaults, which are tried first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampler: Option<String>,

    /// Of a chain, the position from 0 of the sampler in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<u32>,

    /// The place, from 0, in the sampler's own sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,

    /// The request that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestRef>,
}

/// A request by its name and identity.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestRef {
    /// The request's name.
    pub name: String,
    /// The request's UID.
    pub uid: String,
}

/// Where a trial stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TrialPhase {
    /// Created; its next attempt has not started.
    #[default]
    Pending,
    /// An attempt runs.
    Running,
    /// It ended by itself and has an objective.
    Succeeded,
    /// Its last attempt failed, or its metrics cannot be used.
    Failed,
    /// It was ended early; it may have an objective.
    Stopped,
    /// Of a request: it has become the trial with `status.number`.
    Admitted,
    /// Of a request: it cannot be run; `status.message` says why.
    Rejected,
}

impl TrialPhase {
    /// Whether nothing about the trial's outcome will change any more.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped)
    }
}

/// What became of a trial.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrialStatus {
    /// Where the trial stands.
    pub phase: TrialPhase,

    /// The number of the current or last attempt, from 1; 0 before the first.
    pub attempt: u32,

    /// Of the attempts, how many failed in a way that counts against `retries.limit`.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures: u32,

    /// Of the attempts, how many were preempted or evicted, which costs no retry.
    #[serde(skip_serializing_if = "is_zero")]
    pub preemptions: u32,

    /// Of the attempts, how many ended because the program that supervised them was ended; only without a cluster.
    #[serde(skip_serializing_if = "is_zero")]
    pub interruptions: u32,

    /// The name of the current or last attempt's Workflow, or of its process without a cluster: `<study>-<number>-<attempt>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,

    /// The value of each of the study's objectives, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<f64>,

    /// The numbers of the report that gave the objectives; at most 64, the first by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,

    /// The iteration of the report that gave the objectives: `epochs` where the file has it, else the report's place from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iteration: Option<f64>,

    /// Why the trial is in its phase, one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,

    /// Why the trial is in its phase, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,

    /// Whether the trial's folder is still there. `Deleted` once nothing of it is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,

    /// Of a metrics file that was there before the attempt and could not be removed: its ETag and time, by which it is told from a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_metrics: Option<ObjectVersion>,

    /// Of a request: the number of the trial that it has become.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,

    /// When the first attempt started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub start_time: Option<Timestamp>,

    /// When the trial finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub completion_time: Option<Timestamp>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// What is left of a finished trial's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Files {
    /// Nothing: the storage strategy removed it.
    Deleted,
}

/// One version of an object in S3, compared for equality only.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectVersion {
    /// The ETag as the server gave it.
    pub etag: String,
    /// Its LastModified as the server gave it, in RFC 3339.
    pub last_modified: String,
}
