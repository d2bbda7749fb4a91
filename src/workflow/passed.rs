//! What is passed to a template: what the study lists, and what the template declares by a name that is known without.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    declared::{Declared, Own},
    listed,
};
use crate::{
    api::{FieldErrors, ParameterMap},
    expr,
    study::{
        Study,
        arguments::{TrialFacts, variables},
    },
};

/// Where the study's arguments stand.
const LISTED: &str = "spec.trial.arguments.parameters";
/// How many values of an argument an error names.
const SHOWN: usize = 5;

/// The names under which a trial's paths are passed without being listed.
const PATHS: [&str; 4] = ["input_path", "output_path", "output_key", "model_input_path"];

/// Everything that is passed for a trial, in order, each name once: what `declared` names and is known without, then what the study lists.
///
/// # Errors
/// An argument that cannot be rendered for this configuration.
pub(super) fn passed(
    study: &Study,
    declared: &BTreeSet<String>,
    parameters: &ParameterMap,
    trial: &TrialFacts,
) -> Result<Vec<(String, String)>, FieldErrors> {
    let known = |name: &str| match name {
        "input_path" => trial.input_path.clone(),
        "output_path" => Some(trial.output_path.clone()),
        "output_key" => Some(trial.output_key.clone()),
        "model_input_path" => trial.model_input_path.clone(),
        _ => None,
    };
    let listed: BTreeSet<&str> = study.arguments.names().collect();
    let mut passed: Vec<(String, String)> = declared
        .iter()
        .filter(|name| !listed.contains(name.as_str()))
        .filter_map(|name| {
            let value = parameters.get(name).map(expr::text).or_else(|| known(name))?;
            Some((name.clone(), value))
        })
        .collect();
    passed.extend(study.arguments.render(&variables(parameters, trial, &study.facts()))?);
    Ok(passed)
}

/// The parameters that may be passed: where they stand in the template.
pub(super) struct Accepted {
    /// Which template it is, for people.
    pub object: String,
    /// Those of the workflow's arguments.
    pub workflow: Vec<Declared>,
    /// Those that only the inputs of the templates to start with have, which get the workflow's arguments.
    pub inputs: Vec<Declared>,
}

impl Accepted {
    /// All names that may be passed.
    pub fn names(&self) -> BTreeSet<String> {
        self.all().map(|declared| declared.name.clone()).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Declared> {
        self.workflow.iter().chain(&self.inputs)
    }

    fn place(&self, declared: &Declared) -> String {
        format!("{}: {}", self.object, declared.path)
    }

    /// Checks what a study passes: on sampled configurations, and on every value of a parameter that is passed as it is.
    pub fn check(&self, study: &Study, errors: &mut FieldErrors) {
        self.check_names(study, errors);
        let names = self.names();
        let facts = study.trial_facts(1, 1, None);
        let mut seen = Seen::default();
        for config in study.samples() {
            // What cannot be rendered has been said already.
            if let Ok(passed) = passed(study, &names, &config, &facts) {
                seen.note(passed, &names);
            }
        }
        seen.note_lists(study, &names);
        self.check_values(study, &seen, errors);
        self.check_missing(study, &seen, errors);
    }

    /// Argo takes what no template declares, and nobody would know.
    fn check_names(&self, study: &Study, errors: &mut FieldErrors) {
        let names = self.names();
        for (i, name) in study.arguments.names().enumerate() {
            if names.contains(name) {
                continue;
            }
            let known = || names.iter().map(String::as_str);
            let hint = match expr::nearest(name, known()) {
                Some(near) => format!(": do you mean `{near}`?"),
                None if names.is_empty() => ": it declares none".to_owned(),
                None => format!(": it declares {}", listed(known())),
            };
            errors.push(
                format!("{LISTED}[{i}].name"),
                format!("the {} declares no parameter `{name}`{hint}", self.object),
            );
        }
    }

    /// Argo does not look at `enum` for what is passed.
    fn check_values(&self, study: &Study, seen: &Seen, errors: &mut FieldErrors) {
        for declared in self.all().filter(|declared| declared.choices.is_some()) {
            let values = seen.values.get(&declared.name);
            let wrong: Vec<&str> = values
                .into_iter()
                .flatten()
                .map(String::as_str)
                .filter(|value| !declared.allows(value))
                .collect();
            let path = argument_path(study, &declared.name);
            if !wrong.is_empty() {
                let more = if wrong.len() > SHOWN { ", ..." } else { "" };
                let shown = listed(wrong.into_iter().take(SHOWN));
                let message = format!(
                    "passes {shown}{more} to `{}`, for which the {} allows {}",
                    declared.name,
                    self.object,
                    declared.allowed()
                );
                errors.push(path.unwrap_or_else(|| self.place(declared)), message);
            } else if values.is_none() {
                self.check_own(declared, errors);
            }
        }
    }

    /// A value that the template itself gives.
    fn check_own(&self, declared: &Declared, errors: &mut FieldErrors) {
        if let Own::Value(value) = &declared.own
            && !declared.allows(value)
        {
            let allowed = declared.allowed();
            let message = format!("its value `{value}` is none of those that its `enum` allows: {allowed}");
            errors.push(self.place(declared), message);
        }
    }

    /// What has to have a value and gets none, always or for some configurations.
    fn check_missing(&self, study: &Study, seen: &Seen, errors: &mut FieldErrors) {
        for declared in &self.workflow {
            self.check_value(study, declared, seen, errors);
        }
        let has_own = |name: &str| self.workflow.iter().any(|declared| declared.name == name);
        for declared in self.inputs.iter().filter(|declared| !has_own(&declared.name)) {
            self.check_value(study, declared, seen, errors);
        }
    }

    fn check_value(&self, study: &Study, declared: &Declared, seen: &Seen, errors: &mut FieldErrors) {
        let name = declared.name.as_str();
        if declared.own != Own::Missing || !seen.without.contains(name) {
            return;
        }
        let condition = study.space.parameters().iter().find(|p| p.name == name);
        let why = match (name, condition.and_then(|p| p.when.as_deref())) {
            (_, Some(when)) => format!(
                "the parameter `{name}` has none unless `{when}`: give it a value in the template, or list it as an argument, e.g. as \
                 `${{has(parameters.{name}) ? string(parameters.{name}) : ''}}`"
            ),
            ("input_path", _) => {
                "the study gives no `storage.inputPath`: set that, or give it a value in the template".to_owned()
            }
            ("model_input_path", _) => {
                "a trial that goes on from no other has none: give it a value in the template, e.g. an empty one"
                    .to_owned()
            }
            _ => format!(
                "it has none in the template, and nothing passes one: list `{name}` in the study's `trial.arguments.parameters`, or give it \
                 a value in the template"
            ),
        };
        errors.push(self.place(declared), format!("`{name}` needs a value: {why}"));
    }
}

/// Where the study says what is passed as `name`.
fn argument_path(study: &Study, name: &str) -> Option<String> {
    if let Some(index) = study.arguments.names().position(|listed| listed == name) {
        return Some(format!("{LISTED}[{index}].value"));
    }
    let index = study.spec.parameters.iter().position(|p| p.name == name);
    let is_path = || PATHS.contains(&name).then(|| "spec.storage".to_owned());
    index.map(|index| format!("spec.parameters[{index}]")).or_else(is_path)
}

/// What is passed with the configurations that were tried.
#[derive(Default)]
struct Seen {
    /// Each argument's values.
    values: BTreeMap<String, BTreeSet<String>>,
    /// What is not passed with each configuration.
    without: BTreeSet<String>,
}

impl Seen {
    /// Notes what is passed with one configuration, of `names`.
    fn note(&mut self, passed: Vec<(String, String)>, names: &BTreeSet<String>) {
        let is_passed = |name: &&String| passed.iter().any(|(passed, _)| passed == *name);
        self.without
            .extend(names.iter().filter(|name| !is_passed(name)).cloned());
        for (name, value) in passed {
            self.values.entry(name).or_default().insert(value);
        }
    }

    /// Every value of a parameter that is passed by its own name, or as nothing but `${parameters.name}`.
    fn note_lists(&mut self, study: &Study, names: &BTreeSet<String>) {
        for parameter in &study.spec.parameters {
            let own = &parameter.name;
            let values: Vec<&Value> = match (&parameter.ordinal, &parameter.categorical, &parameter.constant) {
                (Some(ordinal), _, _) => ordinal.values.iter().collect(),
                (_, Some(categorical), _) => categorical.values.iter().collect(),
                (_, _, Some(constant)) => vec![constant],
                _ => continue,
            };
            let is_listed = |name: &str| study.arguments.names().any(|listed| listed == name);
            let whole = format!("${{parameters.{own}}}");
            let arguments = &study.spec.trial.arguments.parameters;
            let mut under: Vec<&str> = arguments
                .iter()
                .filter(|argument| argument.value == whole)
                .map(|argument| argument.name.as_str())
                .collect();
            if names.contains(own) && !is_listed(own) {
                under.push(own);
            }
            for name in under {
                let known = self.values.entry(name.to_owned()).or_default();
                known.extend(values.iter().map(|value| expr::text(value)));
            }
        }
    }
}
