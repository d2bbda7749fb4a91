//! The API server's audit log: who wrote what, how often and when.

use std::{fs, path::Path};

use jiff::Timestamp;
use serde_json::Value;

use super::apiserver::User;

/// Every write, without its content, once it is answered.
pub const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, verbs: [create, update, patch, delete, deletecollection]}
- {level: None}
";

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// `create`, `update`, `patch`, `delete` or `deletecollection`.
    pub verb: String,
    /// The plural of the kind, with `/` and the subresource where there is one.
    pub resource: String,
    /// The object's name.
    pub name: String,
    /// The status that the server answered with.
    pub code: u64,
    /// When the server got it.
    pub received: Timestamp,
    /// When the server had answered it.
    pub answered: Timestamp,
}

/// The writes of a user in a namespace, in the order in which they were answered.
pub fn writes(log: &Path, user: User, namespace: &str) -> Vec<Write> {
    let text = fs::read_to_string(log).unwrap_or_default();
    // A line that is being written is no JSON yet.
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events
        .filter(|e| e["user"]["username"] == user.name() && e["objectRef"]["namespace"] == namespace)
        .map(|e| read(&e))
        .collect()
}

fn read(event: &Value) -> Write {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let time = |value: &Value| value.as_str().and_then(|t| t.parse().ok()).unwrap_or_default();
    let object = &event["objectRef"];
    let mut resource = text(&object["resource"]);
    if let Some(sub) = object["subresource"].as_str() {
        resource = format!("{resource}/{sub}");
    }
    Write {
        verb: text(&event["verb"]),
        resource,
        name: text(&object["name"]),
        code: event["responseStatus"]["code"].as_u64().unwrap_or(0),
        received: time(&event["requestReceivedTimestamp"]),
        answered: time(&event["stageTimestamp"]),
    }
}
