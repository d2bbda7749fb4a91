//! The simulated API server and a real one, asked the same things: they answer alike.

use std::{collections::BTreeMap, time::Duration};

use axum::body::to_bytes;
use http::Request;
use kube::Client;
use serde_json::{Value, json};

use super::steps::{STUDIES, Step, TRIALS, WORKFLOWS, steps};
use crate::{support::apiserver::ApiServer, world::World};

/// A server that is asked.
struct Asked {
    client: Client,
    /// What was last seen of each object: its resourceVersion, its uid.
    seen: BTreeMap<String, (String, String)>,
    proceed: String,
}

impl Asked {
    fn new(client: Client) -> Self {
        Self {
            client,
            seen: BTreeMap::new(),
            proceed: String::new(),
        }
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("$continue", &self.proceed);
        for (name, (version, uid)) in self.seen.iter().rev() {
            // Longer names first, or `$rv:a` would be found in `$rv:a-1`.
            text = text.replace(&format!("$rv:{name}\""), &format!("{version}\""));
            text = text.replace(&format!("$uid:{name}\""), &format!("{uid}\""));
        }
        text
    }

    /// The code and what is comparable of the answer.
    async fn ask(&mut self, (method, kind, path, body): &Step) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            self.filled(&body.to_string())
        };
        let request = Request::builder()
            .method(*method)
            .uri(self.filled(path))
            .header("content-type", *kind)
            .header("accept", "application/json")
            .body(body.into_bytes().into())
            .unwrap();
        let answer = self.client.send(request).await.unwrap();
        let code = answer.status().as_u16();
        let bytes = to_bytes(axum::body::Body::new(answer.into_body()), usize::MAX)
            .await
            .unwrap();
        let mut value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(token) = value
            .pointer("/metadata/continue")
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty())
        {
            token.clone_into(&mut self.proceed);
            value["metadata"]["continue"] = "more".into();
        }
        if let Some(items) = value.get_mut("items").and_then(Value::as_array_mut) {
            items.iter_mut().for_each(|item| self.comparable(item));
            value["metadata"]["resourceVersion"] = "some".into();
            return (code, value);
        }
        if value["kind"] == "Status" {
            return (code, json!({"status": value["status"], "reason": value["reason"]}));
        }
        self.comparable(&mut value);
        (code, value)
    }

    /// Leaves out what differs between any two servers.
    fn comparable(&mut self, object: &mut Value) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        let text = |field: &str| {
            metadata
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let (name, version, uid) = (text("name"), text("resourceVersion"), text("uid"));
        let before = self.seen.insert(name, (version.clone(), uid.clone()));
        let relation = match before {
            None => "new",
            Some((v, u)) if v == version && u == uid => "same",
            Some((v, u)) if u == uid && v.parse::<u64>().unwrap() < version.parse().unwrap() => "later",
            Some(_) => "another",
        };
        metadata.insert("resourceVersion".to_owned(), relation.into());
        for field in ["uid", "creationTimestamp", "deletionTimestamp"] {
            if let Some(value) = metadata.get_mut(field) {
                *value = value.is_string().into();
            }
        }
        for owner in metadata
            .get_mut("ownerReferences")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            owner["uid"] = owner["uid"].is_string().into();
        }
        metadata.remove("managedFields");
    }
}

#[tokio::test]
async fn the_simulated_server_answers_as_a_real_one() {
    let real = ApiServer::shared().client();
    install(&real).await;
    let world = World::new(1);
    let (mut real, mut simulated) = (Asked::new(real), Asked::new(world.cluster.client("default")));
    let mut wrong = Vec::new();
    for (at, step) in steps().iter().enumerate() {
        let (there, here) = (real.ask(step).await, simulated.ask(step).await);
        if std::env::var_os("SHOW").is_some() {
            eprintln!("{at} {} {} {:?}", step.2, step.3, there);
        }
        if there != here {
            let mut differ = vec![format!(
                "{at}: {} {} {}: real {}, simulated {}",
                step.0, step.2, step.3, there.0, here.0
            )];
            differences("", &there.1, &here.1, &mut differ);
            wrong.push(differ.join("\n    "));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where two values differ.
fn differences(at: &str, real: &Value, simulated: &Value, found: &mut Vec<String>) {
    match (real, simulated) {
        (Value::Object(real), Value::Object(simulated)) => {
            let names: std::collections::BTreeSet<_> = real.keys().chain(simulated.keys()).collect();
            for name in names {
                let none = Value::Null;
                let (real, simulated) = (real.get(name).unwrap_or(&none), simulated.get(name).unwrap_or(&none));
                differences(&format!("{at}/{name}"), real, simulated, found);
            }
        }
        (Value::Array(real), Value::Array(simulated)) if real.len() == simulated.len() => {
            for (place, (real, simulated)) in real.iter().zip(simulated).enumerate() {
                differences(&format!("{at}/{place}"), real, simulated, found);
            }
        }
        _ if real == simulated => {}
        _ => found.push(format!("{at}: real {real}, simulated {simulated}")),
    }
}

/// The two kinds as this repository has them, and Workflows as Argo's smallest installation has them.
async fn install(client: &Client) {
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
    use kube::{Api, api::PostParams};
    let any =
        json!({"type": "object", "x-kubernetes-map-type": "atomic", "x-kubernetes-preserve-unknown-fields": true});
    let workflows: CustomResourceDefinition = serde_json::from_value(json!({
        "metadata": {"name": "workflows.argoproj.io"},
        "spec": {"group": "argoproj.io", "scope": "Namespaced", "names": {"plural": "workflows", "kind": "Workflow"},
            "versions": [{"name": "v1alpha1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "required": ["metadata", "spec"],
                "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}, "spec": any, "status": any},
            }}}]},
    }))
    .unwrap();
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in hyperstudy::api::schema::crds().into_iter().chain([workflows]) {
        api.create(&PostParams::default(), &crd).await.unwrap();
    }
    // Established a moment before it is served, for writes a moment after it is for reads.
    for path in [STUDIES, TRIALS, WORKFLOWS] {
        let served = async || {
            client
                .request_text(Request::get(path).body(Vec::new()).unwrap())
                .await
                .is_ok()
        };
        while !served().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
