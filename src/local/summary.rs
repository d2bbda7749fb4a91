//! What is printed when a study, or this run of it, is over: the best trials, how they compare with the defaults, and where everything is.

use std::{cmp::Ordering, fmt::Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::wording;
use crate::{
    api::{Goal, TrialPhase},
    study::{Snapshot, Study, Trial},
};

/// How many of the best trials are shown.
const SHOWN: usize = 10;
/// Up to that many parameters have a column each.
const COLUMNS: usize = 8;
/// How long a value in the table may be, in characters.
const LENGTH: usize = 40;

/// Where everything is, as paths.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The best trial's folder, where it is kept.
    pub best: Option<String>,
    /// The result files that there are.
    pub results: Vec<String>,
    /// The folder of the logs.
    pub logs: String,
}

/// The whole summary, its last line with its line end.
pub fn summary(study: &Study, snapshot: &Snapshot, places: &Places) -> String {
    let ranked = ranked(study, snapshot);
    let mut text = String::new();
    if ranked.is_empty() {
        text.push_str("No trial has an objective.\n");
        // A trial that was stopped says no more than that the study ended.
        let why = |phase: TrialPhase| {
            let trials = snapshot.trials.iter().rev().filter(move |t| t.status.phase == phase);
            trials
                .filter_map(|t| Some((t.number, t.status.message.as_ref()?)))
                .next()
        };
        let last = why(TrialPhase::Failed).or_else(|| why(TrialPhase::Stopped));
        if let Some((number, message)) = last {
            let _ = writeln!(text, "The last one that says why, trial {number}: {message}");
        }
    } else {
        let _ = writeln!(text, "{}", table(study, &ranked));
        text.push_str(&comparison(study, &ranked));
    }
    let rejected = snapshot.status.trials.failed;
    if rejected > 0 && !ranked.is_empty() {
        let _ = writeln!(text, "{rejected} of {} trials failed.", snapshot.trials.len());
    }
    text.push('\n');
    let mut place = |what: &str, path: &str| {
        let _ = writeln!(text, "{what:<14}{path}");
    };
    if let Some(best) = &places.best {
        place("best trial", best);
    }
    for (index, file) in places.results.iter().enumerate() {
        place(if index == 0 { "results" } else { "" }, file);
    }
    place("logs", &places.logs);
    text
}

/// The trials that have an objective, best first.
fn ranked<'a>(study: &Study, snapshot: &'a Snapshot) -> Vec<(f64, &'a Trial)> {
    let mut ranked: Vec<(f64, &Trial)> = snapshot
        .trials
        .iter()
        .filter_map(|t| Some((t.objective()?, t)))
        .collect();
    let loss = |(value, _): &(f64, &Trial)| study.objective.loss(*value);
    ranked.sort_by(|a, b| loss(a).total_cmp(&loss(b)).then(a.1.number.cmp(&b.1.number)));
    ranked
}

fn is_default(trial: &Trial) -> bool {
    trial.origin.sampler.as_deref() == Some("default")
}

fn table(study: &Study, ranked: &[(f64, &Trial)]) -> Table {
    let searched = || {
        study
            .spec
            .parameters
            .iter()
            .filter(|p| p.constant.is_none())
            .map(|p| p.name.as_str())
    };
    let names: Vec<&str> = searched().take(COLUMNS.saturating_add(1)).collect();
    let apart = names.len() <= COLUMNS;
    let objective = study.spec.objectives.first();
    let objective = objective
        .and_then(|o| o.metric.clone().or(o.value.clone()))
        .unwrap_or_default();
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    let mut header = vec!["place".to_owned(), "trial".to_owned(), wording::cut(&objective, LENGTH)];
    if apart {
        header.extend(names.iter().map(|name| (*name).to_owned()));
    } else {
        header.push("parameters".to_owned());
    }
    table.set_header(header);
    let default = ranked
        .iter()
        .position(|(_, t)| is_default(t))
        .filter(|place| *place >= SHOWN);
    for (place, (value, trial)) in ranked.iter().enumerate() {
        if place >= SHOWN && Some(place) != default {
            continue;
        }
        let mark = if is_default(trial) { " (defaults)" } else { "" };
        let number = format!("{}{mark}", trial.number);
        let mut row = vec![place.saturating_add(1).to_string(), number, wording::number(*value)];
        if apart {
            let cell = |name: &&str| trial.parameters.get(*name).map_or_else(String::new, wording::value);
            row.extend(names.iter().map(|name| wording::cut(&cell(name), LENGTH)));
        } else {
            row.push(wording::parameters(&trial.parameters));
        }
        table.add_row(row);
    }
    for index in [0, 2] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// How much better the best trial is than the defaults, as a sentence; empty where that cannot be said.
fn comparison(study: &Study, ranked: &[(f64, &Trial)]) -> String {
    let Some((best, winner)) = ranked.first() else {
        return String::new();
    };
    let Some(place) = ranked.iter().position(|(_, t)| is_default(t)) else {
        return String::new();
    };
    let Some((value, _)) = ranked.get(place) else {
        return String::new();
    };
    let (better, than) = (wording::number(*best), wording::number(*value));
    let place = place.saturating_add(1);
    match study.objective.loss(*best).total_cmp(&study.objective.loss(*value)) {
        Ordering::Less => {
            let word = if study.objective.goal == Goal::Minimize {
                "less"
            } else {
                "more"
            };
            let share = ((best - value) / value).abs() * 100.0;
            let share = if share.is_finite() {
                format!(", {share:.1} % {word}")
            } else {
                String::new()
            };
            format!(
                "The best, trial {}, reaches {better}; the defaults reach {than} (place {place} of {}){share}.\n",
                winner.number,
                ranked.len()
            )
        }
        _ => format!("Nothing is better than the defaults, which reach {than}.\n"),
    }
}
