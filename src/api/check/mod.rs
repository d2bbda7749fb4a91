//! The schema of the two kinds, checked here: what an API server would say, before there is one, and more.
//!
//! More is: unknown fields (an API server drops them silently) with the nearest known name, and all errors at once, each with
//! its path. Less is: what only the space, the samplers and the expressions know, which compile from the types.
//!
//! The rules are not written twice: [`node`] reads them from the CustomResourceDefinition, [`walk`] applies them.

mod metadata;
mod node;
mod rule;
mod walk;

use std::sync::OnceLock;

use serde_json::Value;

use self::{node::Node, walk::Walk};
use super::{FieldErrors, schema};

/// What a study has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirements {
    /// All that a cluster needs.
    Cluster,
    /// What a study on one machine needs: it has a name, and may leave out `trial`, `trial.workflowTemplateRef`, `storage`
    /// and `storage.outputPath`.
    Local,
}

/// What may be left out without a cluster.
const CLUSTER_ONLY: [&str; 4] = [
    "spec.trial",
    "spec.trial.workflowTemplateRef",
    "spec.storage",
    "spec.storage.outputPath",
];

/// Everything that is wrong with a study, as it stands in a file.
pub fn check_study(object: &Value, requirements: Requirements) -> FieldErrors {
    check(&STUDY, None, object, requirements)
}

/// Everything that is wrong with a trial, as it stands in a file.
pub fn check_trial(object: &Value) -> FieldErrors {
    check(&TRIAL, None, object, Requirements::Cluster)
}

/// Everything that is wrong with making `new` of the study or trial `old`, which holds its status.
pub fn check_update(old: &Value, new: &Value) -> FieldErrors {
    let kind = if new.get("kind").and_then(Value::as_str) == Some(TRIAL.kind) {
        &TRIAL
    } else {
        &STUDY
    };
    check(kind, Some(old), new, Requirements::Cluster)
}

/// One of the two kinds.
struct Kind {
    /// Its name.
    kind: &'static str,
    /// Its place in [`schema::crds`].
    place: usize,
    /// Its schema, once it was needed.
    node: OnceLock<Option<Node>>,
}

static STUDY: Kind = Kind {
    kind: "HyperparameterStudy",
    place: 0,
    node: OnceLock::new(),
};
static TRIAL: Kind = Kind {
    kind: "HyperparameterTrial",
    place: 1,
    node: OnceLock::new(),
};

impl Kind {
    /// Its schema, compiled.
    fn node(&self) -> Option<&Node> {
        self.node
            .get_or_init(|| {
                let crd = serde_json::to_value(schema::crds().get(self.place)?).ok()?;
                crd.pointer("/spec/versions/0/schema/openAPIV3Schema").map(Node::new)
            })
            .as_ref()
    }
}

fn check(kind: &Kind, old: Option<&Value>, object: &Value, requirements: Requirements) -> FieldErrors {
    let mut errors = FieldErrors::default();
    let Some(object) = metadata::kind(kind.kind, object, &mut errors) else {
        return errors;
    };
    let mut walk = Walk {
        optional: if requirements == Requirements::Local {
            &CLUSTER_ONLY
        } else {
            &[]
        },
        errors: &mut errors,
    };
    if let Some(node) = kind.node() {
        walk.root(node, object, old, requirements);
    }
    errors
}

#[cfg(test)]
mod tests;
