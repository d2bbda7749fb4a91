//! A Workflow's nodes: the record that Argo keeps of everything that ran.

use std::io::Read;

use flate2::read::GzDecoder;
use k8s_openapi::ByteString;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{at, text};

/// How many bytes of packed nodes are unpacked.
const LARGEST: u64 = 64 << 20;

/// The nodes of a Workflow by their ids; empty where they are kept in Argo's database or cannot be read.
pub(super) fn nodes(workflow: &Value) -> Map<String, Value> {
    let status = workflow.get("status").unwrap_or(&Value::Null);
    if let Some(Value::Object(nodes)) = at(status, "nodes") {
        return nodes.clone();
    }
    // Argo packs them once a Workflow is too large for etcd.
    at(status, "compressedNodes").and_then(unpack).unwrap_or_default()
}

fn unpack(packed: &Value) -> Option<Map<String, Value>> {
    let ByteString(packed) = ByteString::deserialize(packed).ok()?;
    let mut bytes = Vec::new();
    let mut unpacked = GzDecoder::new(packed.as_slice()).take(LARGEST);
    unpacked.read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The node of the template that the Workflow started with; it has the Workflow's name.
pub(super) fn entry<'a>(workflow: &Value, nodes: &'a Map<String, Value>) -> Option<&'a Value> {
    nodes.get(name(workflow))
}

/// A Workflow's name.
pub(super) fn name(workflow: &Value) -> &str {
    workflow.get("metadata").map_or("", |metadata| text(metadata, "name"))
}
