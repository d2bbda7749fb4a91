//! Hyperparameter studies for Argo Workflows: the program.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Builder;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let runtime = if cli.serves_many() {
        Builder::new_multi_thread().worker_threads(2).enable_all().build()
    } else {
        // What one study does besides waiting is little, and handing it from thread to thread would cost more.
        Builder::new_current_thread().enable_all().build()
    };
    match runtime {
        Ok(runtime) => ExitCode::from(runtime.block_on(cli.run())),
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
