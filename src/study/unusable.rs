//! A study that cannot even be compiled.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::{Ending, Identity, bounded, ending::later};
use crate::api::{StudyPhase, StudySpec, StudyStatus};

/// The status of a study whose spec makes no sense, for `reason` and `message`, and when to look again. It waits to be mended, but not beyond
/// `startDeadline` (`spec` is absent where not even that can be read); what it was before stays as it was.
pub fn unusable(
    identity: &Identity,
    spec: Option<&StudySpec>,
    before: &StudyStatus,
    (reason, message): (&str, &str),
    now: Timestamp,
) -> (StudyStatus, Option<Timestamp>) {
    let started = before.start_time.is_some() || before.last_number > 0;
    let deadline = spec.and_then(|s| s.start_deadline).filter(|_| !started);
    let deadline = deadline.map(|d| later(identity.created, d.signed()));
    let is_late = deadline.is_some_and(|at| at <= now);
    let is_over = before.phase.is_finished();
    let mut conditions = before.conditions.clone();
    let mut set = |kind: &str, holds: bool, reason: &str, message: &str| {
        let status = if holds { "True" } else { "False" };
        let same = conditions.iter().find(|c| c.type_ == kind && c.status == status);
        let condition = Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: bounded(message.to_owned()),
            last_transition_time: same.map_or(Time(now), |c| c.last_transition_time.clone()),
            observed_generation: Some(identity.generation),
        };
        conditions.retain(|c| c.type_ != kind);
        conditions.push(condition);
    };
    set("Ready", false, reason, message);
    if is_late && !is_over {
        let ending = Ending::StartDeadlineExceeded;
        set("Failed", true, ending.reason(), ending.message());
        set("Complete", false, ending.reason(), ending.message());
    }
    let status = StudyStatus {
        phase: if is_late { StudyPhase::Failed } else { before.phase },
        observed_generation: Some(identity.generation),
        conditions,
        completion_time: before.completion_time.or(is_late.then_some(now)),
        ..before.clone()
    };
    (status, deadline.filter(|at| *at > now))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn identity() -> Identity {
        Identity {
            name: "s".to_owned(),
            namespace: "n".to_owned(),
            uid: "u".to_owned(),
            generation: 3,
            created: at(100),
            deleting: false,
        }
    }

    #[test]
    fn it_waits_until_the_deadline_and_fails_then() {
        let spec: StudySpec = serde_json::from_value(serde_json::json!({
            "objectives": [{"metric": "loss", "goal": "Minimize"}], "parameters": [], "startDeadline": "10s",
            "algorithm": {"sampler": {"random": {}}},
        }))
        .unwrap();
        let why = ("InvalidSpec", "no parameters");
        let (waiting, again) = unusable(&identity(), Some(&spec), &StudyStatus::default(), why, at(105));
        assert_eq!((waiting.phase, again), (StudyPhase::Pending, Some(at(110))));
        assert_eq!(waiting.observed_generation, Some(3));
        let ready = &waiting.conditions[0];
        assert_eq!(
            (&*ready.type_, &*ready.status, &*ready.reason),
            ("Ready", "False", "InvalidSpec")
        );
        // The same again changes nothing.
        assert_eq!(unusable(&identity(), Some(&spec), &waiting, why, at(106)).0, waiting);
        let (failed, again) = unusable(&identity(), Some(&spec), &waiting, why, at(110));
        assert_eq!((failed.phase, again), (StudyPhase::Failed, None));
        assert!(
            failed
                .conditions
                .iter()
                .any(|c| c.type_ == "Failed" && c.status == "True")
        );
        assert_eq!(failed.completion_time, Some(at(110)));
        let started = StudyStatus {
            start_time: Some(at(101)),
            phase: StudyPhase::Running,
            ..StudyStatus::default()
        };
        let (running, again) = unusable(&identity(), Some(&spec), &started, why, at(200));
        assert_eq!((running.phase, again), (StudyPhase::Running, None));
        assert_eq!(
            unusable(&identity(), None, &StudyStatus::default(), why, at(200))
                .0
                .phase,
            StudyPhase::Pending
        );
    }
}
