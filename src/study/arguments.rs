//! What is passed to a trial: the study's arguments with their `${...}`, and the command of `--exec`.
//!
//! Every name in them is checked against the space when the study is admitted, and they are tried on sampled configurations, so that nothing that a person wrote fails later.

mod checked;
mod command;
mod facts;
mod shell;

#[cfg(test)]
mod tests;

pub use command::Command;
pub use facts::{StudyFacts, TrialFacts, variables};

use crate::{
    api::{self, FieldErrors, ParameterMap},
    expr::Variables,
    space::Space,
};
use checked::Checked;

/// Where the arguments stand in a study.
const PATH: &str = "spec.trial.arguments.parameters";

/// The study's arguments, compiled.
#[derive(Debug)]
pub struct Arguments {
    arguments: Vec<Argument>,
}

#[derive(Debug)]
struct Argument {
    name: String,
    value: Checked,
}

impl Arguments {
    /// Checks and compiles arguments. `extra_trial_fields` are fields of `trial` beside those that there are in a cluster, e.g. `outputDir`.
    ///
    /// # Errors
    /// Everything that is wrong, at once, paths starting with `spec.trial.arguments.parameters[i]`: names that Argo does not take or that stand twice,
    /// templates that do not parse, variables, parameters and fields that do not exist.
    pub fn compile(spec: &[api::Argument], space: &Space, extra_trial_fields: &[&str]) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut arguments: Vec<Argument> = Vec::with_capacity(spec.len());
        for (index, argument) in spec.iter().enumerate() {
            let path = format!("{PATH}[{index}]");
            let name = argument.name.as_str();
            if !is_name(name) {
                errors.push(
                    format!("{path}.name"),
                    format!("`{name}` is no name that Argo takes: use letters, digits, `-` and `_`"),
                );
            } else if let Some(first) = spec.iter().take(index).position(|earlier| earlier.name == name) {
                errors.push(
                    format!("{path}.name"),
                    format!("`{name}` is given already, by {PATH}[{first}]: leave one of them out"),
                );
            }
            match Checked::compile(&argument.value, space, extra_trial_fields) {
                Ok(value) => arguments.push(Argument {
                    name: name.to_owned(),
                    value,
                }),
                Err(messages) => messages
                    .into_iter()
                    .for_each(|m| errors.push(format!("{path}.value"), m)),
            }
        }
        errors.or_ok(Self { arguments })
    }

    /// The names, in the order in which they are given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.arguments.iter().map(|argument| argument.name.as_str())
    }

    /// Each argument's name and value, in the order in which they are given. For `variables` see [`variables`].
    ///
    /// # Errors
    /// Those that cannot be evaluated here.
    pub fn render(&self, variables: &Variables) -> Result<Vec<(String, String)>, FieldErrors> {
        let mut errors = FieldErrors::default();
        let mut rendered = Vec::with_capacity(self.arguments.len());
        for (index, argument) in self.arguments.iter().enumerate() {
            match argument.value.template().render(variables) {
                Ok(value) => rendered.push((argument.name.clone(), value)),
                Err(message) => errors.push(value_path(index), message),
            }
        }
        errors.or_ok(rendered)
    }

    /// Tries every argument on `configs`, e.g. sampled ones, as a trial with facts like `trial` of a study like `study` would.
    ///
    /// # Errors
    /// Each argument that fails, once, with the first configuration on which it does, the reason, and what to do.
    pub fn check_on(
        &self,
        configs: &[ParameterMap],
        trial: &TrialFacts,
        study: &StudyFacts,
    ) -> Result<(), FieldErrors> {
        let variables = checked::each(configs, trial, study);
        let mut errors = FieldErrors::default();
        for (index, argument) in self.arguments.iter().enumerate() {
            let failure = argument
                .value
                .failure(&variables, |value, variables| value.template().render(variables));
            if let Some(message) = failure {
                errors.push(value_path(index), message);
            }
        }
        errors.or_ok(())
    }
}

fn value_path(index: usize) -> String {
    format!("{PATH}[{index}].value")
}

/// Whether Argo takes `name` for an argument.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}
