//! Hyperparameter studies for Argo Workflows: the program.

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// One thread: what it does besides waiting is little, and handing it from thread to thread would cost more.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    ExitCode::from(cli::Cli::parse().run().await)
}
