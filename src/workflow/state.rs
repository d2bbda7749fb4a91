//! How a Workflow stands, and what its end means for the trial.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    COMPLETED_LABEL, at,
    failures::{Leaf, failures},
    list, text,
};
use crate::study::{Failure, RunState};

/// Whether a Workflow ended so that its template may be to blame: it failed without ever having come to run a pod.
pub fn blames_template(workflow: &Value, state: &RunState) -> bool {
    let nodes = workflow["status"]["nodes"].as_object();
    let ran_nothing = nodes.is_none_or(|nodes| !nodes.values().any(|node| text(node, "type") == "Pod"));
    ran_nothing && matches!(state, RunState::Failed(Failure::Failed | Failure::Refused, _))
}

/// How such a Workflow stands once the template is known to be amiss, for which `message` says why: it was not the trial's fault, and costs it nothing.
pub fn without_template(message: String) -> RunState {
    RunState::Failed(Failure::Interrupted, message)
}

/// How many characters of Argo's messages are kept.
const LONGEST: usize = 1024;
/// How many things that failed are named.
const NAMED: usize = 3;

/// How Argo's message starts about a Workflow that was ended from outside.
const STOPPED: [&str; 2] = ["Stopped with strategy", "workflow shutdown with strategy"];

/// How it starts about one that it will never run.
const REFUSED: [&str; 3] = [
    "invalid spec: ",
    "cannot unmarshall spec: ",
    "workflows must use workflowTemplateRef",
];

/// How it ends about one that sets what an Argo that allows nothing but references does not allow.
const RESTRICTED: &str = "with templateReferencing restriction";

/// What stands in a refusal that may not be one the next time: something that was not there, or could not be asked.
const PASSING: [&str; 11] = [
    "not found",
    "forbidden",
    "timeout",
    "timed out",
    "deadline exceeded",
    "connection re",
    "no such host",
    "EOF",
    "etcdserver",
    "too many requests",
    "unable to handle the request",
];

/// What stands in the message about a container that ended by itself; what follows it may be the process's own words.
const EXITED: &str = "(exit code ";

/// The containers of Argo in a step's pod, as messages start about them.
const ARGO_CONTAINERS: [&str; 3] = ["wait: ", "supervisor: ", "init: "];

/// How Argo and Kubernetes say that something ran too long.
const TIMED_OUT: [&str; 4] = [
    "exceeded its deadline",
    "exceeded workflow deadline",
    "active on the node longer than the specified deadline",
    "Max duration limit exceeded",
];

/// How Argo and Kubernetes say that a pod was taken away. Argo copies a pod's message without its reason.
const PREEMPTED: [&str; 12] = [
    "pod deleted",
    "Preempted in order to admit critical pod",
    "Preempted by ",
    "preempting to accommodate",
    "The node was low on resource",
    "The node had condition",
    "imminent node shutdown",
    "ode is shutting down",
    "which was running pod",
    "Pod was rejected: ",
    "phemeral local storage usage exceeds",
    "Usage of EmptyDir volume",
];

/// The reasons of pods that were taken away: by the kubelet, and in the condition `DisruptionTarget`.
const PREEMPTED_REASONS: [&str; 14] = [
    "Preempting",
    "Preempted",
    "Evicted",
    "NodeLost",
    "NodeShutdown",
    "Shutdown",
    "Terminated",
    "NodeAffinity",
    "UnexpectedAdmissionError",
    "PreemptionByScheduler",
    "DeletionByTaintManager",
    "EvictionByEvictionAPI",
    "DeletionByPodGC",
    "TerminationByKubelet",
];

/// Why a pod ended, in one word, where it or Kubernetes says so: the reason to give to [`state`].
pub fn pod_reason(pod: &Value) -> Option<String> {
    let status = pod.get("status")?;
    let disrupted = list(status, "conditions")
        .iter()
        .find(|condition| text(condition, "type") == "DisruptionTarget" && text(condition, "status") == "True");
    let reasons = [
        disrupted.map_or("", |condition| text(condition, "reason")),
        text(status, "reason"),
    ];
    let reason = reasons.into_iter().find(|reason| !reason.is_empty())?;
    Some(reason.to_owned())
}

/// How a whole Workflow stands, and why. `pod_reasons` are those of its pods that [`super::pods_to_read`] names and that could be read
/// (`Preempting`, `Evicted`, ...), one each, as [`pod_reason`] gives them.
pub fn state(workflow: &Value, pod_reasons: &[String]) -> RunState {
    let labels = workflow.get("metadata").and_then(|metadata| metadata.get("labels"));
    if labels.is_none_or(|labels| text(labels, COMPLETED_LABEL) != "true") {
        return RunState::Active;
    }
    let status = workflow.get("status").unwrap_or(&Value::Null);
    if text(status, "phase") == "Succeeded" {
        return RunState::Succeeded;
    }
    let message = text(status, "message");
    let (failure, message) = classify(workflow, message, pod_reasons);
    RunState::Failed(failure, short(&message))
}

fn classify(workflow: &Value, message: &str, pod_reasons: &[String]) -> (Failure, String) {
    if STOPPED.iter().any(|start| message.starts_with(start)) {
        return (Failure::Stopped, format!("its Workflow was ended: {message}"));
    }
    if REFUSED.iter().any(|start| message.starts_with(start)) || message.ends_with(RESTRICTED) {
        let failure = if has_any(message, &PASSING) {
            Failure::Failed
        } else {
            Failure::Refused
        };
        return (failure, format!("Argo refuses its Workflow: {message}"));
    }
    let mut leaves = failures(workflow);
    if leaves.is_empty() {
        leaves.push(Leaf {
            label: String::new(),
            message: message.to_owned(),
            finished_at: text(workflow.get("status").unwrap_or(&Value::Null), "finishedAt").to_owned(),
            pod: None,
        });
    }
    let deadline = deadline(workflow);
    let (late, rest): (Vec<&Leaf>, Vec<&Leaf>) = leaves.iter().partition(|leaf| is_late(leaf, deadline));
    let (taken, own): (Vec<&Leaf>, Vec<&Leaf>) = rest.into_iter().partition(|leaf| is_taken(leaf));
    // Only pods whose end is not explained otherwise have been read.
    let reasons: Vec<&str> = pod_reasons
        .iter()
        .map(String::as_str)
        .filter(|r| is_preemption(r))
        .collect();
    if own.len() > reasons.len() {
        let shown = shown(&own);
        let message = if shown.is_empty() { message.to_owned() } else { shown };
        return (Failure::Failed, format!("its Workflow failed: {message}"));
    }
    if late.is_empty() {
        let mut said: Vec<String> = reasons.iter().map(|reason| (*reason).to_owned()).collect();
        said.dedup();
        said.extend(Some(shown(&taken)).filter(|shown| !shown.is_empty()));
        let message = format!("what ran for it was preempted, evicted or deleted: {}", said.join("; "));
        return (Failure::Preempted, message);
    }
    let limit = at(workflow.get("spec").unwrap_or(&Value::Null), "activeDeadlineSeconds").and_then(Value::as_u64);
    let message = match limit {
        Some(seconds) if deadline.is_some_and(|deadline| has_passed(workflow, deadline)) => {
            format!(
                "it ran longer than the {seconds} s of `trial.timeout`: {}",
                shown(&late)
            )
        }
        _ => format!("it ran longer than its template allows: {}", shown(&late)),
    };
    (Failure::TimedOut, message)
}

/// Whether Argo's message about it says enough.
pub(super) fn is_explained(leaf: &Leaf) -> bool {
    is_late(leaf, None) || is_taken(leaf)
}

/// Whether its pod was taken away.
fn is_taken(leaf: &Leaf) -> bool {
    !leaf.message.contains(EXITED) && has_any(&leaf.message, &PREEMPTED)
}

/// Whether it was ended because it ran too long. The process may just be said to be killed.
fn is_late(leaf: &Leaf, deadline: Option<Timestamp>) -> bool {
    let was_killed = ["Error (exit code 137)", "Error (exit code 143)"];
    let ended_late = || {
        let finished: Option<Timestamp> = leaf.finished_at.parse().ok();
        finished
            .zip(deadline)
            .is_some_and(|(finished, deadline)| finished >= deadline)
    };
    let message = leaf.message.as_str();
    let by_others = !message.contains(EXITED) || ARGO_CONTAINERS.iter().any(|name| message.starts_with(name));
    by_others && has_any(message, &TIMED_OUT) || message == "timeout" || has_any(message, &was_killed) && ended_late()
}

/// When the Workflow runs longer than it, or its template, allows; Argo counts from whole seconds.
fn deadline(workflow: &Value) -> Option<Timestamp> {
    let status = workflow.get("status")?;
    let specs = [workflow.get("spec"), status.get("storedWorkflowTemplateSpec")];
    let mut limits = specs
        .into_iter()
        .flatten()
        .filter_map(|spec| spec.get("activeDeadlineSeconds")?.as_i64());
    let started: Timestamp = text(status, "startedAt").parse().ok()?;
    started.checked_add(SignedDuration::from_secs(limits.next()?)).ok()
}

fn has_passed(workflow: &Value, deadline: Timestamp) -> bool {
    let finished = workflow.get("status").map_or("", |status| text(status, "finishedAt"));
    finished.parse::<Timestamp>().is_ok_and(|finished| finished >= deadline)
}

fn is_preemption(reason: &str) -> bool {
    PREEMPTED_REASONS.contains(&reason) || reason.starts_with("OutOf")
}

fn has_any(text: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| text.contains(part))
}

/// What failed, for people.
fn shown(leaves: &[&Leaf]) -> String {
    let one = |leaf: &&Leaf| match (leaf.label.as_str(), leaf.message.as_str()) {
        ("", message) => message.to_owned(),
        (label, "") => format!("`{label}`"),
        (label, message) => format!("`{label}`: {message}"),
    };
    let mut all: Vec<String> = leaves.iter().take(NAMED).map(one).collect();
    if leaves.len() > NAMED {
        all.push(format!("and {} more", leaves.len() - NAMED));
    }
    all.join("; ")
}

/// A message in one line, not too long.
fn short(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.trim_end_matches(':').to_owned(),
    }
}
