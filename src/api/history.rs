//! What a study starts from.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rules;

/// Earlier studies, what they found being known from the start.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// Where it stands, at most 16 entries: `s3://bucket/path/study_results.csv`, or the folder that this file is in; or `{study: NAME}`, a study of the same namespace.
    #[schemars(schema_with = "rules::sources")]
    pub from: Vec<Value>,
}
