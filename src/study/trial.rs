//! One trial: what its last attempt's run and metrics file make of it.

use jiff::{SignedDuration, Timestamp};

use super::{
    Action, Ending, FREE_PREEMPTIONS, Failure, Requirement, RunState, Step, Study, TIMEOUT_PATIENCE, Trial, bounded,
    ending::later,
};
use crate::{
    api::{TrialPhase, TrialStatus},
    metrics::{MetricsError, Reading},
};

/// What the study wants of its unfinished trials.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// Why nothing new is started, where that is so.
    pub ending: Option<Ending>,
    /// Whether attempts may start now.
    pub may_start: bool,
    /// The time.
    pub now: Timestamp,
}

/// Why a trial is to end although nothing is wrong with it.
fn intent(trial: &Trial, ending: Option<Ending>) -> Option<(&'static str, &'static str)> {
    if trial.deleting {
        Some(("Deleted", "the trial was deleted"))
    } else if trial.stop {
        Some(("StoppedByUser", "spec.stop was set"))
    } else {
        ending.filter(|e| e.stops_running()).map(|e| (e.reason(), e.message()))
    }
}

/// When what runs for a trial is ended although whatever runs it should have done so: Argo does not end a pod that was never scheduled.
pub(super) fn overdue_at(study: &Study, trial: &Trial) -> Option<Timestamp> {
    let timeout = study.spec.trial.timeout?;
    let patience = SignedDuration::try_from(TIMEOUT_PATIENCE).ok()?;
    Some(later(later(trial.run_since?, timeout.signed()), patience))
}

fn is_overdue(study: &Study, trial: &Trial, now: Timestamp) -> bool {
    overdue_at(study, trial).is_some_and(|at| at <= now)
}

/// What to do about an unfinished trial, if anything.
pub(super) fn step(study: &Study, trial: &Trial, wish: Wish) -> Option<Step> {
    let number = trial.number;
    let attempt = trial.status.attempt;
    // A run that was seen one attempt ahead of the record was started just before the record could be written.
    let ahead = trial
        .run
        .as_ref()
        .is_some_and(|run| Some(run.attempt) == attempt.checked_add(1));
    match trial.status.phase {
        TrialPhase::Pending if ahead => Some(record(study, trial, adopted(study, trial, wish.now))),
        TrialPhase::Pending => pending(study, trial, wish),
        TrialPhase::Running => {
            let run = trial.run.as_ref().filter(|run| run.attempt == attempt)?;
            match &run.state {
                RunState::Active if intent(trial, wish.ending).is_some() || is_overdue(study, trial, wish.now) => {
                    Some(Step {
                        action: Action::Stop { number, attempt },
                        requires: vec![at(trial), Requirement::Generation(study.generation)],
                    })
                }
                RunState::Active => None,
                ended => ended_step(study, trial, ended, wish),
            }
        }
        _ => None,
    }
}

/// Starting the first attempt of a trial that a plan has just created.
pub(super) fn first_start(study: &Study, number: u32) -> Step {
    start(study, number, 0)
}

fn start(study: &Study, number: u32, last: u32) -> Step {
    let attempt = last.saturating_add(1);
    let phase = TrialPhase::Pending;
    Step {
        action: Action::Start { number, attempt },
        requires: vec![
            Requirement::Generation(study.generation),
            Requirement::OwnsFolder,
            Requirement::At {
                number,
                attempt: last,
                phase,
            },
            Requirement::NoRun { number, attempt },
            Requirement::Room(number),
        ],
    }
}

fn at(trial: &Trial) -> Requirement {
    Requirement::At {
        number: trial.number,
        attempt: trial.status.attempt,
        phase: trial.status.phase,
    }
}

fn record(study: &Study, trial: &Trial, status: TrialStatus) -> Step {
    Step {
        action: Action::Record {
            number: trial.number,
            status: Box::new(status),
        },
        // Whether a failed attempt is tried again follows from the spec; and what ended may have been brought back to life.
        requires: vec![
            Requirement::Generation(study.generation),
            at(trial),
            Requirement::Run {
                number: trial.number,
                run: trial.run.clone(),
            },
        ],
    }
}

/// The status of a trial whose attempt runs.
pub fn started(study: &Study, number: u32, before: &TrialStatus, attempt: u32, now: Timestamp) -> TrialStatus {
    TrialStatus {
        phase: TrialPhase::Running,
        attempt,
        workflow: Some(study.run_name(number, attempt)),
        start_time: before.start_time.or(Some(now)),
        reason: None,
        message: None,
        ..before.clone()
    }
}

/// A status of which the API server does not take the metrics, for the reason `why`: without them. The objective counts, the rest can be read in S3.
pub fn without_metrics(status: TrialStatus, why: &str) -> TrialStatus {
    let message = format!("its metrics are not shown here, as the API server does not take them: {why}");
    TrialStatus {
        metrics: Default::default(),
        message: Some(bounded(message)),
        ..status
    }
}

fn adopted(study: &Study, trial: &Trial, now: Timestamp) -> TrialStatus {
    started(
        study,
        trial.number,
        &trial.status,
        trial.status.attempt.saturating_add(1),
        now,
    )
}

fn pending(study: &Study, trial: &Trial, wish: Wish) -> Option<Step> {
    if let Some((reason, message)) = intent(trial, wish.ending) {
        let status = finished(trial, TrialPhase::Stopped, reason, message, wish.now);
        return Some(unbegun(study, trial, status));
    }
    match wish.ending {
        // It was created, but shutdown came before its first attempt, or before its next one.
        Some(ending) if !ending.allows_retries() => {
            let status = match trial.status.failures {
                0 => finished(trial, TrialPhase::Stopped, ending.reason(), ending.message(), wish.now),
                _ => {
                    let reason = trial.status.reason.clone().unwrap_or_default();
                    let message = trial.status.message.clone().unwrap_or_default();
                    finished(trial, TrialPhase::Failed, &reason, &message, wish.now)
                }
            };
            Some(unbegun(study, trial, status))
        }
        _ => wish.may_start.then(|| start(study, trial.number, trial.status.attempt)),
    }
}

/// Recording the end of a trial that waits: its next attempt must not have begun, as one may have whose creation nobody answered.
fn unbegun(study: &Study, trial: &Trial, status: TrialStatus) -> Step {
    let (number, attempt) = (trial.number, trial.status.attempt.saturating_add(1));
    let mut step = record(study, trial, status);
    step.requires.push(Requirement::NoRun { number, attempt });
    step
}

/// An attempt's run has ended, well or otherwise.
fn ended_step(study: &Study, trial: &Trial, state: &RunState, wish: Wish) -> Option<Step> {
    let intent = intent(trial, wish.ending);
    let status = match state {
        RunState::Failed(Failure::Stopped, _) if intent.is_none() && is_overdue(study, trial, wish.now) => {
            let message = "it was not over within `trial.timeout`, and was ended";
            failed(study, trial, Failure::TimedOut, message, true, wish)
        }
        RunState::Failed(Failure::Stopped, message) => match &trial.metrics {
            None => return read_metrics(trial, wish.now),
            Some(reading) => {
                let (reason, why) = intent.unwrap_or(("StoppedOutside", message));
                let status = finished(trial, TrialPhase::Stopped, reason, why, wish.now);
                with_reading(status, reading.as_ref().ok())
            }
        },
        RunState::Failed(failure, message) => failed(study, trial, *failure, message, intent.is_none(), wish),
        RunState::Succeeded | RunState::Gone | RunState::Active => match &trial.metrics {
            None => return read_metrics(trial, wish.now),
            Some(Ok(reading)) => {
                let status = finished(trial, TrialPhase::Succeeded, "Succeeded", "", wish.now);
                with_reading(status, Some(reading))
            }
            // What was stopped before it began may be called a success by Argo.
            Some(Err(MetricsError::MetricsMissing(_))) if *state == RunState::Gone || intent.is_some() => {
                let message = "what ran for it is gone, and there is no metrics file";
                lost(study, trial, message, intent, wish)
            }
            Some(Err(error)) => finished(trial, TrialPhase::Failed, error.reason(), &error.to_string(), wish.now),
        },
    };
    Some(record(study, trial, status))
}

/// A run that vanished: what was to be stopped is stopped, anything else failed.
fn lost(study: &Study, trial: &Trial, message: &str, intent: Option<(&str, &str)>, wish: Wish) -> TrialStatus {
    match intent {
        Some((reason, why)) => finished(trial, TrialPhase::Stopped, reason, why, wish.now),
        None => retried_or_failed(study, trial, "Lost", message, wish),
    }
}

fn failed(study: &Study, trial: &Trial, failure: Failure, message: &str, wanted: bool, wish: Wish) -> TrialStatus {
    let again = |reason: &str| TrialStatus {
        phase: TrialPhase::Pending,
        reason: Some(reason.to_owned()),
        message: Some(bounded(message.to_owned())),
        ..trial.status.clone()
    };
    let may_retry = wanted && wish.ending.is_none_or(Ending::allows_retries);
    match failure {
        // The program that supervised it ended, not the trial: it is run again as if nothing had happened, whatever the study does now.
        Failure::Interrupted => TrialStatus {
            interruptions: trial.status.interruptions.saturating_add(1),
            ..again("Interrupted")
        },
        Failure::Preempted if may_retry && trial.status.preemptions < FREE_PREEMPTIONS => TrialStatus {
            preemptions: trial.status.preemptions.saturating_add(1),
            ..again("Preempted")
        },
        Failure::Refused => finished(trial, TrialPhase::Failed, "Refused", message, wish.now),
        Failure::Preempted => retried_or_failed(study, trial, "Preempted", message, wish),
        Failure::TimedOut => retried_or_failed(study, trial, "TimedOut", message, wish),
        Failure::Failed | Failure::Stopped => {
            if wanted {
                retried_or_failed(study, trial, "Failed", message, wish)
            } else {
                finished(trial, TrialPhase::Failed, "Failed", message, wish.now)
            }
        }
    }
}

fn retried_or_failed(study: &Study, trial: &Trial, reason: &str, message: &str, wish: Wish) -> TrialStatus {
    let failures = trial.status.failures.saturating_add(1);
    let wanted = intent(trial, wish.ending).is_none() && wish.ending.is_none_or(Ending::allows_retries);
    let status = if wanted && trial.status.failures < study.spec.retries.limit {
        TrialStatus {
            phase: TrialPhase::Pending,
            reason: Some(reason.to_owned()),
            message: Some(bounded(message.to_owned())),
            ..trial.status.clone()
        }
    } else {
        finished(trial, TrialPhase::Failed, reason, message, wish.now)
    };
    TrialStatus { failures, ..status }
}

/// How much later a metrics file is looked for a second time that was not there: some S3 servers show what was written a moment later.
const LATE: SignedDuration = SignedDuration::from_secs(3);

/// When a metrics file that was not there is looked for once more.
pub(super) fn look_again_at(trial: &Trial) -> Option<Timestamp> {
    trial.missed_at.map(|at| later(at, LATE))
}

/// Reads the metrics file; where it was not there, a while later.
fn read_metrics(trial: &Trial, now: Timestamp) -> Option<Step> {
    let is_due = look_again_at(trial).is_none_or(|at| at <= now);
    is_due.then(|| Step {
        action: Action::ReadMetrics {
            number: trial.number,
            attempt: trial.status.attempt,
        },
        requires: vec![at(trial)],
    })
}

fn finished(trial: &Trial, phase: TrialPhase, reason: &str, message: &str, now: Timestamp) -> TrialStatus {
    let some = |text: &str| (!text.is_empty()).then(|| bounded(text.to_owned()));
    TrialStatus {
        phase,
        reason: some(reason),
        message: some(message),
        completion_time: Some(now),
        ..trial.status.clone()
    }
}

fn with_reading(status: TrialStatus, reading: Option<&Reading>) -> TrialStatus {
    match reading {
        None => status,
        Some(reading) => TrialStatus {
            objectives: vec![reading.objective],
            metrics: reading.metrics.clone(),
            iteration: Some(reading.iteration),
            ..status
        },
    }
}
