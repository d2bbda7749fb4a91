//! What is asked of a real API server and of the simulated one.

use serde_json::{Value, json};

use super::{study, trial, workflow};

pub const STUDIES: &str = "/apis/hyperstudy.dev/v1alpha1/namespaces/default/hyperparameterstudies";
pub const TRIALS: &str = "/apis/hyperstudy.dev/v1alpha1/namespaces/default/hyperparametertrials";
pub const WORKFLOWS: &str = "/apis/argoproj.io/v1alpha1/namespaces/default/workflows";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// One request: method, type of the body, path, body. `$rv:NAME` and `$uid:NAME` stand for what was last seen of an object.
pub type Step = (&'static str, &'static str, String, Value);

fn post(at: &str, body: Value) -> Step {
    ("POST", "application/json", at.to_owned(), body)
}

fn put(at: &str, name: &str, body: Value) -> Step {
    ("PUT", "application/json", format!("{at}/{name}"), body)
}

fn patch(kind: &'static str, at: &str, name: &str, body: Value) -> Step {
    ("PATCH", kind, format!("{at}/{name}"), body)
}

fn get(at: &str, name: &str) -> Step {
    ("GET", "application/json", format!("{at}/{name}"), Value::Null)
}

fn list(at: &str, query: &str) -> Step {
    ("GET", "application/json", format!("{at}?{query}"), Value::Null)
}

fn delete(at: &str, name: &str, body: Value) -> Step {
    ("DELETE", "application/json", format!("{at}/{name}"), body)
}

/// `value` with these changes, by pointer; null removes.
fn with(mut value: Value, changes: &Value) -> Value {
    for (path, change) in changes.as_object().unwrap() {
        let (parent, field) = path.rsplit_once('/').unwrap();
        let parent = value
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("no {path}"))
            .as_object_mut()
            .unwrap();
        if change.is_null() {
            parent.remove(field);
        } else {
            parent.insert(field.to_owned(), change.clone());
        }
    }
    value
}

fn status(name: &str, status: &Value) -> Value {
    json!({"apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy", "metadata": {"name": name}, "status": status})
}

fn condition(kind: &str, is: &str) -> Value {
    json!({"type": kind, "status": is, "reason": "R", "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

/// Everything that is asked.
pub fn steps() -> Vec<Step> {
    let managed = |kind, name: &str, sub: &str, manager: &str, body| {
        patch(kind, STUDIES, &format!("{name}{sub}?fieldManager={manager}"), body)
    };
    let forced = |name: &str, sub: &str, manager: &str, body| {
        patch(
            APPLY,
            STUDIES,
            &format!("{name}{sub}?fieldManager={manager}&force=true"),
            body,
        )
    };
    let ours = |body| managed(APPLY, "a", "/status", "hyperstudy", body);
    let whole = |value: &Value| {
        let best = json!({"trial": "a-2", "number": 2, "objectives": [value], "parameters": {"x": value}, "metrics": {"y": value}});
        forced("a", "/status", "hyperstudy", status("a", &json!({"best": best})))
    };
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"},
        "spec": {"holderIdentity": "x", "leaseDurationSeconds": 15}});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}});
    vec![
        // Creation.
        post(STUDIES, study("a")),
        post(STUDIES, study("a")),
        post(
            STUDIES,
            with(
                study("b"),
                &json!({"/status": {"phase": "Running"}, "/spec/unknown": 1, "/metadata/finalizers": ["hyperstudy.dev/study"]}),
            ),
        ),
        post(STUDIES, with(study("c"), &json!({"/metadata/resourceVersion": "5"}))),
        post(STUDIES, with(study("c"), &json!({"/metadata/namespace": "other"}))),
        post(STUDIES, with(study("c"), &json!({"/spec/parallelism": 0}))),
        post(STUDIES, with(study("c"), &json!({"/kind": "HyperparameterTrial"}))),
        post(STUDIES, with(study("c"), &json!({"/metadata/name": null}))),
        post(STUDIES, with(study("c"), &json!({"/metadata/name": "Upper_Case"}))),
        post(STUDIES, with(study("c"), &json!({"/metadata/labels": {"a": "b c"}}))),
        post(
            STUDIES,
            with(
                study("c"),
                &json!({"/metadata/ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": ""}]}),
            ),
        ),
        post(&format!("{STUDIES}?dryRun=All"), study("dry")),
        get(STUDIES, "dry"),
        post(
            TRIALS,
            with(
                trial("a", 1),
                &json!({"/metadata/ownerReferences": [{"apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy", "name": "a", "uid": "$uid:a"}]}),
            ),
        ),
        // Replacement.
        put(STUDIES, "a", study("a")),
        put(STUDIES, "none", study("none")),
        put(
            STUDIES,
            "none",
            with(study("none"), &json!({"/metadata/resourceVersion": "5"})),
        ),
        put(
            STUDIES,
            "a",
            with(study("a"), &json!({"/metadata/resourceVersion": "1"})),
        ),
        put(
            STUDIES,
            "a",
            with(study("a"), &json!({"/metadata/resourceVersion": "$rv:a"})),
        ),
        put(
            STUDIES,
            "a",
            with(
                study("a"),
                &json!({"/metadata/resourceVersion": "$rv:a", "/spec/parallelism": 2}),
            ),
        ),
        put(
            STUDIES,
            "a",
            with(
                study("a"),
                &json!({"/metadata/resourceVersion": "$rv:a", "/metadata/labels": {"x": "y"}, "/spec/parallelism": 2, "/status": {"phase": "Failed"}}),
            ),
        ),
        put(
            STUDIES,
            "a",
            with(
                study("a"),
                &json!({"/metadata/resourceVersion": "$rv:a", "/metadata/uid": "other"}),
            ),
        ),
        put(
            STUDIES,
            "b",
            with(study("a"), &json!({"/metadata/resourceVersion": "$rv:b"})),
        ),
        put(
            STUDIES,
            "a/status",
            with(
                study("a"),
                &json!({"/metadata/resourceVersion": "$rv:a", "/status": {"phase": "Running"}, "/spec/parallelism": 9, "/metadata/labels": {"gone": "yes"}}),
            ),
        ),
        put(
            STUDIES,
            "a/status",
            with(
                study("a"),
                &json!({"/metadata/resourceVersion": "$rv:a", "/status": {"phase": "Nonsense"}}),
            ),
        ),
        // Patches.
        managed(
            MERGE,
            "a",
            "",
            "me",
            json!({"spec": {"parallelism": 3}, "metadata": {"labels": {"x": null}}, "status": {"phase": "Failed"}}),
        ),
        managed(MERGE, "a", "", "me", json!({"spec": {"parallelism": 3}})),
        managed(
            MERGE,
            "a",
            "",
            "me",
            json!({"metadata": {"resourceVersion": "1"}, "spec": {"parallelism": 4}}),
        ),
        managed(
            MERGE,
            "a",
            "",
            "me",
            json!({"metadata": {"resourceVersion": "$rv:a"}, "spec": {"parallelism": 4}}),
        ),
        managed(MERGE, "a", "", "me", json!({"metadata": {"name": "z"}})),
        managed(MERGE, "a", "", "me", json!({"metadata": {"uid": "other"}})),
        managed(MERGE, "a", "", "me", json!({"spec": {"objectives": []}})),
        managed(
            MERGE,
            "a",
            "/status",
            "me",
            json!({"status": {"lastNumber": 3}, "spec": {"parallelism": 5}}),
        ),
        managed(MERGE, "none", "", "me", json!({"spec": {"parallelism": 3}})),
        managed(
            "application/strategic-merge-patch+json",
            "a",
            "",
            "me",
            json!({"spec": {"parallelism": 3}}),
        ),
        managed(
            JSON,
            "a",
            "",
            "me",
            json!([{"op": "test", "path": "/spec/parallelism", "value": 4}, {"op": "replace", "path": "/spec/parallelism", "value": 6}]),
        ),
        managed(
            JSON,
            "a",
            "",
            "me",
            json!([{"op": "test", "path": "/spec/parallelism", "value": 4}, {"op": "replace", "path": "/spec/parallelism", "value": 7}]),
        ),
        managed(JSON, "a", "", "me", json!([{"op": "remove", "path": "/spec/nothing"}])),
        managed(
            JSON,
            "a",
            "",
            "me",
            json!([{"op": "add", "path": "/metadata/finalizers", "value": ["hyperstudy.dev/study"]}]),
        ),
        // Server-side apply.
        ours(status(
            "a",
            &json!({"phase": "Running", "lastNumber": 4, "best": {"trial": "a-1", "number": 1, "objectives": [0.5], "parameters": {"lr": 0.1}, "metrics": {"loss": 0.5}}, "conditions": [condition("Ready", "True")]}),
        )),
        get(STUDIES, "a"),
        forced(
            "a",
            "/status",
            "hyperstudy",
            status(
                "a",
                &json!({"phase": "Running", "lastNumber": 4, "best": {"trial": "a-1", "number": 1, "objectives": [0.5], "parameters": {"lr": 0.1}, "metrics": {"loss": 0.5}}, "conditions": [condition("Ready", "True")]}),
            ),
        ),
        ours(status(
            "a",
            &json!({"phase": "Running", "lastNumber": 4, "best": {"trial": "a-1", "number": 1, "objectives": [0.5], "parameters": {"lr": 0.1}, "metrics": {"loss": 0.5}}, "conditions": [condition("Ready", "True")]}),
        )),
        ours(status(
            "a",
            &json!({"phase": "Running", "lastNumber": 5, "best": {"trial": "a-2", "number": 2, "objectives": [0.25], "parameters": {"momentum": 0.1}, "metrics": {"loss": 0.5}}, "conditions": [condition("Complete", "False"), condition("Ready", "False")]}),
        )),
        managed(
            MERGE,
            "a",
            "/status",
            "someone",
            json!({"status": {"conditions": [condition("Complete", "False"), condition("Ready", "False"), condition("Theirs", "True")]}}),
        ),
        // A whole number is stored as an integer; is it the same when it is written again?
        whole(&json!(1.0)),
        whole(&json!(1.0)),
        whole(&json!(1)),
        whole(&json!(1)),
        whole(&json!(1e30)),
        whole(&json!(1e30)),
        ours(status(
            "a",
            &json!({"phase": "Succeeded", "conditions": [condition("Ready", "False")]}),
        )),
        forced(
            "a",
            "/status",
            "hyperstudy",
            status(
                "a",
                &json!({"phase": "Succeeded", "conditions": [condition("Ready", "False")]}),
            ),
        ),
        forced(
            "a",
            "/status",
            "hyperstudy",
            status("a", &json!({"phase": "Succeeded"})),
        ),
        forced(
            "a",
            "/status",
            "hyperstudy",
            with(
                status("a", &json!({"phase": "Failed"})),
                &json!({"/metadata/resourceVersion": "1"}),
            ),
        ),
        forced(
            "a",
            "/status",
            "hyperstudy",
            with(
                status("a", &json!({"phase": "Failed"})),
                &json!({"/metadata/resourceVersion": "$rv:a"}),
            ),
        ),
        forced(
            "a",
            "/status",
            "hyperstudy",
            with(
                status("a", &json!({"phase": "Failed"})),
                &json!({"/spec": {"parallelism": 8}, "/metadata/labels": {"n": "v"}}),
            ),
        ),
        forced("a", "/status", "hyperstudy", status("a", &json!({"phase": "Nonsense"}))),
        forced("a", "/status", "hyperstudy", status("a", &json!({}))),
        managed(
            APPLY,
            "none",
            "/status",
            "hyperstudy",
            status("none", &json!({"phase": "Failed"})),
        ),
        patch(APPLY, STUDIES, "a/status", status("a", &json!({"phase": "Failed"}))),
        managed(APPLY, "applied", "", "me", study("applied")),
        managed(
            APPLY,
            "applied",
            "",
            "me",
            with(
                study("applied"),
                &json!({"/spec/parallelism": 4, "/metadata/labels": {"one": "1", "two": "2"}}),
            ),
        ),
        managed(
            APPLY,
            "applied",
            "",
            "me",
            with(study("applied"), &json!({"/metadata/labels": {"two": "2"}})),
        ),
        managed(
            APPLY,
            "applied",
            "",
            "other",
            with(study("applied"), &json!({"/metadata/labels": {"two": "3"}})),
        ),
        managed(
            APPLY,
            "applied",
            "",
            "other",
            json!({"apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy", "metadata": {"name": "applied", "labels": {"three": "3"}, "finalizers": ["x.dev/y"]}}),
        ),
        managed(
            APPLY,
            "applied",
            "",
            "other",
            json!({"apiVersion": "hyperstudy.dev/v1alpha1", "kind": "HyperparameterStudy", "metadata": {"name": "applied"}}),
        ),
        managed(
            APPLY,
            "fresh",
            "",
            "me",
            with(study("fresh"), &json!({"/metadata/resourceVersion": "5"})),
        ),
        // Kinds without a status subresource, and kinds that are built in.
        post(
            WORKFLOWS,
            with(
                workflow("w", &json!({"one": "1"})),
                &json!({"/status": {"phase": "Pending"}}),
            ),
        ),
        patch(MERGE, WORKFLOWS, "w", json!({"status": {"phase": "Running"}})),
        patch(MERGE, WORKFLOWS, "w", json!({"metadata": {"labels": {"two": "2"}}})),
        patch(MERGE, WORKFLOWS, "w/status", json!({"status": {"phase": "Failed"}})),
        patch(MERGE, WORKFLOWS, "w", json!({"spec": {"shutdown": "Terminate"}})),
        put(WORKFLOWS, "w", workflow("w", &json!({}))),
        put(
            WORKFLOWS,
            "w",
            with(
                workflow("w", &json!({})),
                &json!({"/metadata/resourceVersion": "$rv:w"}),
            ),
        ),
        post(MAPS, map.clone()),
        put(MAPS, "m", with(map.clone(), &json!({"/data": {"a": "2"}}))),
        put(MAPS, "m", with(map, &json!({"/metadata/resourceVersion": "1"}))),
        patch(
            "application/strategic-merge-patch+json",
            MAPS,
            "m",
            json!({"data": {"b": "3"}}),
        ),
        post(LEASES, lease.clone()),
        put(LEASES, "l", lease.clone()),
        put(
            LEASES,
            "l",
            with(
                lease,
                &json!({"/metadata/resourceVersion": "$rv:l", "/spec/holderIdentity": "y"}),
            ),
        ),
        // Lists.
        list(STUDIES, "labelSelector=two%3D2"),
        list(STUDIES, "labelSelector=two"),
        list(STUDIES, "labelSelector=two+in+(2,9),!one"),
        list(STUDIES, "labelSelector=two+notin+(2)&fieldSelector=metadata.name%3Da"),
        list(STUDIES, "labelSelector=not+a+selector"),
        list(STUDIES, "fieldSelector=spec.x%3D1"),
        list(STUDIES, "limit=2"),
        list(STUDIES, "limit=2&continue=$continue"),
        list(MAPS, "fieldSelector=metadata.name%3Dm"),
        list("/apis/hyperstudy.dev/v1alpha1/hyperparametertrials", ""),
        list("/apis/hyperstudy.dev/v1alpha1/namespaces/default/nothing", ""),
        get(STUDIES, "none"),
        // Deletion.
        delete(
            TRIALS,
            "a-1",
            json!({"preconditions": {"uid": "$uid:a-1", "resourceVersion": "$rv:a-1"}}),
        ),
        delete(STUDIES, "none", Value::Null),
        delete(STUDIES, "a", json!({"preconditions": {"uid": "other"}})),
        delete(STUDIES, "a", json!({"preconditions": {"resourceVersion": "1"}})),
        delete(STUDIES, "a", Value::Null),
        delete(STUDIES, "a", Value::Null),
        managed(
            MERGE,
            "a",
            "",
            "me",
            json!({"metadata": {"finalizers": ["hyperstudy.dev/study", "another.dev/one"]}}),
        ),
        managed(MERGE, "a", "", "me", json!({"metadata": {"deletionTimestamp": null}})),
        managed(MERGE, "a", "/status", "me", json!({"status": {"lastNumber": 9}})),
        managed(MERGE, "a", "", "me", json!({"metadata": {"finalizers": []}})),
        get(STUDIES, "a"),
        delete(WORKFLOWS, "w?propagationPolicy=Background", Value::Null),
        delete(MAPS, "m", Value::Null),
        get(MAPS, "m"),
    ]
}
