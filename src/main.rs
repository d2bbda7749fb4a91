//! Hyperparameter studies for Argo Workflows: the program.

mod cli;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    ExitCode::from(cli::Cli::parse().run().await)
}
