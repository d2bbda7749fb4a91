//! 1 and 2: what is created, how often, and how much of it at a time.

use crate::cluster::Change;

use super::{
    Findings, Invariant,
    seen::{Seen, WorkflowSeen, is_finished, owner, text},
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
    if let Some(known) = study.numbers.get(&number)
        && *known != object["spec"]["parameters"]
    {
        let what = format!(
            "trial {name} has other parameters: {} instead of {known}",
            object["spec"]["parameters"]
        );
        findings.add(change.at, Invariant::Once, what);
    }
    let status = &object["status"];
    let workflow = status["workflow"].as_str().and_then(|name| seen.workflows.get(name));
    if status["phase"] == "Running" && workflow.is_none_or(|w| w.creations == 0) {
        let what = format!("trial {name} is {status}, whose Workflow was never created");
        findings.add(change.at, Invariant::Once, what);
    }
    if change.before.is_some() || change.by == 0 {
        return;
    }
    // Who has not heard yet that a study is gone does what nobody will ever read.
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
    if spec["parallelism"].as_u64().is_some_and(|most| open > most) {
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

fn workflow(seen: &Seen<'_>, change: &Change, findings: &mut Findings) {
    if change.before.is_some() || change.by == 0 {
        return;
    }
    let object = &*change.object;
    let name = text(object, "name");
    let Some(trial) = owner(object, "HyperparameterTrial").and_then(|uid| seen.trials.get(&uid)) else {
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
    let known = seen.workflows.get(name).filter(|w| w.creations > 0);
    let was_on_its_way = known.is_some_and(|known| known.was_on_its_way(change.sent));
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
    let runs = |name: &String| {
        let of = owner(&seen.workflows[name].object, "HyperparameterTrial").and_then(|t| seen.trials.get(&t));
        let own = of.is_some_and(|t| owner(t, "HyperparameterStudy").as_ref() == Some(uid));
        let seen = &seen.workflows[name];
        own && !seen.is_late && !seen.gone && !seen.ended
    };
    let others: Vec<&WorkflowSeen> = seen
        .workflows
        .iter()
        .filter(|(_, w)| w.creations > 0)
        .filter(|(name, _)| runs(name))
        .map(|(_, w)| w)
        .collect();
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
    if let Some(most) = most.filter(|most| running > *most && !was_on_its_way) {
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
