//! What came out of a study so far.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, ParameterMap, rules};

/// What came out of the study so far: a bounded summary, which follows from the trials.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StudyStatus {
    /// Where the study stands.
    pub phase: StudyPhase,

    /// The generation of the spec that this status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready, Suspended, Complete, Failed, StorageDegraded, each with a reason and a message; `kubectl wait --for=condition=Complete` works.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::conditions")]
    pub conditions: Vec<Condition>,

    /// The highest number that a trial of this study has or had. Numbers are never used twice.
    pub last_number: u32,

    /// The highest number of a trial that a person deleted and that was let go; 0 where there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub last_released: u32,

    /// How many trials there are, and how they stand.
    pub trials: TrialCounts,

    /// The best trial so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<BestTrial>,

    /// The best trials so far, best first, at most 50.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "atomic"))]
    pub top: Vec<RankedTrial>,

    /// Where the result files are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<ResultPaths>,

    /// When the first trial was created. Until then everything in the spec may be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub start_time: Option<Timestamp>,

    /// When the study finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub completion_time: Option<Timestamp>,

    /// The time that `budget.duration` does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Idle>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// Time in which a started study was suspended or finished.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Idle {
    /// How long it was so in all, up to `since` or now.
    pub total: Duration,

    /// Since when it is so now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Time>")]
    pub since: Option<Timestamp>,
}

/// Where a study stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StudyPhase {
    /// No trial has been created yet.
    #[default]
    Pending,
    /// Trials run, or their results are being written.
    Running,
    /// Nothing new is started until `suspend` is false again.
    Suspended,
    /// It ended and has a best trial.
    Succeeded,
    /// It ended without a best trial, by too many failed trials, or could not start in time.
    Failed,
}

impl StudyPhase {
    /// Whether the study has ended, its results written.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// How many trials there are, and how they stand.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrialCounts {
    /// Created, whatever became of them.
    pub total: u32,
    /// Created and not finished.
    pub running: u32,
    /// Ended by themselves with an objective.
    pub succeeded: u32,
    /// Failed in their last attempt.
    pub failed: u32,
    /// Ended early.
    pub stopped: u32,
}

/// The best trial.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BestTrial {
    /// Its name.
    #[schemars(length(max = 253))]
    pub trial: String,
    /// Its number.
    pub number: u32,
    /// The value of each objective.
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub objectives: Vec<f64>,
    /// Its configuration.
    #[schemars(schema_with = "rules::configuration")]
    pub parameters: ParameterMap,
    /// The numbers of its report; at most 64.
    #[schemars(schema_with = "rules::metrics")]
    pub metrics: BTreeMap<String, f64>,
    /// Its folder, where the storage strategy keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub output_path: Option<String>,
}

/// A trial among the best.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RankedTrial {
    /// Its number.
    pub number: u32,
    /// The value of each objective.
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub objectives: Vec<f64>,
}

/// Where the result files are, as `s3://bucket/key`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultPaths {
    /// `study_results.csv`: a row for each observation.
    #[schemars(length(max = 2048))]
    pub trials: String,
    /// `best_result.json`: the best row as an object; there once a trial has an objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub best: Option<String>,
    /// `study_config.json`: the spec, the study's UID and the program's version.
    #[schemars(length(max = 2048))]
    pub config: String,
    /// `report.html`: charts and a table in one file that opens offline.
    #[schemars(length(max = 2048))]
    pub report: String,
    /// Which state of the trials the files show; another one whenever that changes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 16))]
    pub revision: String,
}
