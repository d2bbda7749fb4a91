//! What a trial runs, and from its configuration to the process of one attempt.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    artifacts, commands,
    environment::{self, Environment},
    load::{self, Choice, LOCAL_FIELDS},
    process::{Launch, Order},
    template::{Invocation, Template, WorkflowFacts},
};
use crate::{
    api::{FieldError, FieldErrors, ParameterMap},
    expr,
    storage::Store,
    study::{
        Failure, RunState, Study, Trial,
        arguments::{Command, TrialFacts, variables},
    },
};

/// The shell of `--exec`, where POSIX systems have it: searching the path for it would cost a system call for each folder there.
const SHELL: &str = "/bin/sh";

/// The scratch folder of the attempts that are tried before anything runs; nothing is there.
const SAMPLE_SCRATCH: &str = "/scratch";

/// What trials run.
#[derive(Debug)]
pub enum Program {
    /// A command that a shell runs in the caller's folder.
    Exec(Command),
    /// The template of a WorkflowTemplate.
    Template(Box<Template>),
}

/// Where an attempt's files are.
#[derive(Clone, Debug)]
pub struct Files {
    /// Its output folder.
    pub output: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// A folder for itself, where it needs one.
    pub scratch: PathBuf,
}

/// An attempt that is ready to run.
#[derive(Debug)]
pub struct Prepared {
    launch: Launch,
    /// What is fetched before, and kept after it.
    artifacts: Option<Artifacts>,
}

#[derive(Debug)]
struct Artifacts {
    invocation: Invocation,
    bucket: String,
    scratch: PathBuf,
}

impl Program {
    /// What `choice` names, checked against the study and tried on sampled configurations.
    ///
    /// # Errors
    /// Everything that is wrong, one line each.
    pub fn compile(choice: &Choice, study: &Study) -> Result<Self, Vec<String>> {
        let lines = |errors: FieldErrors| load::lines(&errors);
        let configs = study.samples();
        let files = Files {
            output: "/output".into(),
            log: "/log".into(),
            scratch: SAMPLE_SCRATCH.into(),
        };
        let trial = trial_facts(study, 1, 1, None, &files);
        match choice {
            Choice::Exec(source) => {
                let command = Command::compile(source, &study.space, LOCAL_FIELDS).map_err(lines)?;
                command.check_on(&configs, &trial, &study.facts()).map_err(lines)?;
                match commands::missing_in(source) {
                    Some(name) => Err(vec![format!("--exec: there is no command `{name}` here")]),
                    None => Ok(Self::Exec(command)),
                }
            }
            Choice::Template(file) => template(study, file).and_then(|template| {
                try_template(study, &template, &configs, &trial, file)?;
                Ok(Self::Template(Box::new(template)))
            }),
            Choice::None => {
                let message = "say what a trial runs: --template FILE with the WorkflowTemplate, or --exec COMMAND";
                Err(vec![message.to_owned()])
            }
        }
    }

    /// What the program does not heed, one sentence each.
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Exec(_) => &[],
            Self::Template(template) => template.warnings(),
        }
    }

    /// What to run for attempt `attempt` of `trial`.
    ///
    /// # Errors
    /// Why it cannot be run, for people.
    pub fn prepare(
        &self,
        study: &Study,
        trial: &Trial,
        attempt: u32,
        environment: &Environment,
        files: &Files,
    ) -> Result<Prepared, String> {
        let output_path = study.trial_folder(trial.number);
        let env = environment.of(&environment::Attempt {
            number: trial.number,
            attempt,
            parameters: &trial.parameters,
            output_dir: files.output.as_os_str(),
            output_path: &output_path,
        });
        let facts = trial_facts(study, trial.number, attempt, trial.continues, files);
        let mut launch = Launch {
            program: SHELL.into(),
            args: Vec::new(),
            env,
            env_remove: environment.removed().to_vec(),
            dir: None,
            log: files.log.clone(),
            timeout: study
                .spec
                .trial
                .timeout
                .map(|t: crate::api::Duration| -> Duration { t.0 }),
            is_shell: false,
        };
        match self {
            Self::Exec(command) => {
                let line = command.render(&variables(&trial.parameters, &facts, &study.facts()))?;
                launch.args = vec!["-c".into(), line.into()];
                launch.is_shell = true;
                Ok(Prepared {
                    launch,
                    artifacts: None,
                })
            }
            Self::Template(template) => {
                let passed = arguments(study, template, &trial.parameters, &facts).map_err(|e| e.to_string())?;
                let workflow = workflow_facts(study, trial.number, attempt);
                let invocation = template
                    .invocation(&passed, &workflow, &files.scratch)
                    .map_err(|e| e.to_string())?;
                let mut argv = invocation.argv.iter();
                launch.program = argv.next().ok_or("the template has no command")?.into();
                launch.args = argv.map(Into::into).collect();
                launch
                    .env
                    .extend(invocation.env.iter().map(|(name, value)| (name.into(), value.into())));
                launch.dir.clone_from(&invocation.working_dir);
                let bucket = output_path
                    .trim_start_matches("s3://")
                    .split('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let scratch = files.scratch.clone();
                Ok(Prepared {
                    launch,
                    artifacts: Some(Artifacts {
                        invocation,
                        bucket,
                        scratch,
                    }),
                })
            }
        }
    }
}

impl Prepared {
    /// Runs the attempt to its end: fetches what it needs, runs its process, keeps what it leaves.
    pub async fn run(self, store: &Store, order: oneshot::Receiver<Order>) -> RunState {
        let Some(artifacts) = self.artifacts else {
            return self.launch.run(order).await;
        };
        let Artifacts {
            invocation,
            bucket,
            scratch,
        } = &artifacts;
        let failed = |what: &str, error: String| RunState::Failed(Failure::Failed, format!("{what}: {error}"));
        let fetched = match tokio::fs::create_dir_all(scratch).await {
            Ok(()) => artifacts::prepare(store, bucket, invocation, scratch)
                .await
                .map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let mut state = match fetched {
            Ok(()) => self.launch.run(order).await,
            Err(error) => failed("its inputs cannot be made ready", error),
        };
        if state == RunState::Succeeded
            && let Err(error) = artifacts::keep(store, bucket, invocation, scratch).await
        {
            state = failed("its outputs cannot be kept", error.to_string());
        }
        // A scratch folder that stays is cleared by the next run.
        let _ = tokio::fs::remove_dir_all(scratch).await;
        state
    }
}

fn trial_facts(study: &Study, number: u32, attempt: u32, continues: Option<u32>, files: &Files) -> TrialFacts {
    TrialFacts {
        output_dir: Some(files.output.to_string_lossy().into_owned()),
        ..study.trial_facts(number, attempt, continues)
    }
}

fn workflow_facts(study: &Study, number: u32, attempt: u32) -> WorkflowFacts {
    let metadata = &study.spec.trial.metadata;
    WorkflowFacts {
        name: study.run_name(number, attempt),
        namespace: study.namespace.clone(),
        uid: format!("{}-{number}-{attempt}", study.uid),
        labels: metadata.labels.clone(),
        annotations: metadata.annotations.clone(),
        priority: study.spec.trial.priority,
    }
}

fn template(study: &Study, file: &Path) -> Result<Template, Vec<String>> {
    let documents = load::read_documents(file).map_err(|e| vec![e])?;
    let trial = &study.spec.trial;
    Template::from_documents(
        &documents,
        trial.workflow_template_ref.as_ref(),
        trial.entrypoint.as_deref(),
    )
    .map_err(|errors| errors.0.iter().map(|error| in_template(study, file, error)).collect())
}

/// What is wrong with a template, with the study's field where that is to blame, else with the template's own.
fn in_template(study: &Study, file: &Path, error: &FieldError) -> String {
    let FieldError { path, message } = error;
    let file = file.display();
    let name = path.strip_prefix("arguments.parameters.");
    if let Some(index) = name.and_then(|name| study.arguments.names().position(|listed| listed == name)) {
        format!("spec.trial.arguments.parameters[{index}]: {file}: {message}")
    } else if path.starts_with("trial.") {
        format!("spec.{path}: {file}: {message}")
    } else if path.is_empty() {
        format!("{file}: {message}")
    } else {
        format!("{file}: {path}: {message}")
    }
}

/// Everything that would go wrong with the template on one of `configs`, each thing once.
fn try_template(
    study: &Study,
    template: &Template,
    configs: &[ParameterMap],
    trial: &TrialFacts,
    file: &Path,
) -> Result<(), Vec<String>> {
    // Values of one argument that are wrong in the same way with each configuration are one thing.
    let mut said = FieldErrors::default();
    for parameters in configs {
        // What cannot be evaluated has been said already.
        let Ok(passed) = arguments(study, template, parameters, trial) else {
            continue;
        };
        let given: Vec<(String, Option<String>)> = passed.iter().map(|(n, v)| (n.clone(), Some(v.clone()))).collect();
        let mut errors = template.check_arguments(&given);
        if errors.0.is_empty() {
            match template.invocation(&passed, &workflow_facts(study, 1, 1), Path::new(SAMPLE_SCRATCH)) {
                Ok(invocation) => {
                    let program = invocation.argv.first().filter(|p| !p.starts_with(SAMPLE_SCRATCH));
                    if let Some(name) = program.filter(|name| !commands::exists(name)) {
                        errors.push("command", format!("there is no command `{name}` on this machine"));
                    }
                }
                Err(wrong) => errors.0.extend(wrong.0),
            }
        }
        for error in errors.0 {
            if !said.0.iter().any(|s| s.path == error.path) {
                said.0.push(error);
            }
        }
    }
    let named = |errors: FieldErrors| errors.0.iter().map(|error| in_template(study, file, error)).collect();
    said.or_ok(()).map_err(named)
}

/// The arguments of a template: what the study lists, and what the template declares by a name that is known without.
fn arguments(
    study: &Study,
    template: &Template,
    parameters: &ParameterMap,
    trial: &TrialFacts,
) -> Result<BTreeMap<String, String>, FieldErrors> {
    let known = |name: &str| match name {
        "input_path" => trial.input_path.clone(),
        "output_path" => Some(trial.output_path.clone()),
        "output_key" => Some(trial.output_key.clone()),
        "model_input_path" => trial.model_input_path.clone(),
        _ => None,
    };
    let mut passed = BTreeMap::new();
    for declared in template.parameters() {
        let value = parameters
            .get(&declared.name)
            .map(expr::text)
            .or_else(|| known(&declared.name));
        passed.extend(value.map(|value| (declared.name, value)));
    }
    passed.extend(study.arguments.render(&variables(parameters, trial, &study.facts()))?);
    Ok(passed)
}
