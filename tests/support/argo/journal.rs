//! What the stand-in saw, and what must never happen.

use std::{collections::HashMap, sync::Mutex, time::Instant};

use tokio::sync::watch;

use super::{super::lab::PATIENCE, Job};

/// What happened to Workflows, in the order in which it was seen.
#[derive(Default)]
pub struct Journal(Mutex<Inner>, watch::Sender<usize>);

#[derive(Default)]
struct Inner {
    events: Vec<Event>,
    violations: Vec<String>,
    /// The UID of every Workflow that there ever was, by its name.
    names: HashMap<String, String>,
    /// The Workflow of every attempt that there ever was, by study, trial and attempt.
    attempts: HashMap<(String, u32, u32), String>,
    /// The Workflow that is not over, by study and trial.
    active: HashMap<(String, u32), String>,
    /// How many Workflows of a study were active at most.
    most: HashMap<String, usize>,
}

/// One thing that happened to one Workflow.
#[derive(Clone, Debug)]
pub struct Event {
    /// When it was seen.
    pub at: Instant,
    /// The Workflow.
    pub workflow: String,
    /// What.
    pub happened: Happened,
}

/// What happened to a Workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It was seen for the first time.
    Created,
    /// It is about to run.
    Running,
    /// It is about to be over, with this phase.
    Completed(String),
    /// It was asked to end, with this strategy.
    Shutdown(String),
    /// It is gone.
    Deleted,
}

impl Journal {
    /// Everything so far.
    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().events.clone()
    }

    /// Waits until so many more things have happened, for as long as anything awaited may take.
    pub async fn happens(&self, more: usize) {
        let mut count = self.1.subscribe();
        let wanted = *count.borrow() + more;
        let happened = tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= wanted)).await;
        assert!(
            happened.is_ok(),
            "nothing happens any more: {:#?}",
            self.events().last()
        );
    }

    /// The names of the Workflows to which something happened that `what` is true of, in that order.
    pub fn which(&self, what: impl Fn(&Happened) -> bool) -> Vec<String> {
        let inner = self.0.lock().unwrap();
        let found = inner.events.iter().filter(|e| what(&e.happened));
        found.map(|e| e.workflow.clone()).collect()
    }

    /// The names of all Workflows, in the order of their creation.
    pub fn created_names(&self) -> Vec<String> {
        self.which(|h| *h == Happened::Created)
    }

    /// Everything that must never happen and did.
    pub fn violations(&self) -> Vec<String> {
        self.0.lock().unwrap().violations.clone()
    }

    /// Forgets what must never happen, for a test in which it was meant to.
    pub fn forgive(&self) {
        self.0.lock().unwrap().violations.clear();
    }

    /// How many Workflows of a study were active at the same time at most.
    pub fn most_active(&self, study: &str) -> usize {
        self.0.lock().unwrap().most.get(study).copied().unwrap_or(0)
    }

    pub(super) fn note(&self, workflow: &str, happened: Happened) {
        self.0.lock().unwrap().note(workflow, happened);
        self.tell();
    }

    fn tell(&self) {
        let count = self.0.lock().unwrap().events.len();
        self.1.send_replace(count);
    }

    /// Leaves out what the test knows of these Workflows and takes for right.
    pub fn excuse(&self, is_fine: impl Fn(&str) -> bool) {
        let of = |violation: &String| violation.split_once(": ").map_or("", |(name, _)| name).to_owned();
        self.0.lock().unwrap().violations.retain(|v| !is_fine(&of(v)));
    }

    pub(super) fn violation(&self, workflow: &str, what: &str) {
        self.0.lock().unwrap().violations.push(format!("{workflow}: {what}"));
    }

    pub(super) fn created(&self, job: &Job, wrong: Vec<String>) {
        let mut inner = self.0.lock().unwrap();
        inner.note(&job.workflow, Happened::Created);
        let name = &job.workflow;
        inner
            .violations
            .extend(wrong.into_iter().map(|w| format!("{name}: {w}")));
        if inner.names.insert(name.clone(), job.uid.clone()).is_some() {
            inner.violations.push(format!("{name}: the name is used a second time"));
        }
        let attempt = (job.study_uid.clone(), job.number, job.attempt);
        if let Some(other) = inner.attempts.insert(attempt, name.clone()) {
            inner.violations.push(format!("{name}: {other} is of the same attempt"));
        }
        let trial = (job.study_uid.clone(), job.number);
        if let Some(other) = inner.active.insert(trial, name.clone()) {
            inner
                .violations
                .push(format!("{name}: {other} of the same trial is not over"));
        }
        let active = inner.active.keys().filter(|(study, _)| *study == job.study_uid).count();
        let most = inner.most.entry(job.study.clone()).or_default();
        *most = active.max(*most);
        drop(inner);
        self.tell();
    }

    pub(super) fn completed(&self, job: &Job, phase: &str) {
        let mut inner = self.0.lock().unwrap();
        inner.note(&job.workflow, Happened::Completed(phase.to_owned()));
        inner.over(job);
        drop(inner);
        self.tell();
    }

    pub(super) fn deleted(&self, job: &Job) {
        let mut inner = self.0.lock().unwrap();
        inner.note(&job.workflow, Happened::Deleted);
        inner.over(job);
        drop(inner);
        self.tell();
    }
}

impl Inner {
    fn note(&mut self, workflow: &str, happened: Happened) {
        self.events.push(Event {
            at: Instant::now(),
            workflow: workflow.to_owned(),
            happened,
        });
    }

    fn over(&mut self, job: &Job) {
        let trial = (job.study_uid.clone(), job.number);
        if self.active.get(&trial) == Some(&job.workflow) {
            self.active.remove(&trial);
        }
    }
}
