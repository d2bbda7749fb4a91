//! 4: no file of anybody else is touched, and none of the best trial's.

use std::time::Duration;

use serde_json::Value;

use crate::{plot::Act, s3::Effect};

use super::{
    Findings, Invariant,
    seen::{Seen, is_finished, text},
};

/// What a study writes into its folder.
const RESULTS: [&str; 6] = [
    ".owner",
    "study_results.csv",
    "best_result.json",
    "study_config.json",
    "report.html",
    "history.json",
];

/// How long what was decided may take until it is done.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// Looks at what a program wrote or deleted.
pub fn check(seen: &Seen<'_>, effect: &Effect, findings: &mut Findings) {
    let key = &effect.key;
    let did = if effect.put.is_some() { "written" } else { "deleted" };
    let mut wrong = |what: &str| findings.add(effect.at, Invariant::Files, format!("{key} is {did}: {what}"));
    let Some((name, rest)) = key.strip_prefix("runs/").and_then(|k| k.split_once('/')) else {
        return wrong("it is outside of every study's folder");
    };
    let Some((uid, study)) = seen.study_named(name) else {
        return wrong("there is no such study");
    };
    let removes = study.is_deleted() && study.object["spec"]["storage"]["onDelete"] == "Delete";
    // What a study finds in a folder that it takes over goes before its first trial.
    let clears = study.object["spec"]["storage"]["onConflict"] == "Overwrite" && study.numbers.is_empty();
    if RESULTS.contains(&rest) {
        if effect.put.is_none() && !removes && !clears {
            wrong("it is a result");
        }
        return;
    }
    let Some(number) = rest.split_once('/').and_then(|(n, _)| n.parse::<u64>().ok()) else {
        return wrong("it is in no trial's folder");
    };
    if effect.put.is_some() {
        return wrong("a trial's files are the trial's");
    }
    if removes || clears {
        return;
    }
    if !study.numbers.contains_key(&number) {
        return wrong("there is no such trial");
    }
    let Some(trial) = seen.trial(uid, number) else {
        if study.object["spec"]["storage"]["strategy"] == "Keep" {
            wrong("everything is to be kept");
        }
        return;
    };
    if !is_finished(trial) {
        let attempt = trial["status"]["attempt"].as_u64().unwrap_or_default();
        let run = |attempt: u64| format!("{name}-{number}-{attempt}");
        let workflow = |attempt: u64| seen.workflow(&run(attempt), text(trial, "uid"));
        let active = workflow(attempt + 1).is_some_and(|w| w.creations > 0 && !w.gone);
        // One that was taken away before its start was recorded cannot be told from one that never was.
        let recorded = seen.recorded.get(text(trial, "uid")).copied().unwrap_or_default();
        let unknown = workflow(attempt).is_some_and(|w| w.gone && w.went < recorded);
        if (trial["status"]["phase"] == "Running" && !unknown) || active {
            wrong("its trial is under way");
        }
        return;
    }
    let spec = &study.object["spec"]["storage"];
    match spec["strategy"].as_str() {
        Some("Delete") => {}
        Some("Best") => {
            let best = seen.ranking(uid);
            // What surpassed it may have been deleted while this was on its way.
            let lately = |(at, deleted): &(Duration, Value)| {
                *at + ON_ITS_WAY > effect.at
                    && is_finished(deleted)
                    && deleted["status"]["objectives"][0].as_f64() <= trial["status"]["objectives"][0].as_f64()
            };
            // How many stay may be raised while this is on its way.
            let is_raised = seen.plot.acts.iter().any(|(_, act)| matches!(act, Act::KeepTop(..)));
            let stay = spec["keepTop"].as_u64().filter(|_| !is_raised).unwrap_or(1);
            let mut stay = best.iter().zip(0..stay);
            if stay.any(|((_, best), _)| *best == number) && !study.deleted.values().any(lately) {
                wrong("its trial is among the best");
            }
        }
        _ => wrong("everything is to be kept"),
    }
}
