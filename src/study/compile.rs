//! A study as it was admitted: everything that users wrote, checked once and compiled.

use jiff::Timestamp;

use super::{
    arguments::{Arguments, StudyFacts, TrialFacts},
    earlier::{self, Source},
};
use crate::{
    api::{FieldErrors, ParameterMap, StudySpec},
    metrics::Objective,
    sampler::{self, Sampler},
    space::Space,
};

/// Where results go if nothing is said, which is possible without a cluster only.
pub const DEFAULT_OUTPUT_PATH: &str = "s3://studies";

/// On how many configurations expressions are tried before anything runs.
const SAMPLES: usize = 200;

/// Which study it is, and since when.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// The generation of its spec.
    pub generation: i64,
    /// When it was created.
    pub created: Timestamp,
    /// Whether a person has deleted it.
    pub deleting: bool,
}

/// A study whose spec has been checked.
#[derive(Debug)]
pub struct Study {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// The generation of its spec.
    pub generation: i64,
    /// When it was created.
    pub created: Timestamp,
    /// Whether a person has deleted it.
    pub deleting: bool,
    /// The spec as it was written.
    pub spec: StudySpec,
    /// The space it searches.
    pub space: Space,
    /// What proposes configurations.
    pub sampler: Box<dyn Sampler>,
    /// What makes one trial better than another.
    pub objective: Objective,
    /// Where what earlier studies found stands.
    pub history: Vec<Source>,
    /// What is passed to the template.
    pub arguments: Arguments,
    /// What all random choices follow from.
    pub seed: u64,
}

impl Study {
    /// Checks `spec` and compiles it. `trial_fields` are the fields of `trial` that expressions may name beside those of the cluster.
    ///
    /// # Errors
    /// Everything that is wrong, at once, with paths from the object's root.
    pub fn compile(identity: Identity, spec: StudySpec, trial_fields: &[&str]) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        for (field, path) in [
            ("outputPath", &spec.storage.output_path),
            ("inputPath", &spec.storage.input_path),
        ] {
            if path.as_ref().is_some_and(|p| p.contains("{{") || p.contains("${")) {
                let message = "is taken as it stands: `{{...}}` would be another folder for Argo than for the study, and `${...}` is not replaced here";
                errors.push(format!("spec.storage.{field}"), message);
            }
        }
        let file = spec.trial.metrics.file();
        if file.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            // The schema says so, too, but not that of every version.
            let message =
                "the file lies below the trial's output folder: no `/` at its start or end, no segment `.` or `..`";
            errors.push("spec.trial.metrics.file", message);
        }
        let is_local = trial_fields.contains(&"outputDir");
        let history = earlier::sources(
            spec.history.as_ref(),
            &identity.name,
            &folder(&identity.name, &spec),
            is_local,
        );
        let history = keep(&mut errors, "", history);
        let objective = match &*spec.objectives {
            [only] => keep(&mut errors, "spec.objectives[0]", Objective::compile(only)),
            _ => {
                errors.push("spec.objectives", "give exactly one objective");
                None
            }
        };
        let space = keep(&mut errors, "spec", Space::compile(&spec.parameters, &spec.constraints));
        let parts = space.and_then(|space| {
            let algorithm = sampler::compile(&spec.algorithm, &space);
            let algorithm = algorithm.map(|then| match &spec.history {
                Some(_) => sampler::with_earlier(&spec.algorithm.sampler, then),
                None => then,
            });
            let sampler = keep(&mut errors, "spec.algorithm", algorithm);
            let arguments = Arguments::compile(&spec.trial.arguments.parameters, &space, trial_fields);
            let arguments = keep(&mut errors, "", arguments);
            if let Some(arguments) = &arguments {
                let output_dir = trial_fields.contains(&"outputDir").then(|| "/output".to_owned());
                let facts = TrialFacts {
                    output_dir,
                    ..trial_facts(&identity.name, &spec, 1, 1, None)
                };
                let tried = arguments.check_on(&samples(&space), &facts, &identity.facts());
                keep(&mut errors, "", tried);
            }
            if let Some(sampler) = &sampler {
                check_budget(&spec, sampler.as_ref(), &space, &mut errors);
            }
            Some((space, sampler?, arguments?))
        });
        let seed = sampler::seed(spec.algorithm.seed, &identity.uid);
        match (objective, parts, history) {
            (Some(objective), Some((space, sampler, arguments)), Some(history)) => errors.or_ok(Self {
                name: identity.name,
                namespace: identity.namespace,
                uid: identity.uid,
                generation: identity.generation,
                created: identity.created,
                deleting: identity.deleting,
                spec,
                space,
                sampler,
                objective,
                history,
                arguments,
                seed,
            }),
            _ => Err(errors),
        }
    }

    /// The name of the trial with that number.
    pub fn trial_name(&self, number: u32) -> String {
        format!("{}-{number}", self.name)
    }

    /// The name of what runs for an attempt of a trial.
    pub fn run_name(&self, number: u32, attempt: u32) -> String {
        format!("{}-{number}-{attempt}", self.name)
    }

    /// What expressions know of an attempt of a trial, beside the parameters.
    pub fn trial_facts(&self, number: u32, attempt: u32, continues: Option<u32>) -> TrialFacts {
        trial_facts(&self.name, &self.spec, number, attempt, continues)
    }

    /// What expressions know of the study.
    pub fn facts(&self) -> StudyFacts {
        StudyFacts {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            uid: self.uid.clone(),
        }
    }

    /// The configurations on which expressions are tried before anything runs.
    pub fn samples(&self) -> Vec<ParameterMap> {
        samples(&self.space)
    }

    /// The folder that trials and results stand in, `s3://bucket/path/<study>`.
    pub fn folder(&self) -> String {
        folder(&self.name, &self.spec)
    }

    /// The folder of the trial with that number.
    pub fn trial_folder(&self, number: u32) -> String {
        format!("{}/{number}", self.folder())
    }
}

impl Identity {
    fn facts(&self) -> StudyFacts {
        StudyFacts {
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            uid: self.uid.clone(),
        }
    }
}

fn folder(study: &str, spec: &StudySpec) -> String {
    let path = spec.storage.output_path.as_deref().unwrap_or(DEFAULT_OUTPUT_PATH);
    format!("{}/{study}", path.trim_end_matches('/'))
}

fn trial_facts(study: &str, spec: &StudySpec, number: u32, attempt: u32, continues: Option<u32>) -> TrialFacts {
    let folder = folder(study, spec);
    let output_path = format!("{folder}/{number}");
    let key = output_path.strip_prefix("s3://").and_then(|path| path.split_once('/'));
    TrialFacts {
        number,
        name: format!("{study}-{number}"),
        attempt,
        output_key: key.map_or_else(String::new, |(_, key)| key.to_owned()),
        input_path: spec
            .storage
            .input_path
            .as_deref()
            .map(|path| path.trim_end_matches('/').to_owned()),
        model_input_path: continues.map(|from| format!("{folder}/{from}")),
        output_path,
        output_dir: None,
    }
}

fn samples(space: &Space) -> Vec<ParameterMap> {
    space
        .samples(SAMPLES)
        .iter()
        .map(|config| space.write(config))
        .collect()
}

/// A sampler that never ends needs a budget that does.
fn check_budget(spec: &StudySpec, sampler: &dyn Sampler, space: &Space, errors: &mut FieldErrors) {
    let bounded = spec.budget.trials.is_some() || spec.budget.duration.is_some();
    if !bounded && !sampler.is_finite(space, spec.algorithm.duplicates) {
        let why = "this sampler never runs out of configurations: set budget.trials or budget.duration";
        errors.push("spec.budget", why);
    }
}

fn keep<T>(errors: &mut FieldErrors, prefix: &str, result: Result<T, FieldErrors>) -> Option<T> {
    result.map_err(|wrong| errors.extend_below(prefix, wrong)).ok()
}
