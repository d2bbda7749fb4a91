//! What expressions know beside the parameters: which trial, of which study.

use serde_json::{Map, Value};

use crate::{api::ParameterMap, expr::Variables};

/// One attempt of a trial, as `trial` in expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrialFacts {
    /// `number`: from 1.
    pub number: u32,
    /// `name`: `<study>-<number>`.
    pub name: String,
    /// `attempt`: from 1.
    pub attempt: u32,
    /// `outputPath`: the trial's output folder, `s3://bucket/key`.
    pub output_path: String,
    /// `outputKey`: the same without `s3://bucket/`.
    pub output_key: String,
    /// `inputPath`: the study's, where it has one.
    pub input_path: Option<String>,
    /// `modelInputPath`: the folder of the trial that this one goes on from, where it does.
    pub model_input_path: Option<String>,
    /// `outputDir`: the output folder in the file system, without a cluster.
    pub output_dir: Option<String>,
}

/// The study, as `study` in expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StudyFacts {
    /// `name`.
    pub name: String,
    /// `namespace`.
    pub namespace: String,
    /// `uid`.
    pub uid: String,
}

/// The fields of `trial` that there are everywhere.
pub(super) const TRIAL_FIELDS: [&str; 7] = [
    "number",
    "name",
    "attempt",
    "outputPath",
    "outputKey",
    "inputPath",
    "modelInputPath",
];

/// The fields of `study`.
pub(super) const STUDY_FIELDS: [&str; 3] = ["name", "namespace", "uid"];

impl TrialFacts {
    fn to_json(&self) -> Value {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        set("number", self.number.into());
        set("attempt", self.attempt.into());
        for (name, value) in [
            ("name", Some(&self.name)),
            ("outputPath", Some(&self.output_path)),
            ("outputKey", Some(&self.output_key)),
            ("inputPath", self.input_path.as_ref()),
            ("modelInputPath", self.model_input_path.as_ref()),
            ("outputDir", self.output_dir.as_ref()),
        ] {
            if let Some(value) = value {
                set(name, value.as_str().into());
            }
        }
        Value::Object(fields)
    }
}

impl StudyFacts {
    fn to_json(&self) -> Value {
        let fields = [("name", &self.name), ("namespace", &self.namespace), ("uid", &self.uid)];
        fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Value::from(value.as_str())))
            .collect::<Map<_, _>>()
            .into()
    }
}

/// What a trial's expressions are evaluated over: `parameters`, `trial` and `study`. What a trial does not have is absent from `trial`.
pub fn variables(parameters: &ParameterMap, trial: &TrialFacts, study: &StudyFacts) -> Variables {
    with_parameters(&without_parameters(trial, study), parameters)
}

/// `trial` and `study` only.
pub(super) fn without_parameters(trial: &TrialFacts, study: &StudyFacts) -> Variables {
    let mut variables = Variables::default();
    variables.set("trial", &trial.to_json());
    variables.set("study", &study.to_json());
    variables
}

/// The same with `parameters`.
pub(super) fn with_parameters(variables: &Variables, parameters: &ParameterMap) -> Variables {
    let mut variables = variables.clone();
    variables.set_object(
        "parameters",
        parameters.iter().map(|(name, value)| (name.as_str(), value)),
    );
    variables
}
