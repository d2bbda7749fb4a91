//! A command for a shell, with `${...}` in it.

use crate::{
    api::{FieldErrors, ParameterMap},
    expr::{Part, Variables},
    space::Space,
};

use super::{
    StudyFacts, TrialFacts,
    checked::{Checked, each},
    shell::{Shell, quote},
};

/// Where the command stands: on the command line.
const PATH: &str = "--exec";

/// A command for a POSIX shell (`sh -c`), with `${...}` in it. Each value is quoted, so that it is one word whatever is in it, and never anything that the shell would run.
#[derive(Debug)]
pub struct Command {
    command: Checked,
}

impl Command {
    /// Checks and compiles a command. `extra_trial_fields` are fields of `trial` beside those that there are in a cluster, e.g. `outputDir`.
    ///
    /// # Errors
    /// Everything that is wrong, at once, with the path `--exec`: as with arguments, and a `${...}` where the shell would not read a quoted value as one word
    /// (in quotes, back quotes, arithmetic, comments, here-documents, right after `$` or `\`).
    pub fn compile(source: &str, space: &Space, extra_trial_fields: &[&str]) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        if source.trim().is_empty() {
            errors.push(PATH, "the command is empty");
        }
        if source.contains('\0') {
            errors.push(PATH, "the command holds a NUL character, which no command can");
        }
        let command = Checked::compile(source, space, extra_trial_fields);
        if let Ok(command) = &command {
            let mut shell = Shell::default();
            for part in command.template().parts() {
                match part {
                    Part::Text(text) => shell.read(text),
                    Part::Value { place, .. } => {
                        if let Err(reason) = shell.value() {
                            errors.push(PATH, format!("the `${{...}}` at {place} {reason}"));
                        }
                    }
                }
            }
        }
        match command {
            Ok(command) => errors.or_ok(Self { command }),
            Err(messages) => {
                messages.into_iter().for_each(|message| errors.push(PATH, message));
                Err(errors)
            }
        }
    }

    /// The command with each value quoted in its place. For `variables` see [`super::variables`].
    ///
    /// # Errors
    /// One sentence for people; a value with a NUL character among it.
    pub fn render(&self, variables: &Variables) -> Result<String, String> {
        render(&self.command, variables)
    }

    /// Tries the command on `configs`, e.g. sampled ones, as a trial with facts like `trial` of a study like `study` would.
    ///
    /// # Errors
    /// The first configuration on which it fails, the reason, and what to do.
    pub fn check_on(
        &self,
        configs: &[ParameterMap],
        trial: &TrialFacts,
        study: &StudyFacts,
    ) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        if let Some(message) = self.command.failure(&each(configs, trial, study), render) {
            errors.push(PATH, message);
        }
        errors.or_ok(())
    }
}

fn render(command: &Checked, variables: &Variables) -> Result<String, String> {
    let rendered = command.template().render_with(variables, |value| quote(&value))?;
    if rendered.contains('\0') {
        return Err("a value holds a NUL character, which no command can".to_owned());
    }
    Ok(rendered)
}
