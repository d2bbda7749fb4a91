//! A trial: one configuration that is run, or, without a number, the request to run one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ParameterMap, rules};

/// A configuration of a study, and what became of the wish to run it.
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
    derive = "PartialEq",
    doc = "One configuration that a study runs. A person creates one without `number`, by `generateName`, to queue a configuration: a request, which the study turns into a numbered trial.",
    validation = Rule::new(
        "!has(self.spec.number) || (self.metadata.name.startsWith(self.spec.studyRef.name + '-') \
         && self.metadata.name.substring(self.spec.studyRef.name.size() + 1).matches('^[1-9][0-9]{0,9}$') \
         && int(self.metadata.name.substring(self.spec.studyRef.name.size() + 1)) == self.spec.number)"
    )
    .message("a trial with a number is named `<study>-<number>`; to queue a configuration leave `number` out: the study sets it"),
    validation = Rule::new(
        "has(self.spec.number) || !self.metadata.name.startsWith(self.spec.studyRef.name + '-') \
         || !self.metadata.name.substring(self.spec.studyRef.name.size() + 1).matches('^[0-9]+$')"
    )
    .message("names like `<study>-<number>` belong to the trials that the study itself creates: use `generateName`, or another name"),
    printcolumn(name = "Study", type_ = "string", json_path = ".spec.studyRef.name", description = "The study it belongs to."),
    printcolumn(name = "Number", type_ = "integer", json_path = ".spec.number", description = "Its number; none for a request."),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "Where the trial stands."),
    printcolumn(name = "Objective", type_ = "number", json_path = ".status.objectives[0]", description = "The objective's value."),
    printcolumn(name = "Workflow", type_ = "string", json_path = ".status.workflow", description = "Its current or last Workflow."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Parameters", type_ = "string", json_path = ".spec.parameters", priority = 1, description = "Its configuration.")
)]
#[x_kube(validation = Rule::new(
    "self == oldSelf || (self.stop && !oldSelf.stop && self.studyRef == oldSelf.studyRef \
     && (has(self.number) ? self.number : 0) == (has(oldSelf.number) ? oldSelf.number : 0) \
     && (has(self.continues) ? self.continues : 0) == (has(oldSelf.continues) ? oldSelf.continues : 0) \
     && has(self.origin) == has(oldSelf.origin) && (!has(self.origin) || self.origin == oldSelf.origin))"
)
.message("a trial cannot be changed once it is there, but for `stop`, which can be set to true: create another trial instead")
.reason(Reason::FieldValueForbidden))]
pub struct TrialSpec {
    /// The study in the same namespace that this trial belongs to.
    pub study_ref: StudyRef,

    /// The trial's number in its study, from 1. Set by the program, never by a person, and never used twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub number: Option<u32>,

    /// The value of each active parameter by its name; inactive ones are absent.
    /// In a request, what is left out takes the parameter's default.
    #[serde(default)]
    #[schemars(schema_with = "rules::configuration")]
    pub parameters: ParameterMap,

    /// What proposed this configuration. Set by the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,

    /// The number of the trial whose folder this one goes on from. Set by the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub continues: Option<u32>,

    /// Ends this trial. What it reported until then counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub stop: bool,
}

/// A study by its name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StudyRef {
    /// The study's name.
    #[schemars(length(max = 52))]
    #[x_kube(validation = rules::STUDY_NAME)]
    pub name: String,
}

/// What proposed a configuration: a sampler, or a person's request.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The sampler that proposed it; `default` for the parameters' defaults, which are tried first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub sampler: Option<String>,

    /// Of `auto`, the sampler that it chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub method: Option<String>,

    /// Of `auto`, why it chose that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub reason: Option<String>,

    /// Of a chain, the position from 0 of the sampler in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<u32>,

    /// The place, from 0, in the sampler's own sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9007199254740992_u64))]
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
    #[schemars(length(max = 253))]
    pub name: String,
    /// The request's UID.
    #[schemars(length(max = 128))]
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
    #[schemars(length(max = 253))]
    pub workflow: Option<String>,

    /// The value of each of the study's objectives, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub objectives: Vec<f64>,

    /// The numbers of the report that gave the objectives; at most 64, the first by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "rules::metrics")]
    pub metrics: BTreeMap<String, f64>,

    /// The iteration of the report that gave the objectives: `epochs` where the file has it, else the report's place from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iteration: Option<f64>,

    /// Why the trial is in its phase, one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,

    /// Why the trial is in its phase, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
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
    #[schemars(length(max = 1024))]
    pub etag: String,
    /// Its LastModified as the server gave it, in RFC 3339.
    #[schemars(length(max = 64))]
    pub last_modified: String,
}
