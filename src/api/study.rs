//! A study: what to search, how, what each trial runs, and where its files go.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Duration, ParameterMap, StudyStatus};

/// A search for the parameters that make a model best: each trial runs a WorkflowTemplate with other
/// values of the parameters, and the metrics file that it writes says how good they are.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "hyperstudy.dev",
    version = "v1alpha1",
    kind = "HyperparameterStudy",
    plural = "hyperparameterstudies",
    shortname = "study",
    shortname = "hps",
    namespaced,
    status = "StudyStatus",
    derive = "PartialEq"
)]
pub struct StudySpec {
    /// What makes a trial better than another: one objective.
    pub objectives: Vec<Objective>,

    /// The parameters that are searched, each with a name of its own.
    pub parameters: Vec<Parameter>,

    /// Conditions that every configuration meets: CEL over `parameters`, e.g. `parameters.units_1 >= parameters.units_2`.
    /// A constraint over a parameter that is inactive holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,

    /// How configurations are chosen.
    pub algorithm: Algorithm,

    /// How many trials may be unfinished at the same time. Default 1.
    #[serde(default = "one")]
    pub parallelism: u32,

    /// When the study ends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub budget: Budget,

    /// How often a trial is tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub retries: Retries,

    /// What a trial runs.
    #[serde(default)]
    #[schemars(required)]
    pub trial: Trial,

    /// Where the trials' files and the results are, and which files stay.
    #[serde(default)]
    #[schemars(required)]
    pub storage: Storage,

    /// A study that has not started its first trial this long after it was created fails, so that a workflow that waits for it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_deadline: Option<Duration>,

    /// How long a finished study stays before it is deleted with its trials; without it, it stays. Files in S3 are not concerned.
    #[serde(default, rename = "ttlAfterFinished", skip_serializing_if = "Option::is_none")]
    pub ttl_after_finished: Option<Duration>,

    /// While true, nothing new is started; running trials finish.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,

    /// Ends the study for good: `Stop` lets running trials finish, `Terminate` also ends those. Cannot be taken back; stronger than `suspend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<Shutdown>,
}

fn one() -> u32 {
    1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What makes a trial better than another.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Objective {
    /// The key of the metrics file whose number is the objective. Either this or `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,

    /// The objective as CEL over `metrics`, the numbers of one report, e.g. `metrics.precision * metrics.recall`. Either this or `metric`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

/// A parameter: its name, and exactly one of `double`, `int`, `ordinal`, `categorical`, `constant`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// The parameter's name, as expressions (`parameters.<name>`) and templates know it.
    pub name: String,

    /// A real number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub double: Option<Double>,

    /// A whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int: Option<Int>,

    /// One of several values that have an order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<Ordinal>,

    /// One of several values that have no order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categorical: Option<Categorical>,

    /// Always this value, any JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constant: Option<Value>,

    /// The value tried first, where every active parameter has one, and used where a request or a `list` leaves this parameter out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,

    /// The condition under which this parameter is active: CEL over the other parameters, e.g. `parameters.optimizer == "sgd"`.
    /// An inactive parameter is absent from the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A real number between `min` and `max`, or around `normal.mean`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Double {
    /// The least value. May be left out with `normal` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,

    /// The greatest value, above `min`. May be left out with `normal` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,

    /// How values are spread: `Linear`, or `Log` for magnitudes, which needs `min` above 0. Not with `normal`. Default Linear.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scale: Scale,

    /// Only `min`, `min + step`, `min + 2 step`, ... up to `max`; `max - min` is a multiple of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,

    /// Values are spread as a normal distribution, cut at `min` and `max` where they are given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normal: Option<Normal>,
}

/// A normal distribution.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Normal {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation, above 0.
    pub stddev: f64,
}

/// A whole number between `min` and `max`, both included.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Int {
    /// The least value.
    pub min: i64,

    /// The greatest value, above `min`.
    pub max: i64,

    /// How values are spread: `Linear`, or `Log` for magnitudes, which needs `min` above 0. Default Linear.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scale: Scale,

    /// Only `min`, `min + step`, `min + 2 step`, ... up to `max`; `max - min` is a multiple of it. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
}

/// How the values of a number are spread over its range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly in the logarithm: as many between 1 and 10 as between 10 and 100.
    Log,
}

/// Values in an order.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ordinal {
    /// The values, each once, in their order; any JSON.
    pub values: Vec<Value>,
}

/// Values without an order.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Categorical {
    /// The values, each once; any JSON.
    pub values: Vec<Value>,

    /// How often each value is drawn in relation to the others: as many numbers above 0 as there are values. Default: all alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Vec<f64>>,
}

/// How configurations are chosen.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Algorithm {
    /// What proposes configurations: exactly one of its fields.
    pub sampler: Sampler,

    /// The number that all random choices follow from: the same seed, the same configurations. Default: from the study's UID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,

    /// Whether a configuration may be run twice: `Avoid` never does, and ends the study when a finite space is used up. Default Avoid.
    #[serde(default, skip_serializing_if = "is_default")]
    pub duplicates: Duplicates,
}

/// Whether a configuration may be run twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Duplicates {
    /// Never the same configuration twice.
    #[default]
    Avoid,
    /// Whatever the sampler proposes.
    Allow,
}

/// What proposes configurations: exactly one of these.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sampler {
    /// Each configuration at random, independent of all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomSampler>,

    /// Every combination of evenly spaced values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridSampler>,

    /// A scrambled Sobol sequence: points that fill the space more evenly than random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sobol: Option<SobolSampler>,

    /// These configurations, in their order. A parameter that one leaves out takes its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<ParameterMap>>,

    /// One sampler after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Vec<ChainStage>>,
}

/// One sampler of a chain.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainStage {
    /// The sampler: exactly one of its fields.
    pub sampler: StageSampler,

    /// How many trials it proposes before the next one's turn; without it, as many as it can. It also hands over when it has no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u32>,
}

/// What proposes configurations in one stage of a chain: exactly one of these.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageSampler {
    /// Each configuration at random, independent of all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomSampler>,

    /// Every combination of evenly spaced values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridSampler>,

    /// A scrambled Sobol sequence: points that fill the space more evenly than random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sobol: Option<SobolSampler>,

    /// These configurations, in their order. A parameter that one leaves out takes its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<Vec<ParameterMap>>,
}

/// Random search has nothing to set.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RandomSampler {}

/// How fine the grid is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GridSampler {
    /// How many values of each number parameter, evenly spaced on its own scale with both ends among them.
    /// Fewer where it has fewer; ordinal and categorical parameters give all their values. Needed where a `double` has no `step`; else default: all values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points_per_parameter: Option<u32>,
}

/// The Sobol sequence has nothing to set.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SobolSampler {}

/// When the study ends; the first limit that is reached counts.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// How many trials are created, whatever becomes of them; further attempts of a trial do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u32>,

    /// How many trials may fail: when that many have, what runs is stopped and the study fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_trials: Option<u32>,

    /// How long the study may run from its first trial on, without the time in which it was suspended or finished. Then what runs is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
}

/// How often a trial is tried again.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retries {
    /// How many attempts beyond the first a trial has when it fails, is lost or times out. Never for a wrong metrics file. Default 0.
    #[serde(default)]
    pub limit: u32,
}

/// What a trial runs.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// The WorkflowTemplate that each trial runs. May be left out only without a cluster, where a command is given instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub workflow_template_ref: Option<WorkflowTemplateRef>,

    /// The template in it to start with. Default: its own `entrypoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<String>,

    /// An attempt that runs longer is ended and counts as failed. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,

    /// Labels and annotations of the trials' Workflows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metadata: WorkflowMetadata,

    /// The priority of the trials' Workflows. Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,

    /// What is passed to the WorkflowTemplate.
    #[serde(default, skip_serializing_if = "is_default")]
    pub arguments: Arguments,

    /// Where the objective's value is found.
    #[serde(default)]
    pub metrics: Metrics,
}

/// A WorkflowTemplate by its name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowTemplateRef {
    /// Its name.
    pub name: String,

    /// Whether it is a ClusterWorkflowTemplate. Default false: a WorkflowTemplate in the study's namespace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cluster_scope: bool,
}

/// Labels and annotations of the trials' Workflows.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,

    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What is passed to the WorkflowTemplate.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arguments {
    /// The values of the template's parameters. A study's parameter that the template declares by the same name is passed without being
    /// listed, and so are `input_path`, `output_path`, `output_key` and `model_input_path`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Argument>,
}

/// The value of one of the template's parameters.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    /// The name by which the template declares it.
    pub name: String,

    /// The value. `${...}` in it holds CEL over `parameters`, `trial` and `study`; `$${` stands for a literal `${`.
    pub value: String,
}

/// Where the objective's value is found.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// The path of the metrics file below the trial's output folder: a JSON object, or JSON Lines with an object for each report. Default `metrics.json`.
    #[serde(default = "metrics_json")]
    pub file: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { file: metrics_json() }
    }
}

fn metrics_json() -> String {
    "metrics.json".to_owned()
}

/// Where the trials' files and the results are, and which files stay.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// The folder that trials read from, `s3://bucket/path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_path: Option<String>,

    /// The folder, `s3://bucket/path`, below which the study has its own: trial N writes to `<outputPath>/<study>/N/`, the results stand in `<outputPath>/<study>/`.
    /// May be left out only without a cluster, where it is `s3://studies`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(required)]
    pub output_path: Option<String>,

    /// Which trials' folders stay: all (`Keep`), none once its metrics are recorded (`Delete`), or those of the best (`Best`). A failed trial's
    /// folder stays with `Keep` only. Default Keep.
    #[serde(default)]
    pub strategy: Strategy,

    /// With `Best`, how many of the best trials' folders stay. Default 1.
    #[serde(default = "one")]
    pub keep_top: u32,

    /// What to do when the study's folder is not empty and not its own: `Fail`, or `Overwrite`, which first removes the numbered folders and result files there. Default Fail.
    #[serde(default)]
    pub on_conflict: OnConflict,

    /// Whether the study's folder goes when the study is deleted. Default Retain.
    #[serde(default)]
    pub on_delete: OnDelete,
}

/// Which trials' folders stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    /// All.
    #[default]
    Keep,
    /// None, once its metrics are recorded.
    Delete,
    /// Those of the best `keepTop` trials.
    Best,
}

/// What to do when the study's folder is not empty and not its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnConflict {
    /// The study does not start.
    #[default]
    Fail,
    /// Remove the numbered folders and the result files there, then start.
    Overwrite,
}

/// Whether the study's folder goes when the study is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDelete {
    /// It stays.
    #[default]
    Retain,
    /// It goes.
    Delete,
}

/// How a study is ended for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Shutdown {
    /// Running trials finish.
    Stop,
    /// Running trials are ended.
    Terminate,
}
