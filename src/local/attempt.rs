//! From a trial's configuration to what is run for an attempt.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::{
    environment::{self, Environment},
    load::Choice,
    process::Launch,
};
use crate::{
    expr::{Template, Variables},
    study::{Study, Trial},
};

/// What trials run.
#[derive(Debug)]
pub enum Program {
    /// A command that a shell runs in the caller's folder.
    Exec(Template),
}

/// Where an attempt's files are.
#[derive(Debug)]
pub struct Files {
    /// Its output folder.
    pub output: PathBuf,
    /// Its log.
    pub log: PathBuf,
}

impl Program {
    /// What `choice` names, checked against the study where that is known.
    ///
    /// # Errors
    /// Everything that is wrong, one line each.
    pub fn compile(choice: &Choice, _study: Option<&Study>) -> Result<Self, Vec<String>> {
        match choice {
            Choice::Exec(command) => Template::compile(command)
                .map(Self::Exec)
                .map_err(|e| vec![format!("--exec: {e}")]),
            Choice::Template(file) => Err(vec![format!("{}: not there yet", file.display())]),
            Choice::None => {
                let message = "say what a trial runs: --template FILE with the WorkflowTemplate, or --exec COMMAND";
                Err(vec![message.to_owned()])
            }
        }
    }

    /// What to run for attempt `attempt` of `trial`.
    ///
    /// # Errors
    /// Why it cannot be run, for people.
    pub fn launch(
        &self,
        study: &Study,
        trial: &Trial,
        attempt: u32,
        environment: &Environment,
        files: Files,
    ) -> Result<Launch, String> {
        let output_path = study.trial_folder(trial.number);
        let env = environment.of(&environment::Attempt {
            uid: &study.uid,
            number: trial.number,
            attempt,
            parameters: &trial.parameters,
            output_dir: files.output.as_os_str(),
            output_path: &output_path,
        });
        let timeout: Option<Duration> = study.spec.trial.timeout.map(|t| t.0);
        match self {
            Self::Exec(command) => {
                let variables = variables(study, trial, attempt, &output_path, &files)?;
                let line = command.render_with(&variables, quoted)?;
                Ok(Launch {
                    program: "sh".into(),
                    args: vec!["-c".into(), line.into()],
                    env,
                    env_remove: environment.removed().to_vec(),
                    dir: None,
                    log: files.log,
                    timeout,
                    is_shell: true,
                })
            }
        }
    }
}

fn variables(
    study: &Study,
    trial: &Trial,
    attempt: u32,
    output_path: &str,
    files: &Files,
) -> Result<Variables, String> {
    let output_dir = files
        .output
        .to_str()
        .ok_or_else(|| format!("{} is no UTF-8", files.output.display()))?;
    let mut variables = Variables::default();
    variables.set_object(
        "parameters",
        trial.parameters.iter().map(|(name, value)| (name.as_str(), value)),
    );
    let key = output_path
        .strip_prefix("s3://")
        .and_then(|path| path.split_once('/'))
        .map_or("", |(_, key)| key);
    let trial = json!({
        "number": trial.number,
        "name": study.trial_name(trial.number),
        "attempt": attempt,
        "outputPath": output_path,
        "outputKey": key,
        "outputDir": output_dir,
        "inputPath": study.spec.storage.input_path.as_deref().unwrap_or_default(),
    });
    variables.set("trial", &trial);
    let study: Value = json!({"name": study.name, "namespace": study.namespace, "uid": study.uid});
    variables.set("study", &study);
    Ok(variables)
}

/// A text as one word of a shell's.
fn quoted(text: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
