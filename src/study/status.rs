//! The study's status: a bounded summary that follows from the snapshot.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Ending, Folder, Memory, Ranking, Snapshot, Study, TOP, Trial, Written, bounded, ending::later};
use crate::api::{
    BestTrial, Duration, Files, Idle, RankedTrial, ResultPaths, StudyPhase, StudySpec, StudyStatus, TrialCounts,
    TrialPhase,
};

/// How the study stands, as the plan found it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'a> {
    /// Why nothing new is started.
    pub ending: Option<Ending>,
    /// The best trials, at least [`TOP`] of them.
    pub ranking: &'a Ranking,
    /// Whether it is over: nothing runs, and storage is done with or has failed for too long.
    pub is_over: bool,
    /// Whether storage has work left and has failed for too long.
    pub is_degraded: bool,
    /// The time.
    pub now: Timestamp,
}

/// How long the study was suspended or finished after its start.
pub(super) fn idle_time(status: &StudyStatus, now: Timestamp) -> SignedDuration {
    let Some(idle) = &status.idle else {
        return SignedDuration::ZERO;
    };
    let running = idle
        .since
        .map_or(SignedDuration::ZERO, |since| now.duration_since(since));
    idle.total.signed().saturating_add(running.max(SignedDuration::ZERO))
}

/// The status that follows from a snapshot.
pub(super) fn status(study: &Study, snapshot: &Snapshot, standing: Standing<'_>) -> StudyStatus {
    let before = &snapshot.status;
    let phase = phase(study, snapshot, standing);
    let started = before
        .start_time
        .or((!snapshot.trials.is_empty()).then_some(standing.now));
    let completed = match phase.is_finished() {
        true if snapshot.was_over() => before.completion_time.or(Some(standing.now)),
        true => Some(standing.now),
        false => None,
    };
    let now_idle = phase.is_finished() || phase == StudyPhase::Suspended;
    StudyStatus {
        phase,
        observed_generation: Some(study.generation),
        conditions: conditions(study, snapshot, standing, phase),
        last_number: snapshot.last_number(),
        last_released: released(snapshot),
        trials: counts(snapshot),
        best: standing.ranking.best().and_then(|n| best(study, snapshot.trial(n)?)),
        top: top(snapshot, standing.ranking),
        results: snapshot
            .reported
            .map(|written| results(study, standing.ranking, written)),
        start_time: started,
        completion_time: completed,
        idle: idle(before, started, now_idle, standing.now),
    }
}

fn phase(study: &Study, snapshot: &Snapshot, standing: Standing<'_>) -> StudyPhase {
    if standing.is_over && stays_as_it_ended(study, snapshot) {
        snapshot.status.phase
    } else if standing.is_over {
        let has_best = standing.ranking.best().is_some();
        let failed = !has_best || standing.ending.is_some_and(Ending::is_failure);
        if failed {
            StudyPhase::Failed
        } else {
            StudyPhase::Succeeded
        }
    } else if standing.ending.is_none() && study.spec.suspend {
        StudyPhase::Suspended
    } else if snapshot.trials.is_empty() && snapshot.status.start_time.is_none() {
        StudyPhase::Pending
    } else {
        StudyPhase::Running
    }
}

/// Whether the study has ended for good: what people do to its trials afterwards does not change how.
fn stays_as_it_ended(study: &Study, snapshot: &Snapshot) -> bool {
    snapshot.was_over() && snapshot.status.observed_generation == Some(study.generation)
}

/// All time that the study was idle in, `since` set while it is.
fn idle(before: &StudyStatus, started: Option<Timestamp>, now_idle: bool, now: Timestamp) -> Option<Idle> {
    started?;
    let was = before.idle.clone().unwrap_or_default();
    let idle = match (was.since, now_idle) {
        (Some(_), true) => was,
        (None, true) => Idle {
            since: Some(now),
            ..was
        },
        (None, false) => was,
        (Some(_), false) => Idle {
            total: Duration::at_most(idle_time(before, now).try_into().unwrap_or_default()),
            since: None,
        },
    };
    (idle != Idle::default()).then_some(idle)
}

/// Counts a trial as let go as soon as it may be: the number has to be recorded first.
fn released(snapshot: &Snapshot) -> u32 {
    let goes = snapshot.trials.iter().filter(|t| t.deleting && t.is_finished());
    goes.map(|t| t.number)
        .max()
        .unwrap_or(0)
        .max(snapshot.status.last_released)
}

fn counts(snapshot: &Snapshot) -> TrialCounts {
    let mut counts = TrialCounts {
        total: snapshot.last_number(),
        ..TrialCounts::default()
    };
    for trial in &snapshot.trials {
        match trial.status.phase {
            TrialPhase::Succeeded => counts.succeeded += 1,
            TrialPhase::Failed => counts.failed += 1,
            TrialPhase::Stopped => counts.stopped += 1,
            _ => counts.running += 1,
        }
    }
    counts
}

fn best(study: &Study, trial: &Trial) -> Option<BestTrial> {
    let is_there = trial.status.files != Some(Files::Deleted);
    Some(BestTrial {
        trial: study.trial_name(trial.number),
        number: trial.number,
        objectives: vec![trial.objective()?],
        parameters: trial.parameters.clone(),
        metrics: trial.status.metrics.clone(),
        output_path: is_there.then(|| study.trial_folder(trial.number)),
    })
}

fn top(snapshot: &Snapshot, ranking: &Ranking) -> Vec<RankedTrial> {
    let ranked = |&number: &u32| {
        Some(RankedTrial {
            number,
            objectives: vec![snapshot.trial(number)?.objective()?],
        })
    };
    ranking.top.iter().take(TOP).filter_map(ranked).collect()
}

fn results(study: &Study, ranking: &Ranking, written: Written) -> ResultPaths {
    let folder = study.folder();
    ResultPaths {
        trials: format!("{folder}/study_results.csv"),
        best: ranking.best().map(|_| format!("{folder}/best_result.json")),
        config: format!("{folder}/study_config.json"),
        report: format!("{folder}/report.html"),
        revision: format!("{:016x}", written.revision),
    }
}

fn conditions(study: &Study, snapshot: &Snapshot, standing: Standing<'_>, phase: StudyPhase) -> Vec<Condition> {
    let before = &snapshot.status.conditions;
    let said = before.iter().find(|c| c.type_ == "Ready" && c.status == "True");
    let ready = match (
        &snapshot.folder,
        snapshot.obstacle.as_ref().or(snapshot.refusal.as_ref()),
    ) {
        (_, Some((reason, message))) => (false, reason.as_str(), message.clone()),
        (Folder::Refused(reason, message), None) => (false, reason.as_str(), message.clone()),
        (Folder::Claimed, None) if let Memory::Unreadable(message, _) = &snapshot.memory => {
            (false, "HistoryUnreadable", message.clone())
        }
        // Of a study that has ended, `StorageDegraded` tells.
        (folder, None) if snapshot.storage.failing_since.is_some() && stops(folder, phase) => {
            (false, "StorageUnavailable", snapshot.storage.message.clone())
        }
        _ => {
            let notice = snapshot.notice.as_ref().filter(|_| !phase.is_finished());
            let notice = notice.map_or_else(String::new, |n| format!("; {n}"));
            let earlier = snapshot.earlier().map(|earlier| &earlier.note);
            let earlier = earlier.map_or_else(String::new, |note| format!("; history: {note}"));
            let message = match said {
                // Until a program that has just begun knows it again, what the one before said of it stays.
                Some(said) if !study.history.is_empty() && snapshot.memory == Memory::Unread => said.message.clone(),
                _ => format!("nothing is in the way of trials{notice}{earlier}"),
            };
            (true, "Ready", message)
        }
    };
    let suspended = match phase == StudyPhase::Suspended {
        true => (
            true,
            "Suspended",
            "spec.suspend is true: nothing new is started".to_owned(),
        ),
        false => (false, "NotSuspended", String::new()),
    };
    let recorded = before
        .iter()
        .find(|c| c.type_ == "Complete")
        .filter(|_| stays_as_it_ended(study, snapshot));
    let (reason, message) = match recorded {
        Some(condition) => (condition.reason.as_str(), condition.message.clone()),
        None => outcome(snapshot, standing, phase),
    };
    let complete = (phase == StudyPhase::Succeeded, reason, message.clone());
    let failed = match phase {
        StudyPhase::Succeeded => (false, "NotFailed", String::new()),
        _ => (phase == StudyPhase::Failed, reason, message),
    };
    let degraded = match standing.is_degraded {
        true => (true, "StorageFails", snapshot.storage.message.clone()),
        false => (false, "StorageWorks", String::new()),
    };
    let all = [
        ("Ready", ready),
        ("Suspended", suspended),
        ("Complete", complete),
        ("Failed", failed),
        ("StorageDegraded", degraded),
    ];
    let make = |(kind, (holds, reason, message)): (&str, (bool, &str, String))| {
        let status = if holds { "True" } else { "False" };
        let same = before.iter().find(|c| c.type_ == kind && c.status == status);
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: bounded(message),
            last_transition_time: same.map_or(Time(standing.now), |c| c.last_transition_time.clone()),
            observed_generation: Some(study.generation),
        }
    };
    all.into_iter().map(make).collect()
}

/// Whether a study waits for storage that fails.
fn stops(folder: &Folder, phase: StudyPhase) -> bool {
    match folder {
        Folder::Unclaimed => true,
        Folder::Claimed => !phase.is_finished(),
        Folder::Refused(..) | Folder::Removed => false,
    }
}

/// The reason and message of `Complete` and `Failed`.
fn outcome(snapshot: &Snapshot, standing: Standing<'_>, phase: StudyPhase) -> (&'static str, String) {
    match (phase, standing.ending) {
        (StudyPhase::Succeeded, Some(ending)) => (ending.reason(), ending.message().to_owned()),
        (StudyPhase::Failed, Some(ending)) if ending.is_failure() => (ending.reason(), ending.message().to_owned()),
        (StudyPhase::Failed, ending) => {
            let why = ending.map_or("the study ended", Ending::message);
            let last = snapshot
                .trials
                .iter()
                .rev()
                .find_map(|t| Some((t.number, t.status.message.as_ref()?)));
            let said = last.map_or_else(String::new, |(number, said)| format!("; trial {number}: {said}"));
            (
                "NoSuccessfulTrial",
                format!("{why}, and no trial has an objective{said}"),
            )
        }
        _ => ("NotFinished", String::new()),
    }
}

/// When a study that has ended is deleted.
pub fn deleted_at(spec: &StudySpec, status: &StudyStatus) -> Option<Timestamp> {
    let ended = status.completion_time.filter(|_| status.phase.is_finished())?;
    Some(later(ended, spec.ttl_after_finished?.signed()))
}
