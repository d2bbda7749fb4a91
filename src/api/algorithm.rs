//! How configurations are chosen.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ParameterMap, is_default, rules};

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
    #[schemars(extend("default" = "Avoid"))]
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
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
#[x_kube(validation = (
    "[has(self.random), has(self.grid), has(self.sobol), has(self.chain)].filter(x, x).size() <= 1",
    "a study has one sampler: keep only one of `random`, `grid`, `sobol`, `list` and `chain`; a chain runs several in turn"
))]
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

    /// These configurations, in their order, at most 10000. A parameter that one leaves out takes its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rules::configurations")]
    pub list: Option<Vec<ParameterMap>>,

    /// One sampler after another, at most 16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub chain: Option<Vec<ChainStage>>,
}

/// One sampler of a chain.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainStage {
    /// The sampler: exactly one of its fields.
    pub sampler: StageSampler,

    /// How many trials it proposes before the next one's turn; without it, as many as it can. It also hands over when it has no more. 1 to 100000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub trials: Option<u32>,
}

/// What proposes configurations in one stage of a chain: exactly one of these.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
#[x_kube(validation = (
    "[has(self.random), has(self.grid), has(self.sobol)].filter(x, x).size() <= 1",
    "a stage has one sampler: keep only one of `random`, `grid`, `sobol` and `list`, and make another stage for the other"
))]
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

    /// These configurations, in their order, at most 10000. A parameter that one leaves out takes its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rules::configurations")]
    pub list: Option<Vec<ParameterMap>>,
}

/// Random search has nothing to set.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RandomSampler {}

/// How fine the grid is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GridSampler {
    /// How many values of each number parameter, 2 to 1000, evenly spaced on its own scale with both ends among them.
    /// Fewer where it has fewer; ordinal and categorical parameters give all their values. Needed where a `double` has no `step`; else default: all values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1000))]
    pub points_per_parameter: Option<u32>,
}

/// The Sobol sequence has nothing to set.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SobolSampler {}
