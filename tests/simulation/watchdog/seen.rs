//! What an onlooker knows at a step: the newest state of everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use crate::{
    cluster::{Change, Reading},
    plot::{PLACE, Plot},
    s3::Effect,
};

/// A study.
#[derive(Debug, Default)]
pub struct StudySeen {
    pub name: String,
    /// Its newest state.
    pub object: Value,
    /// Every state of its spec, by version.
    specs: BTreeMap<u64, Value>,
    /// The newest version that each program was shown, and when.
    shown: BTreeMap<u32, Vec<(u64, u64)>>,
    /// The parameters of each number that was ever used.
    pub numbers: BTreeMap<u64, Value>,
    /// The trials that a person deleted, with when that was, and the last that was recorded of them.
    pub deleted: BTreeMap<u64, (Duration, Value)>,
    /// Those of them that were among the best when they went: their folders stay.
    pub spared: BTreeSet<u64>,
    pub gone: bool,
}

impl StudySeen {
    /// The newest spec that a program had been shown by then.
    pub fn known_to(&self, program: u32, sent: u64) -> Option<&Value> {
        self.version_known_to(program, sent).map(|(_, spec)| spec)
    }

    /// That, and since which version it stood.
    pub fn version_known_to(&self, program: u32, sent: u64) -> Option<(u64, &Value)> {
        let shown = self.shown.get(&program)?.iter().filter(|(step, _)| *step <= sent);
        let newest = shown.map(|(_, revision)| *revision).max()?;
        let (since, spec) = self.specs.range(..=newest).next_back()?;
        Some((*since, spec))
    }

    /// Whether a person has deleted it.
    pub fn is_deleted(&self) -> bool {
        self.gone || !self.object["metadata"]["deletionTimestamp"].is_null()
    }
}

/// A Workflow, or all of one name.
#[derive(Debug, Default)]
pub struct WorkflowSeen {
    pub object: Value,
    /// How often programs created it.
    pub creations: usize,
    /// When the last one went, among everything that happened.
    pub went: u64,
    /// Which program created it last, and when that was.
    pub starter: (u32, u64),
    pub gone: bool,
    /// Whether it was asked for before what was made in its place was gone.
    pub is_late: bool,
    /// Whether it has ended, even if somebody brought it back to life since.
    pub ended: bool,
    /// Every phase in which it was complete.
    pub phases: Vec<String>,
}

impl WorkflowSeen {
    /// Whether another one that was asked for by then is one too many: a request that takes effect late, after what was made in its place has come
    /// and gone. No server can be told.
    pub fn was_on_its_way(&self, sent: u64) -> bool {
        self.creations > 0 && self.gone && sent < self.went
    }
}

/// What is known at a step.
pub struct Seen<'a> {
    pub plot: &'a Plot,
    pub studies: BTreeMap<String, StudySeen>,
    /// The trials that are there, by UID.
    pub trials: BTreeMap<String, Value>,
    /// When each trial went that is not there any more, by UID, among everything that happened.
    pub went: BTreeMap<String, u64>,
    /// When each of them ended, and by whom that was recorded, by UID.
    ended: BTreeMap<String, (Duration, u32)>,
    /// When the last attempt of each of them was recorded, among everything that happened.
    pub recorded: BTreeMap<String, u64>,
    /// By name, and by the UID of their trial.
    workflows: BTreeMap<(String, String), WorkflowSeen>,
    /// What is in the bucket.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What was in each that was overwritten, before that, and until when.
    pub former: BTreeMap<String, (Duration, Vec<u8>)>,
    /// Files that were not there yet for somebody who looked.
    pub hidden: BTreeSet<String>,
    /// The names of Workflows that were refused as invalid.
    pub refused: BTreeSet<String>,
}

/// How old what the API server has shown may be to act on it, and how long a request takes.
const FRESH: Duration = Duration::from_millis(100);
const ON_ITS_WAY: Duration = Duration::from_millis(10);

/// The UID of an object's owner of that kind.
pub fn owner(object: &Value, kind: &str) -> Option<String> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|o| o["kind"] == kind)?;
    owner["uid"].as_str().map(str::to_owned)
}

pub fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// Whether an outcome is recorded.
pub fn is_finished(trial: &Value) -> bool {
    matches!(
        trial["status"]["phase"].as_str(),
        Some("Succeeded" | "Failed" | "Stopped")
    )
}

impl<'a> Seen<'a> {
    pub fn new(plot: &'a Plot, hidden: BTreeSet<String>, refused: BTreeSet<String>) -> Self {
        Self {
            plot,
            studies: BTreeMap::new(),
            trials: BTreeMap::new(),
            went: BTreeMap::new(),
            ended: BTreeMap::new(),
            recorded: BTreeMap::new(),
            workflows: BTreeMap::new(),
            files: BTreeMap::new(),
            former: BTreeMap::new(),
            hidden,
            refused,
        }
    }

    /// A program was shown a study.
    pub fn read(&mut self, reading: &Reading) {
        if let Some(study) = self.studies.get_mut(&reading.uid) {
            study
                .shown
                .entry(reading.by)
                .or_default()
                .push((reading.step, reading.revision));
        }
    }

    /// Something was written or deleted.
    pub fn written(&mut self, effect: &Effect) {
        if effect.bucket == PLACE {
            match &effect.put {
                Some(bytes) => {
                    if let Some(former) = self.files.insert(effect.key.clone(), bytes.clone()) {
                        self.former.insert(effect.key.clone(), (effect.at, former));
                    }
                }
                None => {
                    self.files.remove(&effect.key);
                }
            }
        }
    }

    /// An object changed.
    pub fn changed(&mut self, change: &Change) {
        let object = &*change.object;
        let uid = text(object, "uid").to_owned();
        match change.kind.plural {
            "hyperparameterstudies" => {
                let study = self.studies.entry(uid).or_default();
                study.name = text(object, "name").to_owned();
                study.object = object.clone();
                study.gone = change.gone;
                let is_new = study.specs.values().next_back() != Some(&object["spec"]);
                if is_new {
                    study.specs.insert(change.revision, object["spec"].clone());
                }
            }
            "hyperparametertrials" => {
                if let (Some(study), Some(number)) =
                    (owner(object, "HyperparameterStudy"), object["spec"]["number"].as_u64())
                    && let Some(study) = self.studies.get_mut(&study)
                {
                    study
                        .numbers
                        .entry(number)
                        .or_insert_with(|| object["spec"]["parameters"].clone());
                }
                self.deleted(change);
                let before = change.before.as_ref().map(|b| &b["status"]["attempt"]);
                if before != Some(&object["status"]["attempt"]) {
                    self.recorded.insert(uid.clone(), change.step);
                }
                if is_finished(object) && !change.before.as_deref().is_some_and(is_finished) {
                    self.ended.insert(uid.clone(), (change.at, change.by));
                }
                if change.gone {
                    self.trials.remove(&uid);
                    self.went.insert(uid, change.step);
                } else {
                    self.trials.insert(uid, object.clone());
                }
            }
            "workflows" => {
                let trial = owner(object, "HyperparameterTrial").unwrap_or_default();
                let crosses = self.crosses(change, &trial);
                let beside = !self.plot.doubles.is_empty();
                let workflow = self.workflows.entry((text(object, "name").to_owned(), trial));
                let workflow = workflow.or_default();
                if change.before.is_none() {
                    // Of two that act at once each may take what the one before left for its own.
                    let is_again = beside && workflow.creations > 0 && workflow.gone;
                    workflow.is_late = workflow.was_on_its_way(change.sent) || crosses || is_again;
                    workflow.creations += usize::from(change.by > 0);
                    workflow.starter = (change.by, change.step);
                    workflow.ended = false;
                    // How the one before a late one ended still counts: whoever saw that says so.
                    if !workflow.is_late {
                        workflow.phases.clear();
                    }
                }
                if object["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true" {
                    workflow.ended = true;
                    workflow
                        .phases
                        .push(object["status"]["phase"].as_str().unwrap_or_default().to_owned());
                }
                workflow.gone = change.gone;
                if change.gone {
                    workflow.went = change.step;
                }
                workflow.object = object.clone();
            }
            _ => {}
        }
    }

    /// Whether a Workflow is created for a trial that another controller, beside which this one acts without a lease, has ended since this one asked
    /// for it, a tenth of a second before at most; or that was refused to the other one.
    pub fn crosses(&self, change: &Change, trial: &str) -> bool {
        let ended = self.ended.get(trial);
        let is_lately = |(at, by): &(Duration, u32)| change.by != *by && change.at < *at + FRESH + ON_ITS_WAY;
        let is_refused = self.refused.contains(text(&change.object, "name"));
        !self.plot.doubles.is_empty() && (is_refused || ended.is_some_and(is_lately))
    }

    /// Notes a trial that a person deletes, or that goes by that.
    fn deleted(&mut self, change: &Change) {
        let object = &*change.object;
        let (Some(uid), Some(number)) = (owner(object, "HyperparameterStudy"), object["spec"]["number"].as_u64())
        else {
            return;
        };
        let rank = self.ranking(&uid).iter().position(|(_, n)| *n == number);
        let Some(study) = self.studies.get_mut(&uid) else {
            return;
        };
        if !object["metadata"]["deletionTimestamp"].is_null() {
            let entry = study.deleted.entry(number).or_insert_with(|| (change.at, Value::Null));
            entry.1 = object.clone();
        }
        if change.gone && rank.is_some() && study.object["spec"]["storage"]["strategy"] == "Best" {
            study.spared.insert(number);
        }
    }

    /// Whether one of a study's Workflows may have written after its trial was done with, as a person has brought it back to life.
    pub fn may_be_revived(&self, study: &StudySeen) -> bool {
        let names = self.plot.names();
        let mut revived = self.plot.acts.iter().filter_map(|(_, act)| act.revived());
        // A Workflow `s-1-1` may be one of the study `s`, or, to who chooses by the name, of `s-1`.
        let is_before = |one: &str, other: &str| other.strip_prefix(one).is_some_and(|rest| rest.starts_with('-'));
        revived.any(|place| {
            let name = &names[place];
            *name == study.name || is_before(name, &study.name) || is_before(&study.name, name)
        })
    }

    /// The trials of a study that are there.
    pub fn trials_of(&self, study: &str) -> impl Iterator<Item = &Value> {
        let of = study.to_owned();
        self.trials
            .values()
            .filter(move |t| owner(t, "HyperparameterStudy").as_ref() == Some(&of))
    }

    /// The trial of a study with that number.
    pub fn trial(&self, study: &str, number: u64) -> Option<&Value> {
        self.trials_of(study).find(|t| t["spec"]["number"] == number)
    }

    /// The study that has a name now, or had it last: its UID.
    pub fn study_named(&self, name: &str) -> Option<(&String, &StudySeen)> {
        let named = self.studies.iter().filter(|(_, s)| s.name == name);
        named.max_by_key(|(_, s)| s.specs.keys().next().copied())
    }

    /// The Workflow of that name of the trial with that UID.
    pub fn workflow(&self, name: &str, trial: &str) -> Option<&WorkflowSeen> {
        self.workflows.get(&(name.to_owned(), trial.to_owned()))
    }

    /// Every Workflow that a program created, with its name.
    pub fn created(&self) -> impl Iterator<Item = (&str, &WorkflowSeen)> {
        let all = self.workflows.iter().filter(|(_, w)| w.creations > 0);
        all.map(|((name, _), w)| (name.as_str(), w))
    }

    /// The recorded trials of a study with an objective, best first.
    pub fn ranking(&self, study: &str) -> Vec<(f64, u64)> {
        let counts = |t: &&Value| matches!(t["status"]["phase"].as_str(), Some("Succeeded" | "Stopped"));
        let of = self.trials_of(study).filter(counts);
        let mut found: Vec<(f64, u64)> = of
            .filter_map(|t| Some((t["status"]["objectives"][0].as_f64()?, t["spec"]["number"].as_u64()?)))
            .collect();
        found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        found
    }
}
