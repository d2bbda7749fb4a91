//! What the templates that a trial runs say of files: that they would delete what the study keeps, or write it elsewhere.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    TemplateKey, at, list,
    reach::{Reach, mentions},
    text,
};
use crate::api::FieldErrors;

/// Notes what is wrong with the output artifacts of all templates that may run. Gives whether one of them goes to the trial's output folder
/// in the artifact repository, naming no bucket itself. `carriers` are the workflow's arguments that hold the
/// trial's output folder, `bucket` is that folder's.
pub(super) fn check(reach: &Reach<'_>, carriers: &BTreeSet<String>, bucket: &str, errors: &mut FieldErrors) -> bool {
    let mut is_written = false;
    for ((object, path), reached) in &reach.templates {
        let template = reached.template;
        let archive = template.get("archiveLocation").map_or("", own_bucket);
        for (path, artifact) in outputs(template, path) {
            collected(object, &path, artifact, errors);
            let key = artifact.get("s3").map_or("", |s3| text(s3, "key"));
            if !mentions(key, carriers, &reached.carriers) {
                continue;
            }
            let other = [own_bucket(artifact), archive]
                .into_iter()
                .find(|bucket| !bucket.is_empty());
            is_written |= other.is_none();
            if let Some(other) = other.filter(|other| *other != bucket && !other.contains("{{")) {
                let message = format!(
                    "goes to the trial's output folder, which is in the bucket `{bucket}`, but names the bucket `{other}`: leave it out, \
                     or set the study's `storage.outputPath` to that bucket"
                );
                errors.push(format!("{object}: {path}.s3.bucket"), message);
            }
        }
    }
    is_written
}

/// Notes the same of a specification's `templateDefaults`, which become part of each template.
pub(super) fn check_defaults(object: &TemplateKey, spec: &Value, errors: &mut FieldErrors) {
    if let Some(defaults) = at(spec, "templateDefaults") {
        for (path, artifact) in outputs(defaults, "spec.templateDefaults") {
            collected(object, &path, artifact, errors);
        }
    }
}

/// The output artifacts of a template, each with its path.
fn outputs<'a>(template: &'a Value, path: &str) -> impl Iterator<Item = (String, &'a Value)> {
    let artifacts = template
        .get("outputs")
        .map_or(&[][..], |outputs| list(outputs, "artifacts"));
    let path = format!("{path}.outputs.artifacts");
    artifacts
        .iter()
        .enumerate()
        .map(move |(i, artifact)| (format!("{path}[{i}]"), artifact))
}

/// An artifact's own strategy counts more than that of the Workflow, which is `Never`.
fn collected(object: &TemplateKey, path: &str, artifact: &Value, errors: &mut FieldErrors) {
    let Some(strategy) = at(artifact, "artifactGC").and_then(|gc| at(gc, "strategy")) else {
        return;
    };
    let shown = match strategy {
        Value::String(name) if name.is_empty() || name == "Never" => return,
        Value::String(name) => name.clone(),
        other => other.to_string(),
    };
    let message = format!(
        "`{shown}` lets Argo delete what a trial wrote, be it the metrics before they are read or the best model: set it to `Never` or \
         leave it out; the study's `storage.strategy` says which files stay"
    );
    errors.push(format!("{object}: {path}.artifactGC.strategy"), message);
}

fn own_bucket(location: &Value) -> &str {
    location.get("s3").map_or("", |s3| text(s3, "bucket"))
}
