//! What a Workflow failed of: those of its nodes that did, without those whose failure was made good or followed from others.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    list,
    nodes::{name, nodes},
    text,
};

/// How many pods are worth reading.
const MOST_PODS: usize = 10;

/// The kinds of nodes that fail because others do.
const COMPOUND: [&str; 6] = ["Steps", "StepGroup", "DAG", "TaskGroup", "Retry", "Container"];

/// One thing that failed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    /// What people know it by; empty for a Workflow's only step.
    pub label: String,
    /// What Argo says of it.
    pub message: String,
    /// When it ended, as it is written.
    pub finished_at: String,
    /// Its pod's name, where it has one.
    pub pod: Option<String>,
}

/// What a Workflow failed of, in the order of the nodes' ids; empty where that is not known.
pub(super) fn failures(workflow: &Value) -> Vec<Leaf> {
    let nodes = nodes(workflow);
    let retried = retried(&nodes);
    let has_failed = |node: &Value| matches!(text(node, "phase"), "Failed" | "Error");
    let failed = |hooks: bool| -> Vec<Leaf> {
        nodes
            .iter()
            .filter(|(id, node)| {
                has_failed(node)
                    && !COMPOUND.contains(&text(node, "type"))
                    && is_hook(node) == hooks
                    && counts(id, &nodes, &retried)
            })
            .map(|(id, node)| leaf(workflow, id, node))
            .collect()
    };
    // What hooks and exit handlers do matters only where nothing else has failed.
    match failed(false) {
        leaves if leaves.is_empty() => failed(true),
        leaves => leaves,
    }
}

/// The pods that may say more about why a Workflow failed than its status does, by name; at most 10. None where the nodes are not known.
pub fn pods_to_read(workflow: &Value) -> Vec<String> {
    let unexplained = failures(workflow)
        .into_iter()
        .filter(|leaf| !super::state::is_explained(leaf));
    unexplained.filter_map(|leaf| leaf.pod).take(MOST_PODS).collect()
}

/// The tries that were followed by another.
fn retried(nodes: &Map<String, Value>) -> BTreeSet<&str> {
    let mut retried = BTreeSet::new();
    for node in nodes.values().filter(|node| text(node, "type") == "Retry") {
        let ids = list(node, "children").iter().filter_map(Value::as_str);
        let tries: Vec<&str> = ids.filter(|id| nodes.get(*id).is_some_and(|n| !is_hook(n))).collect();
        if let Some((_, earlier)) = tries.split_last() {
            retried.extend(earlier);
        }
    }
    retried
}

fn is_hook(node: &Value) -> bool {
    node.get("nodeFlag").and_then(|flag| flag.get("hooked")) == Some(&Value::Bool(true))
}

/// Whether nothing that the node is part of was tried again or went well all the same.
fn counts(id: &str, nodes: &Map<String, Value>, retried: &BTreeSet<&str>) -> bool {
    let mut id = id;
    // Longer than the nesting that Argo allows; a circle ends too.
    for _ in 0..1000 {
        let Some(node) = nodes.get(id) else { return true };
        if retried.contains(id) || text(node, "phase") == "Succeeded" {
            return false;
        }
        id = text(node, "boundaryID");
    }
    true
}

fn leaf(workflow: &Value, id: &str, node: &Value) -> Leaf {
    let label = match text(node, "displayName") {
        "" => text(node, "name"),
        label => label,
    };
    Leaf {
        label: if id == name(workflow) { "" } else { label }.to_owned(),
        message: text(node, "message").to_owned(),
        finished_at: text(node, "finishedAt").to_owned(),
        pod: (text(node, "type") == "Pod").then(|| pod_name(workflow, id, node)),
    }
}

/// The name of a node's pod, as Argo makes it: of the Workflow, the template and a hash of the node's name.
fn pod_name(workflow: &Value, id: &str, node: &Value) -> String {
    let annotations = workflow
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations"));
    let format = annotations.map_or("", |a| text(a, "workflows.argoproj.io/pod-name-format"));
    let (workflow, node_name) = (name(workflow), text(node, "name"));
    if format == "v1" {
        return id.to_owned();
    }
    if node_name == workflow {
        return workflow.to_owned();
    }
    let template = match node
        .get("templateRef")
        .map_or("", |reference| text(reference, "template"))
    {
        "" => text(node, "templateName"),
        template => template,
    };
    let mut prefix = workflow.to_owned();
    if !template.is_empty() {
        prefix = format!("{prefix}-{template}");
    }
    let prefix: String = prefix.chars().take(242).collect();
    // FNV-1a of 32 bits.
    let hash = node_name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{prefix}-{hash}")
}
