//! What a trial runs.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, is_default, rules};

/// What a trial runs.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["workflowTemplateRef"]))]
pub struct Trial {
    /// The WorkflowTemplate that each trial runs. May be left out only without a cluster, where a command is given instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_template_ref: Option<WorkflowTemplateRef>,

    /// The template in it to start with. Default: its own `entrypoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub entrypoint: Option<String>,

    /// An attempt that runs longer is ended and counts as failed. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::POSITIVE_DURATION)]
    pub timeout: Option<Duration>,

    /// Labels and annotations of the trials' Workflows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metadata: WorkflowMetadata,

    /// How long a finished trial's Workflow stays before Argo deletes it. Its results do not go with it. Default 1h. Without a cluster there are no Workflows.
    #[serde(default = "one_hour", rename = "workflowTTL")]
    #[schemars(rename = "workflowTTL")]
    pub workflow_ttl: Duration,

    /// The priority of the trials' Workflows. Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(range(min = -2_147_483_648_i64, max = 2_147_483_647_i64), extend("default" = 0))]
    pub priority: i32,

    /// What is passed to the WorkflowTemplate.
    #[serde(default, skip_serializing_if = "is_default")]
    pub arguments: Arguments,

    /// Where the objective's value is found.
    #[serde(default)]
    pub metrics: Metrics,
}

impl Default for Trial {
    fn default() -> Self {
        Self {
            workflow_template_ref: None,
            entrypoint: None,
            timeout: None,
            metadata: WorkflowMetadata::default(),
            workflow_ttl: one_hour(),
            priority: 0,
            arguments: Arguments::default(),
            metrics: Metrics::default(),
        }
    }
}

fn one_hour() -> Duration {
    Duration::from_secs(3600)
}

/// A WorkflowTemplate by its name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowTemplateRef {
    /// Its name.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::OBJECT_NAME)]
    pub name: String,

    /// Whether it is a ClusterWorkflowTemplate. Default false: a WorkflowTemplate in the study's namespace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub cluster_scope: bool,
}

/// Labels and annotations of the trials' Workflows.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowMetadata {
    /// Labels, at most 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    #[x_kube(
        validation = rules::METADATA_KEYS,
        validation = rules::METADATA_NOT_OURS,
        validation = rules::LABEL_VALUES
    )]
    pub labels: BTreeMap<String, String>,

    /// Annotations, at most 32, of 16384 characters each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 16384}))]
    #[x_kube(validation = rules::METADATA_KEYS, validation = rules::METADATA_NOT_OURS)]
    pub annotations: BTreeMap<String, String>,
}

/// What is passed to the WorkflowTemplate.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Arguments {
    /// The values of the template's parameters. A study's parameter that the template declares by the same name is passed without being
    /// listed, and so are `input_path`, `output_path`, `output_key` and `model_input_path`. At most 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub parameters: Vec<Argument>,
}

/// The value of one of the template's parameters.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Argument {
    /// The name by which the template declares it.
    #[schemars(length(max = 128))]
    #[x_kube(validation = (r"self.matches(r'^[-a-zA-Z0-9_]+$')", "an argument's name has letters, digits, `-` and `_` only, as Argo wants it"))]
    pub name: String,

    /// The value. `${...}` in it holds CEL over `parameters`, `trial` and `study`; `$${` stands for a literal `${`. At most 16384 characters.
    #[schemars(length(max = 16384))]
    pub value: String,
}

/// Where the objective's value is found: in a file, or in the Workflow's outputs.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = ("!(has(self.file) && has(self.workflowOutputs))", "give either `file` or `workflowOutputs`: metrics come from one place"))]
pub struct Metrics {
    /// The path of the metrics file below the trial's output folder: a JSON object, or JSON Lines with an object for each report. Default `metrics.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = (r"!self.matches(r'^/|/$|//|[\x00-\x1f\x7f]')", "the path is below the trial's output folder and names a file: no `/` at its start or end, none twice"),
        validation = (r"!self.matches(r'(^|/)[.]{1,2}(/|$)')", "a segment of the path may not be `.` or `..`: the file lies below the trial's output folder")
    )]
    pub file: Option<String>,

    /// Take the metrics from the Workflow's output parameters instead: those of its entrypoint, and its global ones. In a cluster only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_outputs: Option<WorkflowOutputs>,
}

/// The Workflow's output parameters as metrics: each that is a number, by its name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkflowOutputs {}

impl Metrics {
    /// The path of the metrics file below the trial's output folder.
    pub fn file(&self) -> &str {
        self.file.as_deref().unwrap_or("metrics.json")
    }
}
