//! How Workflows end, with the messages of Argo and Kubernetes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    study::{Failure, RunState},
    workflow::{Seen, pod_reason, pods_to_read, seen, state},
};

#[test]
fn labels_say_how_it_stands() {
    let phase = "workflows.argoproj.io/phase";
    let completed = "workflows.argoproj.io/completed";
    for (labels, expected) in [
        (vec![], Seen::Active),
        (vec![(phase, "Pending")], Seen::Active),
        (vec![(phase, "Running"), (completed, "false")], Seen::Active),
        (vec![(phase, "Succeeded"), (completed, "true")], Seen::Succeeded),
        (vec![(phase, "Failed"), (completed, "true")], Seen::Unsuccessful),
        (vec![(phase, "Error"), (completed, "true")], Seen::Unsuccessful),
        (vec![(completed, "true")], Seen::Unsuccessful),
        // Tried again by a person.
        (vec![(phase, "Failed"), (completed, "false")], Seen::Active),
        (vec![(phase, "Succeeded")], Seen::Active),
    ] {
        let labels = labels
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect::<BTreeMap<_, _>>();
        assert_eq!(seen(&labels), expected, "{labels:?}");
    }
}

/// A Workflow that is over.
fn over(phase: &str, message: &str, nodes: &Value) -> Value {
    json!({
        "metadata": {"name": "s-1-1", "labels": {"workflows.argoproj.io/completed": "true"}},
        "spec": {"activeDeadlineSeconds": 60},
        "status": {
            "phase": phase, "message": message, "nodes": nodes,
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:05Z"
        }
    })
}

fn failure(workflow: &Value, reasons: &[&str]) -> (Failure, String) {
    let reasons: Vec<String> = reasons.iter().map(|reason| (*reason).to_owned()).collect();
    match state(workflow, &reasons) {
        RunState::Failed(failure, message) => (failure, message),
        other => panic!("{other:?}"),
    }
}

/// A pod's node below the entrypoint.
fn pod(name: &str, phase: &str, message: &str) -> Value {
    json!({
        "id": name, "name": format!("s-1-1.{name}"), "displayName": name, "type": "Pod", "phase": phase, "message": message,
        "templateName": "train", "boundaryID": "s-1-1", "finishedAt": "2026-01-01T00:00:10Z"
    })
}

fn dag(nodes: &[Value]) -> Value {
    let mut all = json!({"s-1-1": {"id": "s-1-1", "name": "s-1-1", "type": "DAG", "phase": "Failed"}});
    for node in nodes {
        all[node["id"].as_str().unwrap()] = node.clone();
    }
    all
}

#[test]
fn phases() {
    assert_eq!(state(&over("Succeeded", "", &json!({})), &[]), RunState::Succeeded);
    let mut running = over("Failed", "", &json!({}));
    running["metadata"]["labels"] = json!({"workflows.argoproj.io/phase": "Failed"});
    assert_eq!(state(&running, &[]), RunState::Active);
    assert_eq!(state(&json!({}), &[]), RunState::Active);
}

#[test]
fn messages_of_the_workflow_alone() {
    use Failure::{Failed, Preempted, Refused, Stopped, TimedOut};
    for (phase, message, expected) in [
        ("Failed", "Stopped with strategy 'Terminate'", Stopped),
        ("Failed", "Stopped with strategy 'Stop'", Stopped),
        ("Error", "Stopped with strategy 'Terminate'", Stopped),
        (
            "Failed",
            "invalid spec: templates.fit inputs.parameters.a was not supplied",
            Refused,
        ),
        (
            "Failed",
            "invalid spec: spec.arguments.a.value or spec.arguments.a.valueFrom is required",
            Refused,
        ),
        ("Failed", "cannot unmarshall spec: json: unknown field \"x\"", Refused),
        (
            "Error",
            "fields [Volumes] are not permitted when using workflowTemplateRef with templateReferencing restriction",
            Refused,
        ),
        // Not there, or not to be asked: another time it may be.
        (
            "Failed",
            "invalid spec: templates.fit.steps[0].a template reference x.y not found",
            Failed,
        ),
        (
            "Failed",
            "invalid spec: Get \"https://10.0.0.1:443/apis\": dial tcp: connection refused",
            Failed,
        ),
        ("Error", "workflowtemplate.argoproj.io \"ffnn\" not found", Failed),
        (
            "Error",
            "failed to resolve artifact repository: config map \"x\" missing",
            Failed,
        ),
        ("Failed", "failed to set global parameters: configmap not there", Failed),
        ("Failed", "main: Error (exit code 1)", Failed),
        ("Failed", "main: OOMKilled (exit code 137)", Failed),
        (
            "Failed",
            "main: Error (exit code 1): pod deleted, and it exceeded its deadline",
            Failed,
        ),
        ("Failed", "", Failed),
        ("Failed", "Step exceeded its deadline", TimedOut),
        ("Failed", "s-1-1.train exceeded its deadline", TimedOut),
        (
            "Failed",
            "Pod was active on the node longer than the specified deadline",
            TimedOut,
        ),
        (
            "Failed",
            "wait: Error (exit code 2): Step exceeded its deadline",
            TimedOut,
        ),
        ("Failed", "main: Error (exit code 143)", TimedOut),
        ("Error", "pod deleted", Preempted),
        ("Failed", "Preempted in order to admit critical pod", Preempted),
        (
            "Failed",
            "The node was low on resource: memory. Threshold quantity: 100Mi",
            Preempted,
        ),
        (
            "Failed",
            "Pod was terminated in response to imminent node shutdown.",
            Preempted,
        ),
        (
            "Failed",
            "Node ip-10-0-0-1 which was running pod s-1-1 is unresponsive",
            Preempted,
        ),
        (
            "Failed",
            "Pod was rejected: Node didn't have enough resource: cpu",
            Preempted,
        ),
    ] {
        let (found, said) = failure(&over(phase, message, &json!({})), &[]);
        assert_eq!(found, expected, "{message}: {said}");
        assert!(said.contains(message), "{said}");
    }
    // The template's own limit.
    let mut late = over("Failed", "main: Error (exit code 143)", &json!({}));
    late["spec"] = json!({});
    assert_eq!(failure(&late, &[]).0, Failed);
    late["status"]["storedWorkflowTemplateSpec"] = json!({"activeDeadlineSeconds": 60});
    let (found, said) = failure(&late, &[]);
    assert_eq!(found, TimedOut);
    assert!(said.starts_with("it ran longer than its template allows: "), "{said}");
    // Killed before its time, by something else.
    let mut early = over("Failed", "main: Error (exit code 143)", &json!({}));
    early["status"]["finishedAt"] = json!("2026-01-01T00:00:30Z");
    assert_eq!(failure(&early, &[]).0, Failed);
}

#[test]
fn what_really_failed_counts() {
    use Failure::{Failed, Preempted, TimedOut};
    let own = pod("a", "Failed", "main: Error (exit code 1)");
    let taken = pod("b", "Error", "pod deleted");
    let late = pod("c", "Failed", "Step exceeded its deadline");
    let fine = pod("d", "Succeeded", "");
    let mut hook = pod("e", "Failed", "main: Error (exit code 2)");
    hook["nodeFlag"] = json!({"hooked": true});
    for (nodes, reasons, expected, says) in [
        (
            dag(&[own.clone(), fine.clone()]),
            &[][..],
            Failed,
            "its Workflow failed: `a`: main: Error (exit code 1)",
        ),
        (dag(&[own.clone(), taken.clone()]), &[], Failed, "`a`: main"),
        (dag(&[own.clone(), late.clone()]), &[], Failed, "`a`: main"),
        (
            dag(&[taken.clone(), fine, hook.clone()]),
            &[],
            Preempted,
            "preempted, evicted or deleted: `b`: pod deleted",
        ),
        (
            dag(&[taken.clone(), late]),
            &[],
            TimedOut,
            "longer than the 60 s of `trial.timeout`: `c`",
        ),
        (dag(&[hook]), &[], Failed, "`e`: main: Error (exit code 2)"),
        // What the pods say.
        (
            dag(std::slice::from_ref(&own)),
            &["Evicted"],
            Preempted,
            "deleted: Evicted",
        ),
        (dag(std::slice::from_ref(&own)), &["Completed"], Failed, "`a`"),
        (
            dag(&[own.clone(), taken]),
            &["Preempting"],
            Preempted,
            "Preempting; `b`",
        ),
        (
            dag(&[own, pod("f", "Failed", "main: Error (exit code 3)")]),
            &["Evicted"],
            Failed,
            "`f`: main",
        ),
        (dag(&[]), &[], Failed, "child failed"),
    ] {
        let workflow = over("Failed", "child failed", &nodes);
        let (found, said) = failure(&workflow, reasons);
        assert_eq!(found, expected, "{nodes} {said}");
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn tries_that_were_repeated_do_not_count() {
    let mut first = pod("train(0)", "Failed", "main: Error (exit code 1)");
    first["nodeFlag"] = json!({"retried": true});
    let retry = |phase: &str| {
        json!({
            "id": "train", "name": "s-1-1.train", "displayName": "train", "type": "Retry", "phase": phase,
            "boundaryID": "s-1-1", "children": ["train(0)", "train(1)"], "message": "No more retries left"
        })
    };
    let second = pod("train(1)", "Error", "pod deleted");
    let nodes = dag(&[first.clone(), second, retry("Error")]);
    assert_eq!(failure(&over("Error", "", &nodes), &[]).0, Failure::Preempted);
    // Inside of a whole group that was tried again.
    let group =
        |id: &str, phase: &str| json!({"id": id, "name": id, "type": "Steps", "phase": phase, "boundaryID": "s-1-1"});
    let mut inner = pod("inner", "Failed", "main: Error (exit code 9)");
    inner["boundaryID"] = json!("train(0)");
    let nodes = dag(&[
        group("train(0)", "Failed"),
        inner,
        group("train(1)", "Succeeded"),
        retry("Succeeded"),
        pod("x", "Failed", "own"),
    ]);
    let (found, said) = failure(&over("Failed", "", &nodes), &[]);
    assert_eq!(
        (found, said.as_str()),
        (Failure::Failed, "its Workflow failed: `x`: own")
    );
}

#[test]
fn many_and_long_messages_stay_short() {
    let nodes: Vec<Value> = (0..9)
        .map(|i| pod(&format!("p{i}"), "Failed", &"very\nlong ".repeat(500)))
        .collect();
    let (_, said) = failure(&over("Failed", "", &dag(&nodes)), &[]);
    assert!(said.chars().count() <= 1027 && !said.contains('\n'), "{said}");
    let nodes: Vec<Value> = (0..9).map(|i| pod(&format!("p{i}"), "Failed", "bad")).collect();
    let (_, said) = failure(&over("Failed", "", &dag(&nodes)), &[]);
    assert!(said.ends_with("`p2`: bad; and 6 more"), "{said}");
    assert_eq!(failure(&over("Failed", "", &json!({})), &[]).1, "its Workflow failed");
}

#[test]
fn pods_are_named_as_argo_names_them() {
    let nodes = dag(&[
        pod("a", "Failed", "main: Error (exit code 1)"),
        pod("b", "Error", "pod deleted"),
        pod("c", "Succeeded", ""),
    ]);
    let mut workflow = over("Failed", "", &nodes);
    // FNV-1a of `s-1-1.a`.
    assert_eq!(pods_to_read(&workflow), ["s-1-1-train-1959994739"]);
    workflow["metadata"]["annotations"] = json!({"workflows.argoproj.io/pod-name-format": "v1"});
    assert_eq!(pods_to_read(&workflow), ["a"]);
    let only = json!({"s-1-1": {"id": "s-1-1", "name": "s-1-1", "type": "Pod", "phase": "Failed", "message": "main: Error (exit code 1)", "templateName": "fit"}});
    assert_eq!(pods_to_read(&over("Failed", "", &only)), ["s-1-1"]);
    let mut offloaded = over("Failed", "", &Value::Null);
    offloaded["status"]["offloadNodeStatusVersion"] = json!("fnv:1");
    assert_eq!(pods_to_read(&offloaded), Vec::<String>::new());
}

#[test]
fn a_pods_reason() {
    for (status, expected) in [
        (json!({"reason": "Evicted"}), Some("Evicted")),
        (json!({"phase": "Failed"}), None),
        (
            json!({"conditions": [{"type": "Ready", "status": "True", "reason": "X"}, {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}),
            Some("PreemptionByScheduler"),
        ),
        (
            json!({"conditions": [{"type": "DisruptionTarget", "status": "False", "reason": "PreemptionByScheduler"}]}),
            None,
        ),
        (json!([]), None),
    ] {
        assert_eq!(pod_reason(&json!({"status": status})).as_deref(), expected, "{status}");
    }
}
