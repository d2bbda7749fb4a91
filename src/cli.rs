//! The command line.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Parser, Subcommand};
use hyperstudy::{
    api::{schema, sentence},
    controller,
    local::{self, RunOptions, exit, load::Choice, validate::validate},
    suggest,
};

/// Hyperparameter studies for Argo Workflows, in a cluster or on one machine.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a study on this machine, or go on with it: each trial is a process, S3 is a server inside the program over a folder.
    Run(Run),
    /// Say everything that is wrong with a study at once, or show what it would try first. Writes nothing.
    Validate(Validate),
    /// Serve the samplers as JSON Lines on standard input and output: study, ask, tell, observe.
    Suggest,
    /// Run the studies of a Kubernetes cluster: each trial is an Argo Workflow.
    Controller(Box<controller::Options>),
    /// Print the CustomResourceDefinitions.
    Crd(Crd),
}

#[derive(Args, Debug)]
struct Crd {
    /// Write each to a file in this folder instead.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What trials run.
#[derive(Args, Debug)]
struct What {
    /// The file of the WorkflowTemplate that each trial runs.
    #[arg(long, value_name = "FILE", conflicts_with = "exec")]
    template: Option<PathBuf>,
    /// The command that each trial runs instead, by a shell in this folder; `${...}` in it is CEL, e.g. `${parameters.lr}` and `${trial.outputDir}`.
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
}

#[derive(Args, Debug)]
struct Run {
    /// The study's file.
    #[arg(value_name = "STUDY.yaml")]
    study: PathBuf,
    #[command(flatten)]
    what: What,
    /// The folder for all files: bucket `b` is the folder `b` in it.
    #[arg(long, value_name = "DIR", default_value = "hyperstudy-data")]
    data: PathBuf,
}

#[derive(Args, Debug)]
struct Validate {
    /// The study's file.
    #[arg(value_name = "STUDY.yaml")]
    study: PathBuf,
    #[command(flatten)]
    what: What,
    /// The folder in which earlier results are looked for: bucket `b` is the folder `b` in it.
    #[arg(long, value_name = "DIR", default_value = "hyperstudy-data")]
    data: PathBuf,
}

impl What {
    fn choice(self) -> Choice {
        match (self.template, self.exec) {
            (Some(file), _) => Choice::Template(file),
            (None, Some(command)) => Choice::Exec(command),
            (None, None) => Choice::None,
        }
    }
}

impl Cli {
    /// Whether it is to work on many studies at a time.
    pub fn serves_many(&self) -> bool {
        matches!(self.command, Command::Controller(_))
    }

    /// Does what the command line says; gives the exit status.
    pub async fn run(self) -> u8 {
        match self.command {
            Command::Run(Run {
                study,
                what: What { template, exec },
                data,
            }) => {
                match local::run(RunOptions {
                    study,
                    template,
                    exec,
                    data,
                })
                .await
                {
                    Ok(status) => status,
                    Err(error) => {
                        tell(&error.to_string());
                        error.exit_status()
                    }
                }
            }
            Command::Validate(Validate { study, what, data }) => match validate(&study, &what.choice(), &data) {
                Ok(summary) => or_fault(io::stdout().write_all(summary.as_bytes()).map_err(|e| e.to_string())),
                Err(lines) => {
                    lines.iter().for_each(|line| tell(line));
                    exit::BAD_REQUEST
                }
            },
            Command::Suggest => {
                or_fault(suggest::serve(io::stdin().lock(), io::stdout().lock()).map_err(|e| e.to_string()))
            }
            Command::Controller(options) => or_fault(controller::run(*options).await.map_err(|e| e.to_string())),
            Command::Crd(Crd { dir }) => or_fault(crd(dir.as_deref())),
        }
    }
}

fn or_fault(result: Result<(), String>) -> u8 {
    match result {
        Ok(()) => exit::SUCCEEDED,
        Err(message) => {
            tell(&message);
            exit::FAILED
        }
    }
}

/// Says what is wrong. It may hold what somebody wrote into a file: nothing of that steers a terminal.
fn tell(message: &str) {
    message.lines().for_each(|line| eprintln!("{}", sentence(line)));
}

fn crd(dir: Option<&Path>) -> Result<(), String> {
    let Some(dir) = dir else {
        let text = schema::all_yaml()?;
        return io::stdout().write_all(text.as_bytes()).map_err(|e| e.to_string());
    };
    for crd in schema::crds() {
        let file = dir.join(format!("{}.yaml", crd.spec.names.plural));
        fs::write(&file, schema::yaml(&crd)?).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}
