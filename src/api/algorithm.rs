//! How configurations are chosen.

use kube::{KubeSchema, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ParameterMap, is_default, rules};

/// How configurations are chosen.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Algorithm {
    /// What proposes configurations: exactly one of its fields. Default: `auto`.
    #[serde(default, skip_serializing_if = "is_default")]
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

/// The samplers: the one table of them. Each line gives the field's name in a study, and its settings; whatever proposes configurations by itself belongs here
/// (a chain of them does not). To add one, add its line, its settings below, and its file in `src/sampler`.
macro_rules! samplers {
    ($callback:ident) => {
        $callback! {
            /// The sampler that suits the space, the budget, the parallelism and what is known so far; each trial's `origin` says which and why.
            "auto" auto: AutoSampler,
            /// Each configuration at random, independent of all others.
            "random" random: RandomSampler,
            /// Every combination of evenly spaced values.
            "grid" grid: GridSampler,
            /// A scrambled Sobol sequence: points that fill the space more evenly than random ones.
            "sobol" sobol: SobolSampler,
            /// A tree-structured Parzen estimator: cheap, for spaces of any kind and many trials.
            "tpe" tpe: TpeSampler,
            /// A Gaussian process with expected improvement: the best use of few, expensive trials.
            "gaussianProcess" gaussian_process: GaussianProcessSampler,
            /// CMA-ES, an evolution strategy that adapts the shape of its search: for many trials over numbers.
            "cmaEs" cma_es: CmaEsSampler,
            /// A genetic algorithm: crossover and mutation of the best third.
            "genetic" genetic: GeneticSampler,
            /// Changes one parameter of the best configuration at a time.
            "localSearch" local_search: LocalSearchSampler,
            /// These configurations, in their order, at most 10000. A parameter that one leaves out takes its default.
            #[schemars(schema_with = "rules::configurations")]
            "list" list: Vec<ParameterMap>,
        }
    };
}
pub(crate) use samplers;

/// Defines what chooses one of the table: as a study's sampler, which may also be a chain, and as a chain's stage.
macro_rules! define {
    ($($(#[$attribute:meta])* $name:literal $field:ident: $settings:ty,)*) => {
        /// What proposes configurations: exactly one of these; none is `auto`.
        #[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
        #[x_kube(validation = one(
            &[$($name,)* "chain"],
            "a study has one sampler: keep only one of these; a chain runs several in turn",
        ))]
        pub struct Sampler {
            $(
                $(#[$attribute])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$settings>,
            )*

            /// One sampler after another, at most 16.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            #[schemars(length(min = 1, max = 16))]
            #[x_kube(merge_strategy = ListMerge::Atomic)]
            pub chain: Option<Vec<ChainStage>>,
        }

        /// What proposes configurations in one stage of a chain: exactly one of these.
        #[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
        #[x_kube(validation = one(
            &[$($name),*],
            "a stage has one sampler: keep only one of these, and make another stage for the other",
        ))]
        pub struct StageSampler {
            $(
                $(#[$attribute])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$settings>,
            )*
        }

        /// The names of all samplers that are no chain.
        const NAMES: &[&str] = &[$($name),*];

        impl From<&Sampler> for StageSampler {
            /// All but the chain.
            fn from(sampler: &Sampler) -> Self {
                Self { $($field: sampler.$field.clone(),)* }
            }
        }
    };
}
samplers!(define);

/// The sampler that the API server's rules do not see: what holds untyped JSON has no type there.
const UNSEEN: &str = "list";

/// The rule that of these fields at most one is set, as far as rules see them; the schema's `minProperties` and `maxProperties` want exactly one of all.
fn one(names: &[&str], message: &str) -> Rule {
    let seen = names.iter().filter(|name| **name != UNSEEN);
    let has: Vec<String> = seen.map(|name| format!("has(self.{name})")).collect();
    Rule::new(format!("[{}].filter(x, x).size() <= 1", has.join(", "))).message(message)
}

/// As CEL: whether `sampler`, which is not a chain, may go on for ever.
pub(super) fn is_endless(sampler: &str) -> String {
    let endless = NAMES.iter().filter(|name| !["grid", UNSEEN].contains(name));
    let has: Vec<String> = endless.map(|name| format!("has({sampler}.{name})")).collect();
    has.join(" || ")
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

/// `auto` has nothing to set.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AutoSampler {}

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

/// How the Parzen estimator begins.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TpeSampler {
    /// How many results (of trials that ended, failed ones among them) are wanted before the model is asked; until then configurations fill the space evenly. 1 to 10000.
    /// Default: from the number of parameters, at most 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub startup_trials: Option<u32>,
}

/// How the Gaussian process begins.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GaussianProcessSampler {
    /// How many trials are started before the model is asked, those of earlier studies counted; until then configurations fill the space evenly. 1 to 10000.
    /// Default: 2 for each parameter and 2 more, 6 to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub startup_trials: Option<u32>,
}

/// CMA-ES's generations and how wide they begin.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CmaEsSampler {
    /// How many configurations a generation has, 4 to 10000. Default: 4 + 3 ln(dimensions), doubled by each restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 4, max = 10_000))]
    pub population_size: Option<u32>,

    /// The standard deviation of the first generation, as a part of each parameter's range, 0.0001 to 1. Default 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::PART)]
    pub sigma: Option<f64>,
}

/// The genetic algorithm's population and how often genes change.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GeneticSampler {
    /// How many configurations are drawn at random before the first are crossed, 2 to 10000. Default 15.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10_000))]
    pub population_size: Option<u32>,

    /// How likely each parameter of a child is drawn anew, 0 to 1. Default 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub mutation_rate: Option<f64>,
}

/// Where the local search starts and how far its steps go.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalSearchSampler {
    /// The configuration to start from; a parameter that it leaves out takes its default. Without it: the defaults, or else the middle of the space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "rules::configuration")]
    pub start: Option<ParameterMap>,

    /// What a number is multiplied by in one step, each above 0 and not 1; at most 16. Where a product would not change it (an int, a step, 0), the next value is taken. Default [0.8, 1.2].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub factors: Option<Vec<f64>>,

    /// How often each configuration is run before it is compared, by the mean of its values, 1 to 100; above 1 it needs `duplicates: Allow`. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub repeats: Option<u32>,
}
