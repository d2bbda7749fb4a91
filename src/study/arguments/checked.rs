//! A template whose names have been checked against a study's space.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::ParameterMap,
    expr::{Expression, Template, Variables, nearest, no_value, text},
    space::Space,
};

use super::facts::{STUDY_FIELDS, StudyFacts, TRIAL_FIELDS, TrialFacts, with_parameters, without_parameters};

/// How many characters of a value an example shows.
const SHOWN: usize = 40;

/// A template whose names have been checked.
#[derive(Debug)]
pub(super) struct Checked {
    template: Template,
    /// The parameters that it reads, each with its condition.
    reads: BTreeMap<String, Option<String>>,
    /// The parameters that an example of a configuration shows: what it reads, and what the conditions of those read.
    shown: BTreeSet<String>,
}

impl Checked {
    /// Compiles `source` and checks its names.
    ///
    /// # Errors
    /// A sentence for each thing that is wrong.
    pub(super) fn compile(source: &str, space: &Space, extra_trial_fields: &[&str]) -> Result<Self, Vec<String>> {
        let template = Template::compile(source).map_err(|message| vec![message])?;
        let mut wrong = Vec::new();
        let mut reads = BTreeMap::new();
        for expression in template.expressions() {
            check_variables(expression, space, &mut wrong);
            for field in expression.fields_of("parameters") {
                match space.parameters().iter().find(|parameter| parameter.name == *field) {
                    Some(parameter) => {
                        reads.insert(field.clone(), parameter.when.clone());
                    }
                    None => wrong.push(unknown("parameter", field, parameter_names(space))),
                }
            }
            let trial = || TRIAL_FIELDS.iter().chain(extra_trial_fields).copied();
            for (root, fields) in [("trial", trial().collect::<Vec<_>>()), ("study", STUDY_FIELDS.to_vec())] {
                for field in expression.fields_of(root) {
                    if !fields.contains(&field.as_str()) {
                        let place = format!("field of `{root}`");
                        let message = unknown(&place, field, fields.iter().copied());
                        wrong.push(format!("{message} ({root} has {})", fields.join(", ")));
                    }
                }
            }
        }
        wrong.dedup();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let mut shown: BTreeSet<String> = reads.keys().cloned().collect();
        for condition in reads.values().flatten() {
            if let Ok(condition) = Expression::compile(condition) {
                shown.extend(condition.fields_of("parameters").iter().cloned());
            }
        }
        Ok(Self { template, reads, shown })
    }

    pub(super) fn template(&self) -> &Template {
        &self.template
    }

    /// Why `render` fails on one of these configurations, if it does on any: with the first such one, the reason, and what to do.
    pub(super) fn failure(
        &self,
        configs: &[(&ParameterMap, Variables)],
        render: impl Fn(&Self, &Variables) -> Result<String, String>,
    ) -> Option<String> {
        configs.iter().find_map(|(config, variables)| {
            let error = render(self, variables).err()?;
            let advice = self.advice(&error);
            Some(match self.example(config) {
                Some(example) => format!("with {example}: {error}{advice}"),
                None => format!("{error}{advice}"),
            })
        })
    }

    /// The part of a configuration that matters here: `optimizer=adam`.
    fn example(&self, config: &ParameterMap) -> Option<String> {
        let values: Vec<String> = config
            .iter()
            .filter(|(name, _)| self.shown.contains(*name))
            .map(|(name, value)| {
                let value = text(value);
                let short: String = value.chars().take(SHOWN).collect();
                let dots = if short.len() < value.len() { "..." } else { "" };
                format!("{name}={short}{dots}")
            })
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// What to do about `error`, where it is that something is not there.
    fn advice(&self, error: &str) -> String {
        if error.ends_with(&no_value("trial.inputPath")) {
            return ": the study gives no storage.inputPath".to_owned();
        }
        if error.ends_with(&no_value("trial.modelInputPath")) {
            return ": this trial goes on from no other; use it only behind `has(trial.modelInputPath)`".to_owned();
        }
        let missing = self
            .reads
            .iter()
            .find(|(name, _)| error.ends_with(&no_value(&format!("parameters.{name}"))));
        match missing {
            Some((name, Some(when))) => format!(
                ": it is active only when `{when}`; use it only behind its condition, e.g. `${{has(parameters.{name}) ? string(parameters.{name}) : ''}}`"
            ),
            _ => String::new(),
        }
    }
}

/// The variables on each configuration, for a trial with these facts.
pub(super) fn each<'c>(
    configs: &'c [ParameterMap],
    trial: &TrialFacts,
    study: &StudyFacts,
) -> Vec<(&'c ParameterMap, Variables)> {
    let rest = without_parameters(trial, study);
    configs
        .iter()
        .map(|config| (config, with_parameters(&rest, config)))
        .collect()
}

fn check_variables(expression: &Expression, space: &Space, wrong: &mut Vec<String>) {
    for variable in expression.variables() {
        if ["parameters", "trial", "study"].contains(&variable.as_str()) {
            continue;
        }
        wrong.push(if parameter_names(space).any(|name| name == variable) {
            format!("`{variable}` is not known here: write `parameters.{variable}`")
        } else {
            format!("`{variable}` is not known here: an expression reads `parameters`, `trial` and `study`")
        });
    }
}

fn parameter_names(space: &Space) -> impl Iterator<Item = &str> {
    space.parameters().iter().map(|parameter| parameter.name.as_str())
}

fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, names) {
        Some(near) => format!("there is no {what} `{name}`: do you mean `{near}`?"),
        None => format!("there is no {what} `{name}`"),
    }
}
