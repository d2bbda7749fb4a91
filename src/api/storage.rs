//! Where files are, and which stay.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{one, rules};

/// Where the trials' files and the results are, and which files stay.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["outputPath"]))]
#[x_kube(validation = Rule::new("self.strategy == 'Best' || self.keepTop == 1")
    .message("`keepTop` goes with `strategy: Best` only: set that strategy, or leave `keepTop` out")
    .field_path(".keepTop"))]
pub struct Storage {
    /// The folder that trials read from, `s3://bucket/path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 640))]
    #[x_kube(validation = rules::S3_PATH, validation = rules::S3_NO_DOTS)]
    pub input_path: Option<String>,

    /// The folder, `s3://bucket/path`, below which the study has its own: trial N writes to `<outputPath>/<study>/N/`, the results stand in `<outputPath>/<study>/`.
    /// May be left out only without a cluster, where it is `s3://studies`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 640))]
    #[x_kube(validation = rules::S3_PATH, validation = rules::S3_NO_DOTS)]
    pub output_path: Option<String>,

    /// Which trials' folders stay: all (`Keep`), none once its metrics are recorded (`Delete`), or those of the best (`Best`). A failed trial's
    /// folder stays with `Keep` only. Default Keep.
    #[serde(default)]
    pub strategy: Strategy,

    /// With `Best`, how many of the best trials' folders stay, 1 to 1000. Default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub keep_top: u32,

    /// What to do when the study's folder is not empty and not its own: `Fail`, or `Overwrite`, which first removes the numbered folders and result files there. Default Fail.
    #[serde(default)]
    pub on_conflict: OnConflict,

    /// Whether the study's folder goes when the study is deleted. Default Retain.
    #[serde(default)]
    pub on_delete: OnDelete,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            input_path: None,
            output_path: None,
            strategy: Strategy::default(),
            keep_top: one(),
            on_conflict: OnConflict::default(),
            on_delete: OnDelete::default(),
        }
    }
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
