//! From the documents of a file to the one template that runs.

use serde_json::Value;

use super::{
    Body, Template, artifact::Artifacts, environment, has, listed, nearest, parameters::Level, read, unsupported,
};
use crate::api::{FieldErrors, WorkflowTemplateRef};

/// The kinds of documents that hold templates.
const KINDS: [&str; 3] = ["WorkflowTemplate", "ClusterWorkflowTemplate", "Workflow"];

impl Template {
    /// Finds the template to run: in the document that `reference` names (without one, the only one there is), the template `entrypoint`
    /// (without one, the document's own).
    ///
    /// # Errors
    /// Everything that is wrong with the document, or that a process on this machine cannot do.
    pub fn from_documents(
        docs: &[Value],
        reference: Option<&WorkflowTemplateRef>,
        entrypoint: Option<&str>,
    ) -> Result<Self, FieldErrors> {
        let document = document(docs, reference)?;
        let mut errors = FieldErrors::default();
        let empty = Value::Null;
        let spec = document.get("spec").unwrap_or(&empty);
        let Some((path, template)) = template(spec, entrypoint, &mut errors) else {
            return Err(errors);
        };
        let name = text(template, "name").to_owned();
        let Some((kind, container)) = body(&name, &path, template, &mut errors) else {
            return Err(errors);
        };
        let body_path = format!("{path}.{kind}");
        unsupported::check(template, container, &path, &body_path, &mut errors);
        let mut warnings = unsupported::warnings(spec, template, container, &path, &body_path);

        let workflow = Level::read(spec, "arguments", "spec.arguments", &mut errors);
        let inputs = Level::read(template, "inputs", &format!("{path}.inputs"), &mut errors);
        let artifacts = Artifacts::read(spec, template, &path, &mut errors, &mut warnings);
        let env = environment::read(container, &body_path, &mut errors, &mut warnings);
        let body = Body {
            kind,
            command: read(container.get("command"), &format!("{body_path}.command"), &mut errors),
            args: read(container.get("args"), &format!("{body_path}.args"), &mut errors),
            env,
            working_dir: read(
                container.get("workingDir"),
                &format!("{body_path}.workingDir"),
                &mut errors,
            ),
            source: read(container.get("source"), &format!("{body_path}.source"), &mut errors),
        };
        if body.command.is_empty() && !has(container, "command") {
            errors.push(
                format!("{body_path}.command"),
                "is needed here: an image's own command is not known on this machine",
            );
        }
        match (kind, &body.source) {
            ("script", None) if !has(container, "source") => {
                errors.push(format!("{body_path}.source"), "is missing: it is what a script runs");
            }
            ("script", _) if !body.args.is_empty() => {
                warnings.push(format!("{body_path}.args: Argo does not pass these to a script"));
            }
            _ => {}
        }
        errors.or_ok(Self {
            workflow,
            inputs,
            name,
            path,
            body,
            artifacts,
            warnings,
        })
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What a document is called: its name, or what its names start with.
fn name_of(document: &Value) -> &str {
    let metadata = document.get("metadata").unwrap_or(&Value::Null);
    match text(metadata, "name") {
        "" => text(metadata, "generateName"),
        name => name,
    }
}

fn wrong<T>(path: &str, message: impl Into<String>) -> Result<T, FieldErrors> {
    let mut errors = FieldErrors::default();
    errors.push(path, message);
    Err(errors)
}

fn document<'a>(docs: &'a [Value], reference: Option<&WorkflowTemplateRef>) -> Result<&'a Value, FieldErrors> {
    let known: Vec<&Value> = docs.iter().filter(|doc| KINDS.contains(&text(doc, "kind"))).collect();
    let there = || {
        let each = known
            .iter()
            .map(|doc| format!("the {} `{}`", text(doc, "kind"), name_of(doc)));
        each.collect::<Vec<_>>().join(", ")
    };
    if known.is_empty() {
        let kinds = docs.iter().map(|doc| text(doc, "kind")).filter(|kind| !kind.is_empty());
        return match listed(kinds) {
            kinds if kinds.is_empty() => wrong("", "the file has no WorkflowTemplate in it"),
            kinds => wrong("", format!("the file has no WorkflowTemplate in it, only {kinds}")),
        };
    }
    let Some(reference) = reference else {
        return match known.as_slice() {
            [only] => Ok(only),
            _ => wrong(
                "trial.workflowTemplateRef",
                format!("is needed to choose one: the file has {}", there()),
            ),
        };
    };
    let wanted = if reference.cluster_scope { KINDS[1] } else { KINDS[0] };
    let is_wanted = |doc: &&&Value| {
        let kind = text(doc, "kind");
        name_of(doc) == reference.name && (kind == wanted || kind == KINDS[2])
    };
    let mut found = known.iter().filter(is_wanted);
    match (found.next(), found.next()) {
        (Some(doc), None) => Ok(doc),
        (Some(_), Some(_)) => wrong(
            "trial.workflowTemplateRef.name",
            format!("the file has `{}` more than once", reference.name),
        ),
        (None, _) => {
            let name = &reference.name;
            // The right name with the wrong kind has one answer.
            let hint = match known.iter().find(|doc| name_of(doc) == name) {
                Some(doc) if text(doc, "kind") == KINDS[1] => "; set `clusterScope: true`",
                Some(_) => "; set `clusterScope: false`",
                None => "",
            };
            wrong(
                "trial.workflowTemplateRef.name",
                format!("the file has no {wanted} `{name}`: it has {}{hint}", there()),
            )
        }
    }
}

fn template<'a>(spec: &'a Value, entrypoint: Option<&str>, errors: &mut FieldErrors) -> Option<(String, &'a Value)> {
    let own = text(spec, "entrypoint");
    let (wanted, path) = match entrypoint {
        Some(entrypoint) => (entrypoint, "trial.entrypoint"),
        None => (own, "spec.entrypoint"),
    };
    let templates = spec
        .get("templates")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    if templates.is_empty() {
        errors.push("spec.templates", "is empty: there is nothing to run");
        return None;
    }
    let names = || templates.iter().map(|template| text(template, "name"));
    if wanted.is_empty() {
        let names = listed(names());
        errors.push(
            path,
            format!("is missing: name the template to start with, one of {names}"),
        );
        return None;
    }
    let Some(index) = names().position(|name| name == wanted) else {
        let hint = nearest(wanted, names()).map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        let names = listed(names());
        errors.push(
            path,
            format!("there is no template `{wanted}`: there are {names}{hint}"),
        );
        return None;
    };
    Some((format!("spec.templates[{index}]"), &templates[index]))
}

/// The container of a `container` or `script` template.
fn body<'a>(
    name: &str,
    path: &str,
    template: &'a Value,
    errors: &mut FieldErrors,
) -> Option<(&'static str, &'a Value)> {
    for kind in ["container", "script"] {
        if let Some(container) = template.get(kind).filter(|container| container.is_object()) {
            return Some((kind, container));
        }
    }
    let only = "`hyperstudy run` runs container and script templates only";
    for (key, what) in [
        ("dag", "a dag"),
        ("steps", "a list of steps"),
        ("containerSet", "a container set"),
        ("resource", "a resource template"),
        ("suspend", "a suspend template"),
        ("http", "an http template"),
        ("plugin", "a plugin template"),
        ("data", "a data template"),
    ] {
        if template.get(key).is_some() {
            errors.push(path, format!("template `{name}` is {what}: it needs a cluster; {only}"));
            return None;
        }
    }
    errors.push(
        path,
        format!("template `{name}` has neither `container` nor `script`; {only}"),
    );
    None
}
