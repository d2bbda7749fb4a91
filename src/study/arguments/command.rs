//! A command for a shell, with `${...}` in it.

use std::cell::RefCell;

use crate::{
    api::{FieldErrors, ParameterMap},
    expr::{Part, Variables},
    space::Space,
};

use super::{
    StudyFacts, TrialFacts,
    checked::{Checked, each},
    shell::{Place, Shell, quote},
};

/// Where the command stands: on the command line.
const PATH: &str = "--exec";

/// A command for a POSIX shell (`sh -c`), with `${...}` in it. Each value is quoted as its
/// place asks for, in or out of quotes, so that the shell takes it as it is and never runs any of it.
#[derive(Debug)]
pub struct Command {
    command: Checked,
    /// Of each `${...}`, in order, how it stands in the command.
    places: Vec<Place>,
}

impl Command {
    /// Checks and compiles a command. `extra_trial_fields` are fields of `trial` beside those that there are in a cluster, e.g. `outputDir`.
    ///
    /// # Errors
    /// Everything that is wrong, at once, with the path `--exec`: as with arguments, and a `${...}` where no quoting holds
    /// (in back quotes, arithmetic, comments, here-documents, right after `$` or `\`).
    pub fn compile(source: &str, space: &Space, extra_trial_fields: &[&str]) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        if source.trim().is_empty() {
            errors.push(PATH, "the command is empty");
        }
        if source.contains('\0') {
            errors.push(PATH, "the command holds a NUL character, which no command can");
        }
        let command = Checked::compile(source, space, extra_trial_fields);
        let mut places = Vec::new();
        if let Ok(command) = &command {
            let mut shell = Shell::default();
            for part in command.template().parts() {
                match part {
                    Part::Text(text) => shell.read(text),
                    Part::Value { place, .. } => match shell.value() {
                        Ok(place) => places.push(place),
                        Err(reason) => errors.push(PATH, format!("the `${{...}}` at {place} {reason}")),
                    },
                }
            }
        }
        match command {
            Ok(command) => errors.or_ok(Self { command, places }),
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
        self.with_values(&self.command, variables)
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
        if let Some(message) = self
            .command
            .failure(&each(configs, trial, study), |command, variables| {
                self.with_values(command, variables)
            })
        {
            errors.push(PATH, message);
        }
        errors.or_ok(())
    }

    fn with_values(&self, command: &Checked, variables: &Variables) -> Result<String, String> {
        let places = RefCell::new(self.places.iter());
        let rendered = command.template().render_with(variables, |value| {
            let place = places.borrow_mut().next().copied().unwrap_or(Place::Word);
            quote(&value, place)
        })?;
        if rendered.contains('\0') {
            return Err("a value holds a NUL character, which no command can".to_owned());
        }
        Ok(rendered)
    }
}
