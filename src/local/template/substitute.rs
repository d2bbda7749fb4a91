//! Argo's `{{...}}`: simple tags, in one pass, so that what a value holds is never expanded again.

use std::collections::BTreeMap;

use super::{WorkflowFacts, listed, nearest};

/// What tags stand for.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    pub facts: Option<&'a WorkflowFacts>,
    pub workflow: BTreeMap<String, String>,
    pub inputs: BTreeMap<String, String>,
    pub entrypoint: &'a str,
    /// The paths of artifacts and output parameters, by `inputs.artifacts.x.path` and the like.
    pub paths: BTreeMap<String, String>,
}

impl Scope<'_> {
    /// `text` with each tag's value in its place.
    ///
    /// # Errors
    /// A tag that has no value here, and why.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((tag, after)) = after.split_once("}}") else {
                return Err("there is a `{{` without its `}}`".to_owned());
            };
            out.push_str(before);
            out.push_str(&self.value(tag.trim())?);
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, tag: &str) -> Result<String, String> {
        if tag.starts_with('=') {
            return Err(format!(
                "`{{{{{tag}}}}}` is an expression, which needs a cluster: `hyperstudy run` knows simple tags, e.g. `{{{{inputs.parameters.x}}}}`"
            ));
        }
        if let Some(name) = tag.strip_prefix("inputs.parameters.") {
            return of(&self.inputs, name, "inputs.parameters");
        }
        if let Some(name) = tag.strip_prefix("workflow.parameters.") {
            return of(&self.workflow, name, "workflow.parameters");
        }
        if tag.starts_with("inputs.artifacts.") || tag.starts_with("outputs.") {
            return of(&self.paths, tag, "");
        }
        let facts = self.facts.ok_or_else(|| unknown(tag))?;
        if let Some(name) = tag.strip_prefix("workflow.labels.") {
            return of(&facts.labels, name, "workflow.labels");
        }
        if let Some(name) = tag.strip_prefix("workflow.annotations.") {
            return of(&facts.annotations, name, "workflow.annotations");
        }
        Ok(match tag {
            // A workflow of one pod gives it its own name.
            "workflow.name" | "pod.name" | "node.name" => facts.name.clone(),
            "workflow.namespace" => facts.namespace.clone(),
            "workflow.uid" => facts.uid.clone(),
            "workflow.priority" => facts.priority.to_string(),
            "workflow.mainEntrypoint" => self.entrypoint.to_owned(),
            // Each attempt of a trial is a workflow of its own.
            "retries" => "0".to_owned(),
            _ => return Err(unknown(tag)),
        })
    }
}

fn unknown(tag: &str) -> String {
    let family = tag.split('.').next().unwrap_or_default();
    match family {
        "workflow" | "pod" | "node" | "steps" | "tasks" | "item" | "cronworkflow" | "lastRetry" => {
            format!("`{{{{{tag}}}}}` has no value without a cluster")
        }
        _ => format!("`{{{{{tag}}}}}` is nothing that Argo knows here"),
    }
}

fn of(values: &BTreeMap<String, String>, name: &str, family: &str) -> Result<String, String> {
    if let Some(value) = values.get(name) {
        return Ok(value.clone());
    }
    let dot = if family.is_empty() { "" } else { "." };
    let hint = match nearest(name, values.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{{{{{family}{dot}{near}}}}}`?"),
        None if values.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", listed(values.keys().map(String::as_str))),
    };
    Err(format!("`{{{{{family}{dot}{name}}}}}` is not declared: {hint}"))
}
