//! What is worth an event, from what changed. Computes only.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{
    Note,
    NoteType::{self, Normal, Warning},
};
use crate::api::{BestTrial, StudyPhase, StudyStatus, TrialPhase, TrialStatus};

fn note(type_: NoteType, reason: &'static str, message: String) -> Note {
    Note { type_, reason, message }
}

/// What is worth an event when a study's status changes from `before` to `after`, in the order in which a person reads it. Equal statuses give none.
pub fn study_events(before: &StudyStatus, after: &StudyStatus) -> Vec<Note> {
    let mut notes = Vec::new();
    let turned = |kind: &str, status: &str| {
        let now = condition(after, kind).filter(|c| c.status == status)?;
        let was = condition(before, kind);
        (was.is_none_or(|c| c.status != status)).then_some(now)
    };
    match (condition(before, "Ready"), condition(after, "Ready")) {
        (was, Some(now)) if now.status == "False" => {
            let same = |c: &Condition| (&c.status, &c.reason, &c.message) == (&now.status, &now.reason, &now.message);
            if !was.is_some_and(same) {
                notes.push(note(Warning, "NotReady", because(now)));
            }
        }
        (Some(was), Some(now)) if was.status == "False" && now.status == "True" => {
            let message = format!("what was in the way is gone: {}", was.reason);
            notes.push(note(Normal, "Ready", message));
        }
        _ => {}
    }
    if before.start_time.is_none() && after.start_time.is_some() {
        notes.push(note(Normal, "Started", "the first trial was created".to_owned()));
    }
    if let Some(best) = &after.best
        && before.best.as_ref().is_none_or(|b| is_other(b, best))
    {
        notes.push(note(Normal, "NewBest", best_message(best)));
    }
    if let Some(condition) = turned("StorageDegraded", "True") {
        notes.push(note(Warning, "StorageDegraded", because(condition)));
    }
    if condition(before, "StorageDegraded").is_some_and(|c| c.status == "True")
        && condition(after, "StorageDegraded").is_some_and(|c| c.status == "False")
    {
        let message = "storage works again, and nothing is left to be done in it".to_owned();
        notes.push(note(Normal, "StorageRecovered", message));
    }
    notes.extend(phase_event(before, after));
    notes
}

/// The event of a study's phase, where it is another than before.
fn phase_event(before: &StudyStatus, after: &StudyStatus) -> Option<Note> {
    if before.phase == after.phase {
        return None;
    }
    let why = |kind: &str| condition(after, kind).map(because).unwrap_or_default();
    match after.phase {
        StudyPhase::Suspended => Some(note(
            Normal,
            "Suspended",
            "spec.suspend is true: nothing new is started, what runs finishes".to_owned(),
        )),
        StudyPhase::Succeeded => Some(note(Normal, "Completed", why("Complete"))),
        StudyPhase::Failed => Some(note(Warning, "Failed", why("Failed"))),
        StudyPhase::Pending | StudyPhase::Running if before.phase == StudyPhase::Suspended => {
            Some(note(Normal, "Resumed", "spec.suspend is no more true".to_owned()))
        }
        StudyPhase::Running if before.phase.is_finished() => Some(note(
            Normal,
            "Reopened",
            "it had ended, and goes on by its changed spec".to_owned(),
        )),
        StudyPhase::Pending | StudyPhase::Running => None,
    }
}

/// What is worth an event when a trial's status changes from `before` to `after`: what went wrong, and what a person or the study ended. Nothing for a
/// success: that stands in the trial, and the best one in the study's events.
pub fn trial_events(before: &TrialStatus, after: &TrialStatus) -> Vec<Note> {
    let failed = after.failures > before.failures
        || after.preemptions > before.preemptions
        || after.interruptions > before.interruptions;
    let event = match after.phase {
        TrialPhase::Pending if failed => Some(note(
            Warning,
            "AttemptFailed",
            format!(
                "attempt {} will be followed by another: {}",
                after.attempt,
                reason(after)
            ),
        )),
        phase if phase == before.phase => None,
        TrialPhase::Failed => Some(note(Warning, "Failed", reason(after))),
        TrialPhase::Stopped => Some(note(Normal, "Stopped", reason(after))),
        TrialPhase::Rejected => Some(note(Warning, "Rejected", reason(after))),
        TrialPhase::Pending | TrialPhase::Running | TrialPhase::Succeeded | TrialPhase::Admitted => None,
    };
    event.into_iter().collect()
}

fn condition<'a>(status: &'a StudyStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|c| c.type_ == kind)
}

fn because(condition: &Condition) -> String {
    joined(&condition.reason, &condition.message)
}

fn reason(status: &TrialStatus) -> String {
    joined(
        status.reason.as_deref().unwrap_or_default(),
        status.message.as_deref().unwrap_or_default(),
    )
}

fn joined(reason: &str, message: &str) -> String {
    match (reason, message) {
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// Whether it is another trial, or the same one with another value: its folder may come and go.
fn is_other(before: &BestTrial, after: &BestTrial) -> bool {
    (before.number, &before.objectives) != (after.number, &after.objectives)
}

fn best_message(best: &BestTrial) -> String {
    let values: Vec<_> = best.objectives.iter().map(f64::to_string).collect();
    format!("trial {} is the best so far: {}", best.trial, values.join(", "))
}
