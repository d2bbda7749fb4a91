//! The parameters that a template declares, and whether given arguments fit them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Template, listed, nearest, read};
use crate::{api::FieldErrors, expr};

/// A parameter that a template declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Its value where none is passed.
    pub value: Option<String>,
    /// The values that it may have, where these are listed.
    pub choices: Option<Vec<String>>,
}

/// The parameters that are declared in one place: the workflow's arguments, or a template's inputs.
#[derive(Clone, Debug)]
pub(super) struct Level {
    /// Where they stand, e.g. `spec.arguments.parameters`.
    path: String,
    declared: Vec<Declared>,
    /// Those whose value comes from a config map or the like, with the path of that.
    elsewhere: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameter {
    #[serde(default)]
    name: String,
    value: Option<Value>,
    default: Option<Value>,
    #[serde(rename = "enum")]
    choices: Option<Vec<Value>>,
    value_from: Option<Value>,
}

impl Level {
    /// Reads `value.<key>.parameters`; `value.<key>` stands at `path`.
    pub fn read(value: &Value, key: &str, path: &str, errors: &mut FieldErrors) -> Self {
        let path = format!("{path}.parameters");
        let list = value.get(key).and_then(|level| level.get("parameters"));
        let mut level = Self {
            path: path.clone(),
            declared: Vec::new(),
            elsewhere: BTreeMap::new(),
        };
        for (i, entry) in read::<Vec<Value>>(list, &path, errors).iter().enumerate() {
            let path = format!("{path}[{i}]");
            let parameter: Parameter = read(Some(entry), &path, errors);
            if parameter.name.is_empty() {
                errors.push(format!("{path}.name"), "is missing");
                continue;
            }
            if parameter.value_from.is_some() {
                level
                    .elsewhere
                    .insert(parameter.name.clone(), format!("{path}.valueFrom"));
            }
            level.declared.push(Declared {
                value: parameter.value.or(parameter.default).map(|value| expr::text(&value)),
                choices: parameter
                    .choices
                    .map(|choices| choices.iter().map(expr::text).collect()),
                name: parameter.name,
            });
        }
        level
    }

    fn get(&self, name: &str) -> Option<&Declared> {
        self.declared.iter().find(|declared| declared.name == name)
    }
}

impl Template {
    /// The parameters that may be passed: those of the workflow's arguments, then those that only the entrypoint's inputs have, in their order.
    ///
    /// An entrypoint's input has the value of the workflow's argument of the same name, and its own where there is none.
    pub fn parameters(&self) -> Vec<Declared> {
        let only_input = |declared: &&Declared| self.workflow.get(&declared.name).is_none();
        let of_workflow = self.workflow.declared.iter().map(|declared| {
            let input = self.inputs.get(&declared.name);
            Declared {
                name: declared.name.clone(),
                value: declared.value.clone().or_else(|| input?.value.clone()),
                choices: declared.choices.clone().or_else(|| input?.choices.clone()),
            }
        });
        of_workflow
            .chain(self.inputs.declared.iter().filter(only_input).cloned())
            .collect()
    }

    /// Checks the arguments that will be passed, each with its value where that is known beforehand. The paths of errors are
    /// `arguments.parameters.<name>`.
    pub fn check_arguments(&self, given: &[(String, Option<String>)]) -> FieldErrors {
        let mut errors = FieldErrors::default();
        let declared = self.parameters();
        let names = || declared.iter().map(|declared| declared.name.as_str());
        for (name, value) in given {
            let path = format!("arguments.parameters.{name}");
            let Some(parameter) = declared.iter().find(|declared| declared.name == *name) else {
                let hint = match nearest(name, names()) {
                    Some(near) => format!("; did you mean `{near}`?"),
                    None if declared.is_empty() => "; it declares none".to_owned(),
                    None => format!("; it declares {}", listed(names())),
                };
                errors.push(
                    path,
                    format!("template `{}` declares no parameter `{name}`{hint}", self.name),
                );
                continue;
            };
            if let (Some(value), Some(choices)) = (value, &parameter.choices)
                && !choices.contains(value)
            {
                let choices = listed(choices.iter().map(String::as_str));
                errors.push(
                    path,
                    format!("`{value}` is none of the values that the template allows: {choices}"),
                );
            }
        }
        for Declared { name, value, .. } in &declared {
            if given.iter().any(|(given, _)| given == name) {
                continue;
            }
            let elsewhere = [&self.workflow, &self.inputs]
                .into_iter()
                .find_map(|level| level.elsewhere.get(name));
            if let Some(place) = elsewhere {
                errors.push(
                    format!("arguments.parameters.{name}"),
                    format!("its value comes from the cluster ({place}): pass one"),
                );
            } else if value.is_none() {
                errors.push(
                    format!("arguments.parameters.{name}"),
                    format!(
                        "template `{}` needs a value for `{name}`: it has no default, and nothing passes one",
                        self.name
                    ),
                );
            }
        }
        errors
    }

    /// The values of the workflow's parameters and of the entrypoint's inputs for these arguments.
    pub(super) fn values(
        &self,
        arguments: &BTreeMap<String, String>,
        errors: &mut FieldErrors,
    ) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let declared = |level: &Level| -> BTreeMap<String, String> {
            let given = level.declared.iter();
            given.filter_map(|d| Some((d.name.clone(), d.value.clone()?))).collect()
        };
        let mut workflow = declared(&self.workflow);
        workflow.extend(arguments.iter().map(|(name, value)| (name.clone(), value.clone())));
        let mut inputs = declared(&self.inputs);
        for Declared { name, .. } in &self.inputs.declared {
            if let Some(value) = workflow.get(name) {
                inputs.insert(name.clone(), value.clone());
            } else if !inputs.contains_key(name) {
                errors.push(
                    &self.inputs.path,
                    format!("`{name}` has no value: it has no default, and nothing passes one"),
                );
            }
        }
        (workflow, inputs)
    }
}
