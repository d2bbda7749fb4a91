//! A study: what to search, how, what each trial runs, and where its files go.

use kube::{
    CustomResource, KubeSchema,
    core::{Reason, Rule},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Algorithm, Duration, History, Parameter, Storage, StudyStatus, Trial, algorithm::is_endless, is_default, one, rules,
};

/// What to search, how, what each trial runs, and where its files go.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "hyperstudy.dev",
    version = "v1alpha1",
    kind = "HyperparameterStudy",
    plural = "hyperparameterstudies",
    shortname = "study",
    shortname = "studies",
    shortname = "hps",
    namespaced,
    status = "StudyStatus",
    derive = "PartialEq",
    doc = "A search for the parameters that make a model best: each trial runs a WorkflowTemplate with other values of the parameters, and the metrics file that it writes says how good they are.",
    validation = name_rule(),
    validation = locked("objectives", "self.spec.objectives == oldSelf.spec.objectives"),
    validation = locked(
        "parameters",
        "self.spec.parameters == oldSelf.spec.parameters && self.spec.parameters.map(p, p.name) == oldSelf.spec.parameters.map(p, p.name)"
    ),
    validation = locked(
        "constraints",
        "(has(self.spec.constraints) ? self.spec.constraints : []) == (has(oldSelf.spec.constraints) ? oldSelf.spec.constraints : [])"
    ),
    validation = locked("algorithm", "self.spec.algorithm == oldSelf.spec.algorithm"),
    validation = locked(
        "history",
        "has(self.spec.history) == has(oldSelf.spec.history) && (!has(self.spec.history) || self.spec.history == oldSelf.spec.history)"
    ),
    validation = locked("trial", "self.spec.trial == oldSelf.spec.trial"),
    validation = locked(
        "storage",
        "self.spec.storage.outputPath == oldSelf.spec.storage.outputPath \
         && (has(self.spec.storage.inputPath) ? self.spec.storage.inputPath : '') == (has(oldSelf.spec.storage.inputPath) ? oldSelf.spec.storage.inputPath : '') \
         && has(self.spec.storage.s3) == has(oldSelf.spec.storage.s3) \
         && (!has(self.spec.storage.s3) || self.spec.storage.s3.endpoint == oldSelf.spec.storage.s3.endpoint) \
         && self.spec.storage.strategy == oldSelf.spec.storage.strategy \
         && self.spec.storage.onConflict == oldSelf.spec.storage.onConflict \
         && self.spec.storage.onDelete == oldSelf.spec.storage.onDelete"
    ),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase", description = "Where the study stands."),
    printcolumn(name = "Succeeded", type_ = "integer", json_path = ".status.trials.succeeded", description = "Trials that ended with an objective."),
    printcolumn(name = "Running", type_ = "integer", json_path = ".status.trials.running", description = "Trials that are not finished."),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.trials.failed", description = "Trials that failed."),
    printcolumn(name = "Best", type_ = "number", json_path = ".status.best.objectives[0]", description = "The best objective so far."),
    printcolumn(name = "Best-Trial", type_ = "string", json_path = ".status.best.trial", description = "The trial that gave it."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[schemars(extend("required" = ["objectives", "parameters", "storage", "trial"]))]
#[x_kube(
    validation = Rule::new(bounded())
        .message("only `grid`, `list` and chains of them end by themselves here: set `trials` or `duration`")
        .field_path(".budget")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new(
        "!has(oldSelf.shutdown) || (has(self.shutdown) && (self.shutdown == oldSelf.shutdown || oldSelf.shutdown == 'Stop'))"
    )
    .message("a shutdown cannot be taken back, only `Stop` can become `Terminate`: create another study to go on")
    .field_path(".shutdown")
    .reason(Reason::FieldValueForbidden)
)]
pub struct StudySpec {
    /// What makes a trial better than another: one objective.
    #[schemars(length(min = 1, max = 1))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub objectives: Vec<Objective>,

    /// The parameters that are searched, each with a name of its own; at most 200.
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub parameters: Vec<Parameter>,

    /// Conditions that every configuration meets: CEL over `parameters`, e.g. `parameters.units_1 >= parameters.units_2`; at most 100, of 1024 characters each.
    /// A constraint over a parameter that is inactive holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub constraints: Vec<String>,

    /// How configurations are chosen.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub algorithm: Algorithm,

    /// What earlier studies found, where the search is to start from that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,

    /// How many trials may be unfinished at the same time, 1 to 1000. Default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub parallelism: u32,

    /// When the study ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub budget: Budget,

    /// How often a trial is tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retries: Retries,

    /// What a trial runs.
    #[serde(default)]
    pub trial: Trial,

    /// Where the trials' files and the results are, and which files stay.
    #[serde(default)]
    pub storage: Storage,

    /// A study that has not started its first trial this long after it was created fails, so that a workflow that waits for it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::POSITIVE_DURATION)]
    pub start_deadline: Option<Duration>,

    /// How long a finished study stays before it is deleted with its trials; without it, it stays. Files in S3 are not concerned.
    #[serde(default, rename = "ttlAfterFinished", skip_serializing_if = "Option::is_none")]
    pub ttl_after_finished: Option<Duration>,

    /// While true, nothing new is started; running trials finish.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub suspend: bool,

    /// Ends the study for good: `Stop` lets running trials finish, `Terminate` also ends those. Cannot be taken back; stronger than `suspend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<Shutdown>,
}

/// The rule that a study has an end: a sampler that goes on for ever needs a budget where the space may be infinite, which the
/// schema can tell of a `double` without step, or where configurations may be run twice.
fn bounded() -> String {
    let (alone, stage) = (is_endless("self.algorithm.sampler"), is_endless("s.sampler"));
    format!(
        "(has(self.budget) && (has(self.budget.trials) || has(self.budget.duration))) \
         || (has(self.algorithm.sampler) && !({alone} || (has(self.algorithm.sampler.chain) \
         && self.algorithm.sampler.chain.exists(s, !has(s.trials) && ({stage}))))) \
         || !(self.algorithm.duplicates == 'Allow' || self.parameters.exists(p, has(p.double) && !has(p.double.step)))"
    )
}

/// The rule about a study's name, which is at the root because only there CEL sees it.
fn name_rule() -> Rule {
    let (rule, message) = rules::STUDY_NAME;
    Rule::new(rule.replace("self", "self.metadata.name")).message(message)
}

/// The rule that one group of the spec, whose being unchanged is `same`, does not change once the study has started. At the root
/// because only there CEL sees the status: an update of the spec carries the old one along.
fn locked(group: &str, same: &str) -> Rule {
    Rule::new(format!(
        "!has(oldSelf.status) || !has(oldSelf.status.startTime) || ({same})"
    ))
    .message(format!("{LOCKED_HEAD}{group}{LOCKED_TAIL}").as_str())
    .field_path(format!(".spec.{group}"))
    .reason(Reason::FieldValueForbidden)
}

const LOCKED_HEAD: &str = "the study has started, so `";
const LOCKED_TAIL: &str = "` cannot be changed any more: create another study for that; budget, parallelism, retries, suspend, shutdown, \
     startDeadline, ttlAfterFinished, storage.keepTop and where the credentials come from can still be changed";

/// What makes a trial better than another.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("has(self.metric) != has(self.value)", "give either `metric`, a key of the metrics file, or `value`, CEL over `metrics`"))]
pub struct Objective {
    /// The key of the metrics file whose number is the objective. Either this or `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub metric: Option<String>,

    /// The objective as CEL over `metrics`, the numbers of one report, e.g. `metrics.precision * metrics.recall`; at most 1024 characters. Either this or `metric`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub value: Option<String>,

    /// Whether less or more is better.
    pub goal: Goal,

    /// Which of several values in one trial counts: the `Last`, or the `Best`. Default Last.
    #[serde(default)]
    pub reduce: Reduce,

    /// A trial that reaches this value ends the study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
}

/// Whether less or more is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Goal {
    /// Less is better.
    #[default]
    Minimize,
    /// More is better.
    Maximize,
}

/// Which of several values in one trial is the trial's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Reduce {
    /// The last one reported.
    #[default]
    Last,
    /// The best one reported.
    Best,
}

/// When the study ends; the first limit that is reached counts.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// How many trials are created, whatever becomes of them; further attempts of a trial do not count. 1 to 100000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub trials: Option<u32>,

    /// How many trials may fail: when that many have, what runs is stopped and the study fails. 1 to 100000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub failed_trials: Option<u32>,

    /// How long the study may run from its first trial on, without the time in which it was suspended or finished. Then what runs is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::POSITIVE_DURATION)]
    pub duration: Option<Duration>,
}

/// How often a trial is tried again.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// How many attempts beyond the first a trial has when it fails, is lost or times out. Never for a wrong metrics file. 0 to 100. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub limit: u32,
}

/// How a study is ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Shutdown {
    /// Running trials finish.
    Stop,
    /// Running trials are ended.
    Terminate,
}
