//! Reads the WorkflowTemplate of a study, and those that it refers to.

use std::{collections::BTreeMap, time::Duration};

use kube::{
    Api, Client, Error,
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use super::Obstacle;
use crate::{
    study::Study,
    workflow::{Template, TemplateKey},
};

/// How many objects a study's template may refer to, directly and through others.
const MOST: usize = 50;

/// How long one object may take to be read.
const PATIENCE: Duration = Duration::from_secs(10);

/// The study's template, checked against the study. It reads the template and the at most 50 objects that it refers to, one after another.
///
/// # Errors
/// `TemplateNotFound` and `TemplateForbidden` for an object that is missing or may not be read, `TemplateUnreadable` where the API server
/// does not answer as it should, which passes; `TemplateRefused` with everything that [`Template::check`] finds.
pub async fn fetch(client: &Client, study: &Study) -> Result<Template, Obstacle> {
    let Some(key) = TemplateKey::of(study) else {
        let message = "spec.trial.workflowTemplateRef: is missing: name the WorkflowTemplate that each trial runs";
        return Err(obstacle("TemplateRefused", message));
    };
    let template = get(client, &study.namespace, &key, "spec.trial.workflowTemplateRef").await?;
    let mut others = BTreeMap::new();
    loop {
        let missing = Template::missing(study, &template, &others);
        let Some(next) = missing.into_iter().next() else { break };
        if others.len() >= MOST {
            let message =
                format!("the {key} refers to more than {MOST} other objects: put its templates into fewer of them");
            return Err(obstacle("TemplateRefused", message));
        }
        let place = format!("{key}: templateRef");
        let other = get(client, &study.namespace, &next, &place).await?;
        others.insert(next, other);
    }
    Template::check(study, &template, &others).map_err(|errors| obstacle("TemplateRefused", errors.to_string()))
}

/// One object. `place` is what names it.
async fn get(client: &Client, namespace: &str, key: &TemplateKey, place: &str) -> Result<Value, Obstacle> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", &key.kind));
    let api: Api<DynamicObject> = if key.is_of_cluster() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let scope = if key.is_of_cluster() {
        String::new()
    } else {
        format!(" in the namespace {namespace}")
    };
    let unreadable = |why: String| {
        obstacle(
            "TemplateUnreadable",
            format!("{place}: the {key}{scope} cannot be read: {why}"),
        )
    };
    match tokio::time::timeout(PATIENCE, api.get(&key.name)).await {
        Err(_) => Err(unreadable(format!(
            "the API server did not answer within {} s",
            PATIENCE.as_secs()
        ))),
        Ok(Ok(object)) => Ok(json!({"metadata": object.metadata, "spec": object.data.get("spec")})),
        Ok(Err(Error::Api(status))) if status.code == 404 => {
            // A kind that is not known is not found either, but no object of it is named.
            let is_known = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
            Err(obstacle(
                "TemplateNotFound",
                if is_known {
                    format!("{place}: there is no {key}{scope}: create it, or name another one")
                } else {
                    format!(
                        "{place}: this cluster has no objects of the kind {}: install Argo Workflows",
                        key.kind
                    )
                },
            ))
        }
        Ok(Err(Error::Api(status))) if status.code == 403 => Err(obstacle(
            "TemplateForbidden",
            format!(
                "{place}: the controller may not read the {key}{scope}: give its service account the right to `get` it"
            ),
        )),
        Ok(Err(error)) => Err(unreadable(error.to_string())),
    }
}

fn obstacle(reason: &str, message: impl Into<String>) -> Obstacle {
    Obstacle {
        reason: reason.to_owned(),
        message: message.into(),
    }
}
