//! 3: what is recorded of a trial never changes, and is what its Workflow and its metrics file said.

use std::time::Duration;

use serde_json::Value;

use crate::{cluster::Change, plot::Act};

use super::{
    Findings, Invariant,
    seen::{Seen, StudySeen, is_finished, owner, text},
};

/// For how long what is read of a file may be on its way into the record.
const MEANWHILE: Duration = Duration::from_secs(60);

/// Looks at a change of a trial.
pub fn check(seen: &Seen<'_>, change: &Change, findings: &mut Findings) {
    if change.kind.plural != "hyperparametertrials" || change.gone || change.object["spec"]["number"].is_null() {
        return;
    }
    let (name, status) = (text(&change.object, "name"), &change.object["status"]);
    if let Some(before) = change.before.as_deref().filter(|b| is_finished(b)) {
        for field in [
            "phase",
            "reason",
            "message",
            "objectives",
            "metrics",
            "attempt",
            "startTime",
            "completionTime",
            "failures",
        ] {
            if before["status"][field] != status[field] {
                let what = format!(
                    "{field} of trial {name} was {} and is {}",
                    before["status"][field], status[field]
                );
                findings.add(change.at, Invariant::Outcome, what);
            }
        }
        if before["status"]["files"] == "Deleted" && status["files"] != "Deleted" {
            findings.add(
                change.at,
                Invariant::Outcome,
                format!("the files of trial {name} are back"),
            );
        }
    } else if is_finished(&change.object) {
        recorded(seen, change, findings);
    }
}

fn recorded(seen: &Seen<'_>, change: &Change, findings: &mut Findings) {
    let (object, status) = (&*change.object, &change.object["status"]);
    let name = text(object, "name");
    let study = owner(object, "HyperparameterStudy").and_then(|uid| seen.studies.get(&uid));
    let folder = study
        .map(|s| format!("runs/{}/{}/", s.name, object["spec"]["number"]))
        .unwrap_or_default();
    let metrics = format!("{folder}metrics.json");
    let says = |bytes: &Vec<u8>| serde_json::from_slice::<Value>(bytes).ok()?["loss"].as_f64();
    let loss = seen.files.get(&metrics).and_then(says);
    let workflow = seen.workflow(status["workflow"].as_str().unwrap_or_default(), text(object, "uid"));
    let was = |phase: &str| workflow.is_some_and(|w| w.phases.iter().any(|p| p == phase));
    let mut wrong = |what: String| {
        findings.add(
            change.at,
            Invariant::Outcome,
            format!("trial {name} is {status}, but {what}"),
        );
    };
    let revives = study.is_some_and(|study| seen.may_be_revived(study));
    // What was brought back to life may have overwritten it since it was read.
    let former = seen
        .former
        .get(&metrics)
        .filter(|(until, _)| revives && change.at - *until <= MEANWHILE);
    let former = former.and_then(|(_, bytes)| says(bytes));
    if let Some(objective) = status["objectives"][0].as_f64()
        && ![loss, former].contains(&Some(objective))
    {
        wrong(format!("its metrics file says {loss:?}"));
    }
    // Which attempt wrote the file, it says itself.
    let of = &status["metrics"]["attempt"];
    if !of.is_null() && *of != status["attempt"] && !revives && !workflow.is_some_and(|w| w.is_late) {
        wrong(format!("its metrics are those of attempt {of}"));
    }
    let runs = workflow.is_some_and(|w| w.creations > 0 && !w.gone && !w.ended);
    if runs && !revives && !workflow.is_some_and(|w| w.is_late) {
        wrong("its Workflow still runs".to_owned());
    }
    match status["phase"].as_str() {
        Some("Succeeded") => {
            let gone = workflow.is_some_and(|w| w.gone);
            if !was("Succeeded") && !gone {
                wrong("its Workflow did not succeed".to_owned());
            }
            if status["objectives"][0].is_null() {
                wrong("it has no objective".to_owned());
            }
        }
        Some("Failed") if was("Succeeded") && loss.is_some() => {
            // Files that appear late are not there when they are looked for.
            let is_missed = status["reason"] == "MetricsMissing" || status["reason"] == "Lost";
            let late = is_missed && seen.hidden.contains(&metrics);
            if !late {
                wrong("its Workflow succeeded and its metrics are good".to_owned());
            }
        }
        Some("Stopped") => {
            let acts = || seen.plot.acts.iter().map(|(_, act)| act);
            let is_asked = match status["reason"].as_str() {
                Some("StoppedByUser") => object["spec"]["stop"] == true,
                // Also one that was stopped as its study was to end, which a person has changed since: its budget, or the trial that met the target.
                Some("StoppedOutside") => {
                    let has_target = |s: &StudySeen| !s.object["spec"]["objectives"][0]["target"].is_null();
                    // Who has not heard yet that the study is deleted cannot say more.
                    let is_unmet = study.is_some_and(|s| s.is_deleted() || has_target(s) && !s.deleted.is_empty());
                    is_unmet || acts().any(|act| matches!(act, Act::Terminate(..) | Act::Retry(..) | Act::Budget(..)))
                }
                _ => true,
            };
            if !is_asked {
                wrong("nobody has stopped it".to_owned());
            }
        }
        _ => {}
    }
}
