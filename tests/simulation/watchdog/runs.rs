//! 1 and 2: what is created, how often, and how much of it at a time.

use crate::cluster::Change;

use super::{
    Findings, Invariant,
    seen::{Seen, StudySeen, WorkflowSeen, is_finished, owner, text},
};

/// Looks at a change of a trial or a Workflow.
pub fn check(seen: &Seen<'_>, change: &Change, findings: &mut Findings) {
    match change.kind.plural {
        "hyperparametertrials" => trial(seen, change, findings),
        "workflows" => workflow(seen, change, findings),
        _ => {}
    }
}

fn trial(seen: &Seen<'_>, change: &Change, findings: &mut Findings) {
    let object = &*change.object;
    let (Some(uid), Some(number)) = (owner(object, "HyperparameterStudy"), object["spec"]["number"].as_u64()) else {
        return;
    };
    let Some(study) = seen.studies.get(&uid) else { return };
    let name = text(object, "name");
    // Who has not heard yet that a study is gone does what nobody will ever read.
    if let Some(known) = study.numbers.get(&number).filter(|_| !study.gone)
        && *known != object["spec"]["parameters"]
    {
        let what = format!(
            "trial {name} has other parameters: {} instead of {known}",
            object["spec"]["parameters"]
        );
        findings.add(change.at, Invariant::Once, what);
    }
    let status = &object["status"];
    let run = status["workflow"].as_str().unwrap_or_default();
    let workflow = seen.workflow(run, text(object, "uid"));
    // What was refused is recorded as begun, and then as failed.
    let is_there = workflow.is_some_and(|w| w.creations > 0) || seen.refused.contains(run);
    if status["phase"] == "Running" && !is_there {
        let what = format!("trial {name} is {status}, whose Workflow was never created");
        findings.add(change.at, Invariant::Once, what);
    }
    if change.before.is_some() || change.by == 0 {
        return;
    }
    if study.numbers.contains_key(&number) && !study.gone {
        findings.add(change.at, Invariant::Once, format!("trial {name} is created again"));
    }
    if number != study.numbers.len() as u64 + 1 && !study.numbers.contains_key(&number) {
        findings.add(
            change.at,
            Invariant::Once,
            format!("trial {name} is created out of turn"),
        );
    }
    let Some(spec) = study.known_to(change.by, change.sent) else {
        return findings.add(
            change.at,
            Invariant::Bounds,
            format!("trial {name} is created by a program that never saw its study"),
        );
    };
    let used = study.numbers.keys().filter(|n| **n != number).count() as u64 + 1;
    if spec["budget"]["trials"].as_u64().is_some_and(|most| used > most) {
        findings.add(
            change.at,
            Invariant::Bounds,
            format!("trial {name} is beyond the budget of {}", spec["budget"]["trials"]),
        );
    }
    let open = seen.trials_of(&uid).filter(|t| !is_finished(t)).count() as u64 + 1;
    if spec["parallelism"].as_u64().is_some_and(|most| open > most) && !is_left_behind(seen, study) {
        findings.add(
            change.at,
            Invariant::Bounds,
            format!(
                "with trial {name} there are {open} open ones, of {}",
                spec["parallelism"]
            ),
        );
    }
}

/// Whether two controllers, of which one has no lease to act by, may still be at work for a study that is gone: its trials go meanwhile, as each of
/// them hears of it.
fn is_left_behind(seen: &Seen<'_>, study: &StudySeen) -> bool {
    study.gone && !seen.plot.doubles.is_empty()
}

fn workflow(seen: &Seen<'_>, change: &Change, findings: &mut Findings) {
    if change.before.is_some() || change.by == 0 {
        return;
    }
    let object = &*change.object;
    let name = text(object, "name");
    let uid = owner(object, "HyperparameterTrial").unwrap_or_default();
    let Some(trial) = seen.trials.get(&uid) else {
        if seen.went.get(&uid).is_some_and(|went| *went > change.sent) {
            // It was there when the Workflow was asked for; what is created for it now goes at once.
            return;
        }
        return findings.add(
            change.at,
            Invariant::Once,
            format!("Workflow {name} is created for a trial that is not there"),
        );
    };
    let attempt = name
        .rsplit('-')
        .next()
        .and_then(|a| a.parse::<u64>().ok())
        .unwrap_or_default();
    let recorded = trial["status"]["attempt"].as_u64().unwrap_or_default();
    let known = seen.workflow(name, text(trial, "uid")).filter(|w| w.creations > 0);
    let was_on_its_way = known.is_some_and(|known| known.was_on_its_way(change.sent)) || seen.crosses(change, &uid);
    if let Some(known) = known.filter(|_| !was_on_its_way) {
        // One that somebody took away before its start was recorded cannot be told from one that never was.
        if recorded >= attempt || !known.gone {
            findings.add(change.at, Invariant::Once, format!("Workflow {name} is created again"));
        }
    }
    if (is_finished(trial) || attempt != recorded + 1) && !was_on_its_way {
        let what = format!("Workflow {name} is created for a trial that is {}", trial["status"]);
        findings.add(change.at, Invariant::Once, what);
    }
    let Some((uid, study)) = owner(trial, "HyperparameterStudy").and_then(|uid| seen.studies.get_key_value(&uid))
    else {
        return findings.add(
            change.at,
            Invariant::Bounds,
            format!("Workflow {name} is created for a study that is not there"),
        );
    };
    let Some((version, spec)) = study.version_known_to(change.by, change.sent) else {
        return findings.add(
            change.at,
            Invariant::Bounds,
            format!("Workflow {name} is created by a program that never saw its study"),
        );
    };
    let runs = |workflow: &&WorkflowSeen| {
        let of = owner(&workflow.object, "HyperparameterTrial").and_then(|t| seen.trials.get(&t));
        let own = of.is_some_and(|t| owner(t, "HyperparameterStudy").as_ref() == Some(uid));
        own && !workflow.is_late && !workflow.gone && !workflow.ended
    };
    let others: Vec<&WorkflowSeen> = seen.created().map(|(_, w)| w).filter(runs).collect();
    let running = others.len() as u64 + 1;
    // More may have been started while this was on its way, as soon as more might; or by another program, that had read a newer study.
    let newest = study.known_to(change.by, change.step).unwrap_or(spec);
    let of_others = others
        .iter()
        .filter(|w| w.starter.0 != change.by)
        .filter_map(|w| study.version_known_to(w.starter.0, w.starter.1))
        .filter(|(theirs, _)| *theirs > version);
    let known = [spec, newest].into_iter().chain(of_others.map(|(_, theirs)| theirs));
    let most = known.filter_map(|s| s["parallelism"].as_u64()).max();
    if let Some(most) = most.filter(|most| running > *most && !was_on_its_way && !is_left_behind(seen, study)) {
        let what = format!("with Workflow {name} there run {running}, of {most}");
        findings.add(change.at, Invariant::Bounds, what);
    }
    if spec["suspend"] == true || !spec["shutdown"].is_null() {
        findings.add(
            change.at,
            Invariant::Bounds,
            format!("Workflow {name} is created although the study is not to start anything"),
        );
    }
}
