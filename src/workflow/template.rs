//! A study's WorkflowTemplate, checked against the study before anything runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use super::{
    COMPLETED_LABEL, PHASE_LABEL, artifacts, at,
    declared::{self, Level},
    list, listed,
    passed::{self, Accepted},
    reach::{KINDS, Objects, Reach, reach, templates},
    text,
};
use crate::{api::FieldErrors, expr, study::Study};

/// Where a template may be that an artifact is in; without any of these it is nowhere.
const LOCATIONS: [&str; 11] = [
    "s3",
    "raw",
    "git",
    "http",
    "gcs",
    "azure",
    "oss",
    "hdfs",
    "artifactory",
    "plugin",
    "from",
];

/// A WorkflowTemplate or ClusterWorkflowTemplate by kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateKey {
    /// `WorkflowTemplate`, in the study's namespace, or `ClusterWorkflowTemplate`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl TemplateKey {
    /// The key of the object of that kind and name.
    pub fn new(kind: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The one that a study runs, where it names one.
    pub fn of(study: &Study) -> Option<Self> {
        let reference = study.spec.trial.workflow_template_ref.as_ref()?;
        Some(Self::new(KINDS[usize::from(reference.cluster_scope)], &reference.name))
    }

    /// Whether it is one of the whole cluster.
    pub fn is_of_cluster(&self) -> bool {
        self.kind == KINDS[1]
    }
}

impl fmt::Display for TemplateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// What a study has to know of its WorkflowTemplate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template {
    unused: Vec<String>,
    /// The names that may be passed.
    pub(super) accepted: BTreeSet<String>,
    repository: Option<Value>,
    is_written: bool,
}

impl Template {
    /// A word of warning, where the template does not look as it was meant to.
    pub fn notice(&self) -> Option<String> {
        let names: Vec<String> = self.unused.iter().map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| {
            format!(
                "but nothing uses the parameters {}: the template declares no argument of that name, and no `${{...}}` in trial.arguments names them",
                names.join(", ")
            )
        })
    }

    /// Checks a template against a study. `others` are the objects that templates in it refer to, as far as there are any; see [`Template::missing`].
    ///
    /// # Errors
    /// Everything that is wrong, at once: with the field of the study where that is to blame, else with the object's name and the field in it.
    pub fn check(study: &Study, template: &Value, others: &BTreeMap<TemplateKey, Value>) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let key = TemplateKey::of(study).unwrap_or_else(|| TemplateKey::new(KINDS[0], ""));
        check_labels(study, &key, template, &mut errors);
        let spec = template.get("spec").unwrap_or(&Value::Null);
        let entrypoint = entrypoint(study, &key, template, &mut errors);
        let accepted = accepted(&key, template, entrypoint, &mut errors);
        accepted.check(study, &mut errors);
        let mut is_written = false;
        if let Some(entrypoint) = entrypoint {
            check_inputs(&key, template, entrypoint, &mut errors);
            let carriers = carriers(study, &accepted.names());
            let found = follow(&key, template, others, entrypoint, &carriers);
            let bucket = bucket(study);
            is_written = artifacts::check(&found, &carriers, bucket, &mut errors);
            artifacts::check_defaults(&key, spec, &mut errors);
            errors.0.extend(found.errors.0);
        }
        errors.or_ok(Self {
            unused: unused(study, &accepted.names()),
            accepted: accepted.names(),
            repository: at(spec, "artifactRepositoryRef").cloned(),
            is_written,
        })
    }

    /// The objects that a trial may run templates of and that are not in `others`.
    pub fn missing(study: &Study, template: &Value, others: &BTreeMap<TemplateKey, Value>) -> BTreeSet<TemplateKey> {
        let Some(key) = TemplateKey::of(study) else {
            return BTreeSet::new();
        };
        match entrypoint(study, &key, template, &mut FieldErrors::default()) {
            Some(entrypoint) => follow(&key, template, others, entrypoint, &BTreeSet::new()).missing,
            None => BTreeSet::new(),
        }
    }

    /// Whether one of its output artifacts goes to the trial's output folder in the artifact repository, naming no bucket itself.
    pub fn is_written(&self) -> bool {
        self.is_written
    }

    /// The `artifactRepositoryRef` that it declares.
    pub fn repository(&self) -> Option<&Value> {
        self.repository.as_ref()
    }
}

fn follow<'a>(
    key: &TemplateKey,
    template: &'a Value,
    others: &'a BTreeMap<TemplateKey, Value>,
    entrypoint: &str,
    carriers: &BTreeSet<String>,
) -> Reach<'a> {
    let objects = Objects {
        own: (key.clone(), template),
        others,
    };
    reach(&objects, entrypoint, carriers)
}

/// The template to start with: the study's choice, or the template's own; one that is there.
fn entrypoint<'a>(
    study: &'a Study,
    key: &TemplateKey,
    template: &'a Value,
    errors: &mut FieldErrors,
) -> Option<&'a str> {
    let own = template.get("spec").map_or("", |spec| text(spec, "entrypoint"));
    let (wanted, path) = match &study.spec.trial.entrypoint {
        Some(wanted) => (wanted.as_str(), "spec.trial.entrypoint".to_owned()),
        None => (own, format!("{key}: spec.entrypoint")),
    };
    let templates = templates(template);
    let names = || templates.iter().map(|template| text(template, "name"));
    if templates.is_empty() {
        errors.push(format!("{key}: spec.templates"), "is empty: there is nothing to run");
        return None;
    }
    if wanted.is_empty() {
        let message = format!(
            "the {key} has no `entrypoint`: name the template to start with, one of {}",
            listed(names())
        );
        errors.push("spec.trial.entrypoint", message);
        return None;
    }
    if !names().any(|name| name == wanted) {
        let hint = match expr::nearest(wanted, names()) {
            Some(near) => format!("do you mean `{near}`?"),
            None => format!("it has {}", listed(names())),
        };
        errors.push(path, format!("the {key} has no template `{wanted}`: {hint}"));
        return None;
    }
    Some(wanted)
}

/// What may be passed: the workflow's arguments, and the inputs of the templates that get these as theirs.
fn accepted(key: &TemplateKey, template: &Value, entrypoint: Option<&str>, errors: &mut FieldErrors) -> Accepted {
    let mut found = FieldErrors::default();
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let arguments = spec.get("arguments").unwrap_or(&Value::Null);
    let workflow = declared::read(arguments, "spec.arguments", Level::Workflow, &mut found);
    let mut inputs = Vec::new();
    let exit = Some(text(spec, "onExit")).filter(|name| !name.is_empty());
    let starts: BTreeSet<&str> = entrypoint.into_iter().chain(exit).collect();
    for start in starts {
        let index = templates(template).iter().position(|t| text(t, "name") == start);
        if let Some(index) = index
            && let Some(holder) = templates(template)[index].get("inputs")
        {
            let path = format!("spec.templates[{index}].inputs");
            inputs.extend(declared::read(holder, &path, Level::Inputs, &mut found));
        }
    }
    errors.0.extend(found.0.into_iter().map(|mut error| {
        error.path = format!("{key}: {}", error.path);
        error
    }));
    Accepted {
        object: key.to_string(),
        workflow,
        inputs,
    }
}

/// Artifacts that the entrypoint needs and nobody gives.
/// The parameters of the study that reach nothing: the template declares no argument of that name, and no expression names them.
fn unused(study: &Study, declared: &BTreeSet<String>) -> Vec<String> {
    let spec = &study.spec;
    let conditions = spec.parameters.iter().filter_map(|p| p.when.as_deref());
    let arguments = serde_json::to_string(&spec.trial.arguments).unwrap_or_default();
    let text: Vec<&str> = conditions
        .chain(spec.constraints.iter().map(String::as_str))
        .chain([arguments.as_str()])
        .collect();
    // A longer name, or the whole map, may be meant as well: then nothing is said rather than something wrong.
    let is_named = |name: &str| {
        text.iter()
            .any(|t| t.contains("parameters") && (t.contains(name) || !t.contains("parameters.")))
    };
    let names = spec.parameters.iter().map(|p| &p.name);
    let unused = names.filter(|name| !declared.contains(*name) && !is_named(name));
    unused.cloned().collect()
}

fn check_inputs(key: &TemplateKey, template: &Value, entrypoint: &str, errors: &mut FieldErrors) {
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let given = spec.get("arguments").map_or(&[][..], |a| list(a, "artifacts"));
    let Some(index) = templates(template).iter().position(|t| text(t, "name") == entrypoint) else {
        return;
    };
    let inputs = templates(template)[index].get("inputs").unwrap_or(&Value::Null);
    for (i, artifact) in list(inputs, "artifacts").iter().enumerate() {
        let name = text(artifact, "name");
        let is_optional = artifact.get("optional") == Some(&Value::Bool(true));
        let is_somewhere = LOCATIONS.iter().any(|location| at(artifact, location).is_some());
        if !is_optional && !is_somewhere && !given.iter().any(|given| text(given, "name") == name) {
            let path = format!("{key}: spec.templates[{index}].inputs.artifacts[{i}]");
            errors.push(path, format!("`{name}` is nowhere: say where it is, e.g. by `s3.key`"));
        }
    }
}

/// The workflow's arguments that hold the trial's output folder.
fn carriers(study: &Study, names: &BTreeSet<String>) -> BTreeSet<String> {
    let facts = study.trial_facts(1, 1, None);
    let mut carriers = BTreeSet::new();
    for config in study.samples().into_iter().take(1) {
        if let Ok(passed) = passed::passed(study, names, &config, &facts) {
            let holds = |value: &str| !facts.output_key.is_empty() && value.contains(&facts.output_key);
            carriers.extend(
                passed
                    .into_iter()
                    .filter(|(_, value)| holds(value))
                    .map(|(name, _)| name),
            );
        }
    }
    carriers
}

fn bucket(study: &Study) -> &str {
    let path = study.spec.storage.output_path.as_deref().unwrap_or_default();
    path.trim_start_matches("s3://").split('/').next().unwrap_or_default()
}

/// Labels that make Argo take a Workflow for one that is over, or that hide it from the study.
fn check_labels(study: &Study, key: &TemplateKey, template: &Value, errors: &mut FieldErrors) {
    for name in study.spec.trial.metadata.labels.keys() {
        if name == COMPLETED_LABEL || name == PHASE_LABEL {
            let message = format!("`{name}` is set by Argo: with it, the trials would never run; leave it out");
            errors.push("spec.trial.metadata.labels", message);
        }
    }
    let metadata = template.get("spec").and_then(|spec| spec.get("workflowMetadata"));
    for field in ["labels", "labelsFrom"] {
        let labels = metadata.and_then(|m| m.get(field)).and_then(Value::as_object);
        for name in labels.into_iter().flatten().map(|(name, _)| name) {
            if name == COMPLETED_LABEL || name == PHASE_LABEL || name.starts_with("hyperstudy.dev/") {
                let path = format!("{key}: spec.workflowMetadata.{field}");
                errors.push(
                    path,
                    format!("`{name}` tells the study which Workflow it is, or how it stands: leave it out"),
                );
            }
        }
    }
}
