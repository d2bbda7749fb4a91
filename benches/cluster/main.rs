//! The controller on a real API server and a real S3 server, with a stand-in for Argo whose trials end at once: `make bench-cluster`.
//!
//! `cargo bench --bench cluster -- [reaction] [throughput] [memory] [--trials N] [--studies N]`: those that are named, or all.
//! Times are those of the API server's audit log, so that they are of one clock and know no client's delay.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod bare;
mod memory;
mod reaction;
mod throughput;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use support::lab::Lab;

/// How long a measurement may take.
const PATIENCE: Duration = Duration::from_secs(1800);

/// One line of the table: what, the figure, what it is to be.
type Line = (String, String, String);

fn line(what: &str, figure: impl Into<String>, wanted: &str) -> Line {
    (what.to_owned(), figure.into(), wanted.to_owned())
}

/// The value of a flag.
fn flag(arguments: &[String], name: &str) -> Option<usize> {
    let at = arguments.iter().position(|a| a == name)?;
    let value = arguments.get(at + 1).unwrap_or_else(|| panic!("{name} needs a number"));
    Some(value.parse().unwrap_or_else(|_| panic!("{name} {value}: not a number")))
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let trials = flag(&arguments, "--trials");
    let studies = flag(&arguments, "--studies");
    let all = ["reaction", "throughput", "memory"];
    let named = |name: &str| arguments.iter().any(|a| a == name);
    let is_wanted = |name: &str| named(name) || !all.iter().any(|n| named(n));
    let mut lines = Vec::new();
    if is_wanted("reaction") {
        lines.extend(reaction::measure(trials.unwrap_or(2000)).await);
    }
    if is_wanted("throughput") {
        lines.extend(throughput::measure(studies.unwrap_or(5), trials.unwrap_or(5000)).await);
    }
    if is_wanted("memory") {
        lines.extend(memory::measure(studies.unwrap_or(200), trials.unwrap_or(20_000)).await);
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header(["measure", "figure", "wanted"]);
    for (what, figure, wanted) in lines {
        table.add_row([what, figure, wanted]);
    }
    println!("{table}");
}

/// A study whose trials end at once: random sampler, one parameter.
fn change(trials: usize, parallelism: usize) -> Value {
    json!({"spec": {"budget": {"trials": trials}, "parallelism": parallelism, "trial": {"workflowTTL": "1h"}}})
}

/// Waits until all of these studies are finished; how long it took from the first one's creation to the last one's end, and how
/// many trials succeeded.
async fn finished(lab: &Lab, names: &[String]) -> (Duration, u32) {
    let mut succeeded = 0;
    let (mut first, mut last) = (Timestamp::MAX, Timestamp::MIN);
    for name in names {
        let study = lab
            .until_within(PATIENCE, name, "is finished", |s| {
                s.status.as_ref().is_some_and(|s| s.phase.is_finished())
            })
            .await;
        let status = study.status.unwrap();
        succeeded += status.trials.succeeded;
        first = first.min(status.start_time.unwrap());
        last = last.max(status.completion_time.unwrap());
    }
    (last.duration_since(first).try_into().unwrap(), succeeded)
}

/// The value below which this share of them lies.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )]
    let index = ((sorted.len() - 1) as f64 * share).round() as usize;
    sorted[index]
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
