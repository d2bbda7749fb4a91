//! What a Workflow of a test is asked to do, and what becomes of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kube::{ResourceExt, api::DynamicObject};
use serde_json::Value;

/// What a template's Workflows do: from what they are asked to what becomes of them.
pub type Script = Arc<dyn Fn(&Job) -> Play + Send + Sync>;

/// What a Workflow asks for.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Its name.
    pub workflow: String,
    /// Its UID.
    pub uid: String,
    /// The study, by the label on it.
    pub study: String,
    /// The study's UID, by the label on it.
    pub study_uid: String,
    /// The trial's number, by the label on it.
    pub number: u32,
    /// The attempt, by the label on it.
    pub attempt: u32,
    /// The name of its template.
    pub template: String,
    /// Whether that is a ClusterWorkflowTemplate.
    pub cluster_scope: bool,
    /// The template in it to start with, where it says so.
    pub entrypoint: Option<String>,
    /// Its arguments, with the template's defaults.
    pub arguments: BTreeMap<String, String>,
    pub(super) shutdown: Option<String>,
    pub(super) deadline: Option<Duration>,
    pub(super) ttl: BTreeMap<String, u64>,
    pub(super) instance: Option<String>,
}

impl Job {
    /// What a Workflow that belongs to a study asks for; `None` for others.
    pub(super) fn of(object: &DynamicObject) -> Option<Self> {
        let labels = object.labels();
        let label = |name: &str| labels.get(&format!("hyperstudy.dev/{name}")).cloned();
        let spec = &object.data["spec"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let number = |label: Option<String>| label.and_then(|l| l.parse().ok()).unwrap_or(0);
        let reference = &spec["workflowTemplateRef"];
        let ttl = spec["ttlStrategy"].as_object().into_iter().flatten();
        Some(Self {
            workflow: object.name_any(),
            uid: object.uid()?,
            study: label("study")?,
            study_uid: label("study-uid").unwrap_or_default(),
            number: number(label("trial")),
            attempt: number(label("attempt")),
            template: text(&reference["name"]).unwrap_or_default(),
            cluster_scope: reference["clusterScope"] == true,
            entrypoint: text(&spec["entrypoint"]),
            arguments: parameters(spec)
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
            shutdown: text(&spec["shutdown"]),
            deadline: spec["activeDeadlineSeconds"].as_u64().map(Duration::from_secs),
            ttl: ttl.filter_map(|(name, v)| Some((name.clone(), v.as_u64()?))).collect(),
            instance: labels.get(super::INSTANCE).cloned(),
        })
    }

    /// An argument.
    pub fn text(&self, name: &str) -> &str {
        let value = self.arguments.get(name);
        value.unwrap_or_else(|| panic!("{}: no argument `{name}`", self.workflow))
    }

    /// An argument that is a number.
    pub fn number(&self, name: &str) -> f64 {
        self.text(name).parse().unwrap()
    }
}

/// The parameters of `spec.arguments`, with their values where they have one.
pub(super) fn parameters(spec: &Value) -> impl Iterator<Item = (String, Option<String>)> + '_ {
    let all = spec["arguments"]["parameters"].as_array().into_iter().flatten();
    all.filter_map(|p| {
        let value = match &p["value"] {
            Value::String(text) => Some(text.clone()),
            Value::Null => p["default"].as_str().map(str::to_owned),
            other => Some(other.to_string()),
        };
        Some((p["name"].as_str()?.to_owned(), value))
    })
}

/// What becomes of a Workflow.
#[derive(Clone, Debug)]
pub struct Play {
    pub(super) pending: Duration,
    pub(super) running: Duration,
    pub(super) files: Vec<(String, Vec<u8>)>,
    pub(super) outputs: Vec<(String, String)>,
    pub(super) globals: Vec<(String, String)>,
    pub(super) end: End,
    pub(super) brisk: bool,
    /// Whether it comes to run a pod.
    pub(super) runs: bool,
}

/// How a Workflow ends once its time is over.
#[derive(Clone, Debug)]
pub enum End {
    /// As Succeeded.
    Succeed,
    /// As Failed, with this message.
    Fail(String),
    /// As Error, with this message.
    Error(String),
    /// Not at all: it is deleted before its last phase is written.
    Vanish,
    /// As Succeeded, and deleted at once.
    VanishDone,
    /// Not by itself.
    Hang,
    /// As Succeeded, even if it is to be stopped: the stop comes too late.
    Deaf,
    /// It is left as it is: nobody picks it up.
    Ignored,
}

impl Play {
    /// Writes this as `metrics.json` and succeeds at once.
    pub fn metrics(metrics: &Value) -> Self {
        Self::nothing().file("metrics.json", metrics.to_string())
    }

    /// Writes this loss as its metrics and succeeds at once.
    pub fn loss(loss: f64) -> Self {
        Self::metrics(&serde_json::json!({"loss": loss}))
    }

    /// Writes nothing and succeeds at once.
    pub fn nothing() -> Self {
        Self {
            pending: Duration::ZERO,
            running: Duration::ZERO,
            files: Vec::new(),
            outputs: Vec::new(),
            globals: Vec::new(),
            end: End::Succeed,
            brisk: false,
            runs: true,
        }
    }

    /// Never comes to run a pod.
    pub(super) fn never_run() -> Self {
        Self {
            runs: false,
            ..Self::nothing()
        }
    }

    /// Also writes this file below the argument `output_key`, before it ends in whatever way.
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Also has this output parameter, of its entrypoint.
    pub fn output(mut self, name: &str, value: &str) -> Self {
        self.outputs.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Also has this output parameter, a global one.
    pub fn global(mut self, name: &str, value: &str) -> Self {
        self.globals.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits as long for its turn.
    pub fn pending(mut self, time: Duration) -> Self {
        self.pending = time;
        self
    }

    /// Runs as long.
    pub fn running(mut self, time: Duration) -> Self {
        self.running = time;
        self
    }

    /// Ends otherwise.
    pub fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    /// Has no phases before its last, so that the stand-in takes as little time as can be.
    pub fn brisk(mut self) -> Self {
        self.brisk = true;
        self
    }
}
