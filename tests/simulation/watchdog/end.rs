//! 5, 6 and 7: how a world ends.

use std::cell::RefCell;

use serde_json::Value;

use crate::{
    clock,
    plot::{Act, Plot, foreign},
    world::{BUCKET, NAMESPACE, World},
};

use super::{
    Findings, Invariant,
    seen::{Seen, StudySeen, is_finished, owner, text},
};

/// How much a controller may hold of a study, and of each of its trials, in bytes as they would be written out.
const STUDY_BYTES: usize = 20_000;
const TRIAL_BYTES: usize = 2_500;
/// Calls that a controller may make for each trial, and besides for each minute, whatever goes wrong.
const CALLS_A_TRIAL: u32 = 60;
const CALLS_A_MINUTE: u32 = 120;

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// From now on panics are noted, by the thread of their world, instead of being shown.
pub fn note_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|p| p.push(info.to_string()));
            usual(info);
        }));
    });
}

/// The panics in this thread since it was asked last.
pub fn panics() -> Vec<String> {
    PANICS.take()
}

/// Whether every study is over, or gone with everything that was its own, and no trial is open or waits to be let go: where an event got lost,
/// that takes until the next full listing.
pub fn is_over(world: &World, plot: &Plot) -> bool {
    let over = |name: &String| match world.cluster.get("hyperparameterstudies", NAMESPACE, name) {
        Some(study) => {
            study["metadata"]["deletionTimestamp"].is_null()
                && matches!(study["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
        }
        None => world
            .cluster
            .all("hyperparametertrials")
            .iter()
            .all(|t| t["spec"]["number"].is_null() || t["spec"]["studyRef"]["name"] != **name),
    };
    let is_open = |t: &Value| {
        !t["spec"]["number"].is_null() && (!is_finished(t) || !t["metadata"]["deletionTimestamp"].is_null())
    };
    plot.names().iter().all(over) && !world.cluster.all("hyperparametertrials").iter().any(is_open)
}

/// How many trials there ever were.
pub fn numbers(world: &World) -> usize {
    let created = |c: &&crate::cluster::Change| c.before.is_none() && c.by > 0;
    world
        .cluster
        .history("hyperparametertrials")
        .iter()
        .filter(created)
        .count()
}

/// Looks at a world that has come to its end.
pub fn check(world: &World, plot: &Plot, seen: &Seen<'_>, in_time: bool, findings: &mut Findings) {
    let at = clock::elapsed();
    for panic in panics() {
        findings.add(at, Invariant::Sound, panic);
    }
    let minutes = u32::try_from(at.as_secs() / 60 + 1).unwrap_or(1);
    let trials = u32::try_from(numbers(world)).unwrap_or(0);
    // Those that act at the same time, which the lease prevents, undo each other's statuses.
    let at_a_time = u32::try_from(plot.contenders + 1 + plot.doubles.len()).unwrap_or(2);
    let most = CALLS_A_TRIAL * (trials + world.programs()) + CALLS_A_MINUTE * minutes * at_a_time;
    if world.calls.made() > most {
        findings.add(
            at,
            Invariant::Sound,
            format!("{} calls, where {most} would be many", world.calls.made()),
        );
    }
    let there = |plural| world.cluster.all(plural).len();
    let (studies, trials) = (there("hyperparameterstudies"), there("hyperparametertrials"));
    for (entries, bytes) in world.held() {
        // What people may ask about, and nothing of what is gone.
        let most = STUDY_BYTES * studies + TRIAL_BYTES * trials;
        let what = format!("a controller holds {entries} studies in {bytes} bytes, of {studies} and {trials} trials");
        if entries > studies + trials {
            findings.add(at, Invariant::End, what);
        } else if bytes > most {
            findings.add(at, Invariant::Sound, what);
        }
    }
    for key in foreign()
        .into_iter()
        .filter(|key| world.buckets.get(BUCKET, key).is_none())
    {
        findings.add(at, Invariant::Files, format!("{key} of somebody else is gone"));
    }
    for (uid, study) in &seen.studies {
        match study.gone {
            true => left(world, seen, uid, study, findings),
            false => ended(world, seen, uid, study, in_time, findings),
        }
    }
}

/// What a study that is gone has left.
fn left(world: &World, seen: &Seen<'_>, uid: &str, study: &StudySeen, findings: &mut Findings) {
    let at = clock::elapsed();
    let mut wrong = |what: String| findings.add(at, Invariant::End, format!("study {} is gone, {what}", study.name));
    for trial in seen.trials_of(uid) {
        wrong(format!("its trial {} is not", text(trial, "name")));
    }
    for (name, workflow) in seen.created().filter(|(_, w)| !w.gone) {
        let labels = &workflow.object["metadata"]["labels"];
        if labels["hyperstudy.dev/study-uid"] == *uid {
            wrong(format!("its Workflow {name} is not"));
        }
    }
    let is_last = seen.study_named(&study.name).is_some_and(|(last, _)| last == uid);
    if is_last && study.object["spec"]["storage"]["onDelete"] == "Delete" {
        let folder = format!("runs/{}/", study.name);
        let files: Vec<String> = world
            .buckets
            .keys(BUCKET)
            .into_iter()
            .filter(|k| k.starts_with(&folder))
            .collect();
        // What a Workflow wrote while it was going is nobody's any more.
        let is_excused = seen.may_be_revived(study) || acted_on_the_dead(world, seen, uid, study);
        if !files.is_empty() && !is_excused && !is_mark_without_key(seen, study, &files) {
            wrong(format!("its files are not: {files:?}"));
        }
    }
}

/// Whether a second controller, which had no lease to act by, went on with a study while another one let it go.
fn acted_on_the_dead(world: &World, seen: &Seen<'_>, uid: &str, study: &StudySeen) -> bool {
    let studies = world.cluster.history("hyperparameterstudies");
    let mut own = studies.iter().filter(|c| c.object["metadata"]["uid"] == *uid);
    let marked = own
        .clone()
        .find(|c| !c.object["metadata"]["deletionTimestamp"].is_null());
    let (Some(marked), Some(released)) = (marked, own.find(|c| c.gone)) else {
        return false;
    };
    let is_other = |by: u32, step: u64| by != 0 && by != released.by && step > marked.step;
    let trials = world.cluster.history("hyperparametertrials");
    let mut created = trials
        .iter()
        .filter(|c| c.before.is_none() && owner(&c.object, "HyperparameterStudy").as_deref() == Some(uid));
    let folder = format!("runs/{}/", study.name);
    let effects = world.buckets.effects();
    let mut written = effects.iter().filter(|e| e.put.is_some() && e.key.starts_with(&folder));
    !seen.plot.doubles.is_empty()
        && (created.any(|c| is_other(c.by, c.step)) || written.any(|e| is_other(e.by, e.step)))
}

/// Whether only the mark of a study that never had a trial is left, of which a person took the key away for a while.
fn is_mark_without_key(seen: &Seen<'_>, study: &StudySeen, files: &[String]) -> bool {
    let takes = |(_, act): &(_, Act)| matches!(act, Act::Secret(_));
    let is_mark = matches!(files, [only] if only.ends_with("/.owner"));
    is_mark && study.numbers.is_empty() && seen.plot.acts.iter().any(takes)
}

/// How a study that is there has ended.
fn ended(world: &World, seen: &Seen<'_>, uid: &str, study: &StudySeen, in_time: bool, findings: &mut Findings) {
    let at = clock::elapsed();
    let (name, status) = (&study.name, &study.object["status"]);
    if !in_time || !matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")) || study.is_deleted() {
        return findings.add(at, Invariant::End, format!("study {name} has not ended: {status}"));
    }
    let mut wrong = |which, what: String| findings.add(at, which, format!("study {name}: {what}"));
    for trial in seen.trials_of(uid) {
        if !is_finished(trial) {
            wrong(
                Invariant::End,
                format!("trial {} is {}", text(trial, "name"), trial["status"]),
            );
        }
        if !trial["metadata"]["deletionTimestamp"].is_null() {
            wrong(
                Invariant::End,
                format!("trial {} hangs in its deletion", text(trial, "name")),
            );
        }
    }
    for (run, workflow) in seen.created().filter(|(_, w)| !w.gone && !w.ended) {
        let trial = owner(&workflow.object, "HyperparameterTrial").and_then(|uid| seen.trials.get(&uid));
        if trial.and_then(|t| owner(t, "HyperparameterStudy")).as_deref() == Some(uid) {
            wrong(Invariant::End, format!("Workflow {run} still runs"));
        }
    }
    let revived = seen.may_be_revived(study);
    // One that ended before it had anything to write has not taken over what another one of its name left.
    let mark = world.buckets.get(BUCKET, &format!("runs/{name}/.owner"));
    let owner: Value = mark
        .and_then(|mark| serde_json::from_slice(&mark).ok())
        .unwrap_or_default();
    let is_its_own = owner["uid"] == *uid && owner["clearing"] != true;
    if is_its_own || !study.numbers.is_empty() {
        folders(world, seen, uid, study, revived, &mut wrong);
        result_files(world, seen, uid, study, &mut wrong);
    }
    counts(seen, uid, status, &mut wrong);
}

type Wrong<'a> = dyn FnMut(Invariant, String) + 'a;

/// Which trials' folders are there.
fn folders(world: &World, seen: &Seen<'_>, uid: &str, study: &StudySeen, revived: bool, wrong: &mut Wrong<'_>) {
    let spec = &study.object["spec"]["storage"];
    let keep = match spec["strategy"].as_str() {
        Some("Delete") => 0,
        Some("Best") => usize::try_from(spec["keepTop"].as_u64().unwrap_or(1)).unwrap_or(1),
        _ => usize::MAX,
    };
    let ranking = seen.ranking(uid);
    let kept: Vec<u64> = ranking.iter().take(keep).map(|(_, number)| *number).collect();
    let folder = format!("runs/{}/", study.name);
    for key in world.buckets.keys(BUCKET) {
        let number = key
            .strip_prefix(&folder)
            .and_then(|k| k.split_once('/')?.0.parse::<u64>().ok());
        let Some(number) = number else { continue };
        // Nobody waits any more for what a late one writes, or one that was brought back to life.
        let was_emptied = seen
            .trial(uid, number)
            .is_none_or(|t| t["status"]["files"] == "Deleted");
        let attempts = format!("{}-{number}-", study.name);
        let mut of = seen.created().filter(|(name, _)| name.starts_with(&attempts));
        let has_late = of.any(|(_, w)| w.is_late);
        // It was ended by one controller in the moment in which another one, beside it, started it.
        let is_unbegun = |t: &Value| t["status"]["attempt"].as_u64().unwrap_or_default() == 0;
        let crossed = !seen.plot.doubles.is_empty() && seen.trial(uid, number).is_some_and(is_unbegun);
        let is_excused = was_emptied && (revived || has_late || crossed);
        if keep != usize::MAX && !kept.contains(&number) && !study.spared.contains(&number) && !is_excused {
            wrong(Invariant::End, format!("{key} was to go"));
        }
    }
    if let Some((_, best)) = ranking.first().filter(|_| keep > 0) {
        let status = seen.trial(uid, *best).map(|t| t["status"].clone()).unwrap_or_default();
        let is_there = world
            .buckets
            .get(BUCKET, &format!("{folder}{best}/metrics.json"))
            .is_some();
        // Whoever kept none before cannot keep one now, and a stopped one may have written nothing else.
        let best_one = ranking.first().map_or(f64::INFINITY, |(objective, _)| *objective);
        let lowered = has_lost_a_better(study, best_one);
        if !is_there && status["files"] != "Deleted" && !revived && !lowered {
            wrong(
                Invariant::Files,
                format!("the folder of the best trial, {best}, is not there"),
            );
        }
        if status["files"] == "Deleted" && !lowered {
            wrong(
                Invariant::Files,
                format!("the folder of the best trial, {best}, was deleted"),
            );
        }
    }
}

/// Whether a person has made another trial the best one, whose folder was gone by then, by deleting a better one.
fn has_lost_a_better(study: &StudySeen, objective: f64) -> bool {
    let is_better = |last: &Value| {
        let theirs = last["status"]["objectives"][0].as_f64();
        is_finished(last) && theirs.is_some_and(|theirs| theirs <= objective)
    };
    study.deleted.values().any(|(_, last)| is_better(last))
}

/// Whether the result files are there, and agree with the trials.
fn result_files(world: &World, seen: &Seen<'_>, uid: &str, study: &StudySeen, wrong: &mut Wrong<'_>) {
    let trials: Vec<&Value> = seen.trials_of(uid).collect();
    let bytes = world
        .buckets
        .get(BUCKET, &format!("runs/{}/study_results.csv", study.name));
    let Some(bytes) = bytes else {
        if !trials.is_empty() {
            wrong(Invariant::Results, "there is no table".to_owned());
        }
        return;
    };
    if !is_of_the_dead(world, seen, &study.name) {
        table(&bytes, &trials, study, wrong);
        best_and_config(world, seen, uid, study, wrong);
    }
}

/// Whether the table has a row for each finished trial, with its objective.
fn table(bytes: &[u8], trials: &[&Value], study: &StudySeen, wrong: &mut Wrong<'_>) {
    let mut reader = csv::Reader::from_reader(bytes);
    let Ok(header) = reader.headers().cloned() else {
        return wrong(Invariant::Results, "the table cannot be read".to_owned());
    };
    let column = |name: &str| header.iter().position(|h| h == name);
    let mut rows: Vec<(u64, String, Option<f64>, Option<f64>)> = Vec::new();
    for row in reader.records().flatten() {
        let cell = |name: &str| column(name).and_then(|c| row.get(c)).unwrap_or_default().to_owned();
        if cell("Status") != "INTERMEDIATE" {
            let number = cell("Trial-ID").parse().unwrap_or_default();
            rows.push((
                number,
                cell("Status"),
                cell("Objective").parse().ok(),
                cell("lr").parse().ok(),
            ));
        }
    }
    let mut expected: Vec<(u64, String, Option<f64>, Option<f64>)> = trials
        .iter()
        .map(|t| {
            let status = match t["status"]["phase"].as_str() {
                Some("Succeeded") => "COMPLETED",
                Some("Stopped") => "STOPPED",
                _ => "FAILED",
            };
            let number = t["spec"]["number"].as_u64().unwrap_or_default();
            (
                number,
                status.to_owned(),
                t["status"]["objectives"][0].as_f64(),
                t["spec"]["parameters"]["lr"].as_f64(),
            )
        })
        .collect();
    // The record of a study that is over stays as it was when objects are tidied away.
    rows.retain(|row| !study.deleted.contains_key(&row.0));
    expected.retain(|row| !study.deleted.contains_key(&row.0));
    rows.sort_by_key(|r| r.0);
    expected.sort_by_key(|r| r.0);
    if rows != expected {
        wrong(
            Invariant::Results,
            format!("the table says {rows:?}, the trials {expected:?}"),
        );
    }
}

/// Whether `best_result.json` is about the best trial, and `study_config.json` about this study.
fn best_and_config(world: &World, seen: &Seen<'_>, uid: &str, study: &StudySeen, wrong: &mut Wrong<'_>) {
    let file = |name: &str| -> Option<Value> {
        let bytes = world.buckets.get(BUCKET, &format!("runs/{}/{name}", study.name))?;
        Some(serde_json::from_slice(&bytes).unwrap_or_default())
    };
    let config = file("study_config.json");
    // One that ended before its first trial may have been over before it was written.
    let is_due = config.is_some() || !study.numbers.is_empty();
    let config = config.unwrap_or_default();
    if is_due && config["uid"] != *uid {
        wrong(
            Invariant::Results,
            format!("study_config.json is about {}, not {uid}", config["uid"]),
        );
    }
    let found = file("best_result.json");
    let number = found.as_ref().map(|f| f["Trial-ID"].as_u64().unwrap_or_default());
    if number.is_some_and(|number| study.deleted.contains_key(&number)) {
        return;
    }
    let best = seen.ranking(uid).first().copied();
    let trial = best.and_then(|(_, number)| seen.trial(uid, number));
    let expected = trial.map(|trial| {
        (
            trial["spec"]["number"].as_u64().unwrap_or_default(),
            trial["status"]["objectives"][0].as_f64(),
            trial["spec"]["parameters"]["lr"].as_f64(),
            trial["status"]["files"] == "Deleted",
        )
    });
    let said = found.map(|f| {
        (
            f["Trial-ID"].as_u64().unwrap_or_default(),
            f["Objective"].as_f64(),
            f["lr"].as_f64(),
            f["output_path"].is_null(),
        )
    });
    if said != expected {
        wrong(
            Invariant::Results,
            format!("best_result.json says {said:?}, the trials {expected:?}"),
        );
    }
}

/// Whether the table was last written by a second controller, which had no lease to act by, before it could mend what it overwrote.
fn is_of_the_dead(world: &World, seen: &Seen<'_>, study: &str) -> bool {
    let key = format!("runs/{study}/study_results.csv");
    let effects = world.buckets.effects();
    let writers: Vec<u32> = effects
        .iter()
        .filter(|e| e.key == key && e.put.is_some())
        .map(|e| e.by)
        .collect();
    let asks_last = world
        .cluster
        .records()
        .iter()
        .rev()
        .find(|r| r.plural == "leases")
        .map(|r| r.by);
    !seen.plot.doubles.is_empty() && writers.last().copied() != asks_last
}

/// Whether the status counts what is there.
fn counts(seen: &Seen<'_>, uid: &str, status: &Value, wrong: &mut Wrong<'_>) {
    let count = |phase: &str| seen.trials_of(uid).filter(|t| t["status"]["phase"] == phase).count() as u64;
    for (field, phase) in [
        ("succeeded", "Succeeded"),
        ("failed", "Failed"),
        ("stopped", "Stopped"),
        ("running", "Running"),
    ] {
        if status["trials"][field].as_u64().unwrap_or_default() != count(phase) {
            wrong(
                Invariant::Results,
                format!(
                    "the status counts {} {field}, there are {}",
                    status["trials"][field],
                    count(phase)
                ),
            );
        }
    }
    let best = seen.ranking(uid).first().map(|(_, number)| *number);
    if status["best"]["number"].as_u64() != best {
        wrong(
            Invariant::Results,
            format!(
                "the status's best is {}, the trials' {best:?}",
                status["best"]["number"]
            ),
        );
    }
}
