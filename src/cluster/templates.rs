//! Reads the WorkflowTemplate of a study, and those that it refers to.

use std::{collections::BTreeMap, time::Duration};

use kube::{
    Api, Client, Error,
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use super::{Obstacle, connect::is_name};
use crate::{
    api::FieldErrors,
    study::Study,
    workflow::{Template, TemplateKey},
};

/// Whether an obstacle is the template's own: it is not there, or not as it has to be. Others tell of the way to it, and may pass.
pub fn is_amiss(obstacle: &Obstacle) -> bool {
    matches!(&*obstacle.reason, "TemplateNotFound" | "TemplateRefused")
}

/// Whether an obstacle is that the template could not be asked for now.
pub fn may_pass(obstacle: &Obstacle) -> bool {
    obstacle.reason == "TemplateUnreadable"
}

/// How many objects a study's template may refer to, directly and through others.
const MOST: usize = 50;

/// How much of what is wrong is said, in bytes: a condition's message is bounded.
const LONGEST: usize = 16 << 10;

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
    Template::check(study, &template, &others).map_err(|errors| obstacle("TemplateRefused", said(&errors)))
}

/// All errors, one on each line, as far as there is room.
fn said(errors: &FieldErrors) -> String {
    let mut said = String::new();
    for (i, error) in errors.0.iter().enumerate() {
        let line: String = error.to_string().chars().take(LONGEST / 8).collect();
        if said.len() + line.len() > LONGEST {
            return format!("{said}and {} more", errors.0.len() - i);
        }
        said.push_str(&line);
        said.push('\n');
    }
    said.trim_end().to_owned()
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
    if !is_name(&key.name) {
        let message = format!(
            "{place}: `{}` is no name that a {} can have: lower-case letters, digits, `-` and `.`",
            key.name, key.kind
        );
        return Err(obstacle("TemplateRefused", message));
    }
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
        Ok(Err(Error::Api(status))) => Err(unreadable(format!("the API server says {}", status.message))),
        Ok(Err(error)) => Err(unreadable(error.to_string())),
    }
}

fn obstacle(reason: &str, message: impl Into<String>) -> Obstacle {
    Obstacle {
        reason: reason.to_owned(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::sync::{Arc, Mutex};

    use http::{Request, Response};
    use kube::client::Body;

    use super::*;
    use crate::study::Identity;

    fn study(of_cluster: bool) -> Study {
        let spec = json!({
            "objectives": [{"metric": "loss", "goal": "Minimize"}],
            "parameters": [{"name": "units", "int": {"min": 1, "max": 2}}],
            "algorithm": {"sampler": {"grid": {}}},
            "trial": {"workflowTemplateRef": {"name": "ffnn", "clusterScope": of_cluster}},
            "storage": {"outputPath": "s3://ml-data/runs"}
        });
        let identity = Identity {
            name: "molding".into(),
            namespace: "ml".into(),
            uid: "u".into(),
            generation: 1,
            created: jiff::Timestamp::UNIX_EPOCH,
            deleting: false,
        };
        Study::compile(identity, serde_json::from_value(spec).unwrap(), &[]).unwrap()
    }

    /// A template whose entrypoint runs one of the object that is named.
    fn refers(name: &str) -> Value {
        json!({"metadata": {"name": "ffnn"}, "spec": {"entrypoint": "fit", "templates": [
            {"name": "fit", "steps": [[{"name": "a", "templateRef": {"name": name, "template": "fit"}}]]}
        ]}})
    }

    fn leaf(strategy: &str) -> Value {
        json!({"metadata": {"name": "ffnn"}, "spec": {"entrypoint": "fit", "templates": [
            {"name": "fit", "container": {}, "outputs": {"artifacts": [{"name": "o", "artifactGC": {"strategy": strategy}}]}}
        ]}})
    }

    fn failed(code: u16, reason: &str, name: &str) -> (u16, Value) {
        let details = json!({"name": name});
        (
            code,
            json!({"kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": "no", "details": details}),
        )
    }

    /// A client whose server answers so, and the paths that it is asked for.
    fn server(answer: impl Fn(&str) -> (u16, Value) + Send + Sync + 'static) -> (Client, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&asked));
        let service = tower::service_fn(move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let (code, body) = answer(&path);
            seen.lock().unwrap().push(path);
            let body = Body::from(body.to_string().into_bytes());
            let response = Response::builder().status(code).body(body).unwrap();
            async move { Ok::<_, std::convert::Infallible>(response) }
        });
        (Client::new(service, "default"), asked)
    }

    async fn fails(
        of_cluster: bool,
        answer: impl Fn(&str) -> (u16, Value) + Send + Sync + 'static,
    ) -> (String, String) {
        let (client, _) = server(answer);
        let obstacle = fetch(&client, &study(of_cluster)).await.unwrap_err();
        (obstacle.reason, obstacle.message)
    }

    #[tokio::test]
    async fn the_template_and_what_it_refers_to_are_read() {
        let (client, asked) = server(|path| match path.rsplit_once('/').unwrap().1 {
            "ffnn" => (200, refers("library")),
            _ => (200, leaf("Never")),
        });
        fetch(&client, &study(false)).await.unwrap();
        let base = "/apis/argoproj.io/v1alpha1/namespaces/ml/workflowtemplates";
        assert_eq!(
            *asked.lock().unwrap(),
            [format!("{base}/ffnn"), format!("{base}/library")]
        );
        let (client, asked) = server(|_| (200, leaf("")));
        fetch(&client, &study(true)).await.unwrap();
        let base = "/apis/argoproj.io/v1alpha1/clusterworkflowtemplates";
        assert_eq!(*asked.lock().unwrap(), [format!("{base}/ffnn")]);
    }

    #[tokio::test]
    async fn what_is_in_the_way_is_said() {
        for (of_cluster, answer, reason, says) in [
            (
                false,
                failed(404, "NotFound", "ffnn"),
                "TemplateNotFound",
                "there is no WorkflowTemplate ffnn in the namespace ml",
            ),
            (
                true,
                failed(404, "NotFound", "ffnn"),
                "TemplateNotFound",
                "there is no ClusterWorkflowTemplate ffnn: create",
            ),
            (
                false,
                failed(404, "NotFound", ""),
                "TemplateNotFound",
                "install Argo Workflows",
            ),
            (
                false,
                failed(403, "Forbidden", "ffnn"),
                "TemplateForbidden",
                "may not read the WorkflowTemplate ffnn",
            ),
            (
                false,
                failed(500, "InternalError", ""),
                "TemplateUnreadable",
                "cannot be read",
            ),
            (false, (200, json!([1])), "TemplateUnreadable", "cannot be read"),
            (
                false,
                (200, leaf("OnWorkflowDeletion")),
                "TemplateRefused",
                "WorkflowTemplate ffnn: spec.templates[0].outputs",
            ),
            (
                false,
                (200, json!({"metadata": {"name": "ffnn"}})),
                "TemplateRefused",
                "spec.templates: is empty",
            ),
        ] {
            let (found, message) = fails(of_cluster, move |_| answer.clone()).await;
            assert_eq!(found, reason, "{message}");
            assert!(message.contains(says), "{message}");
        }
        let library = |path: &str| match path.ends_with("ffnn") {
            true => (200, refers("library")),
            false => failed(404, "NotFound", "library"),
        };
        let (reason, message) = fails(false, library).await;
        assert_eq!(reason, "TemplateNotFound");
        assert!(
            message.starts_with("WorkflowTemplate ffnn: templateRef: there is no WorkflowTemplate library"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn there_is_an_end_to_references() {
        // Each object refers to another one.
        let chain = |path: &str| (200, refers(&format!("{}x", path.rsplit_once('/').unwrap().1)));
        let (reason, message) = fails(false, chain).await;
        assert_eq!(reason, "TemplateRefused");
        assert!(message.contains("more than 50"), "{message}");
    }

    #[test]
    fn there_is_an_end_to_what_is_said() {
        let mut errors = FieldErrors::default();
        errors.push("a", "is wrong");
        errors.push("b", "is wrong too");
        assert_eq!(said(&errors), "a: is wrong\nb: is wrong too");
        for _ in 0..100 {
            errors.push("c", "x".repeat(1000));
        }
        let said = said(&errors);
        assert!(said.len() < 17_000 && said.ends_with("\nand 84 more"), "{}", said.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_answer_is_not_waited_for() {
        let service = tower::service_fn(|_: Request<Body>| {
            std::future::pending::<Result<Response<Body>, std::convert::Infallible>>()
        });
        let client = Client::new(service, "default");
        let obstacle = fetch(&client, &study(false)).await.unwrap_err();
        assert_eq!(obstacle.reason, "TemplateUnreadable");
        assert!(
            obstacle.message.contains("did not answer within 10 s"),
            "{}",
            obstacle.message
        );
    }
}
