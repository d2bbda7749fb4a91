//! What is kept of each object: no more than a decision or a write needs, so that many fit.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use tokio::time::Instant;

use crate::{
    api::{HyperparameterStudy, HyperparameterTrial, StudySpec},
    study::{Identity, RunState},
    workflow::{self, STUDY_UID_LABEL, Seen},
};

/// The finalizer of trials: a trial that a person deletes is ended first, and its number is recorded.
pub const TRIAL_FINALIZER: &str = "hyperstudy.dev/trial";
/// The finalizer of studies whose folder goes with them.
pub const STUDY_FINALIZER: &str = "hyperstudy.dev/study";

/// An object's version, by which older news are told from newer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version(pub String);

impl Version {
    /// The version of an object.
    pub fn of(meta: &ObjectMeta) -> Self {
        Self(meta.resource_version.clone().unwrap_or_default())
    }

    /// Whether this is older than `other`. Versions of one kind count up; what is no number is taken as it comes.
    pub fn is_older_than(&self, other: &Self) -> bool {
        match (self.0.parse::<u64>(), other.0.parse::<u64>()) {
            (Ok(this), Ok(other)) => this < other,
            _ => false,
        }
    }
}

/// A study as it was last seen.
#[derive(Clone, Debug)]
pub struct StudyRecord {
    /// Which study.
    pub identity: Identity,
    /// Its version.
    pub version: Version,
    /// Whether it bears our finalizer.
    pub is_held: bool,
    /// The Workflow that owns it, where one does.
    pub owner: Option<String>,
    /// Its spec, or why it cannot be read.
    pub spec: Result<StudySpec, String>,
    /// During which listing it was last seen.
    pub epoch: u64,
}

impl StudyRecord {
    /// Whether what was compiled of `other` is what is compiled of this.
    pub fn is_compiled_as(&self, other: &Self) -> bool {
        self.identity.generation == other.identity.generation && self.identity.deleting == other.identity.deleting
    }
}

/// Which study an object's metadata are of.
pub fn identity(meta: &ObjectMeta) -> Option<Identity> {
    Some(Identity {
        name: meta.name.clone()?,
        namespace: meta.namespace.clone()?,
        uid: meta.uid.clone()?,
        generation: meta.generation.unwrap_or_default(),
        created: created(meta),
        deleting: meta.deletion_timestamp.is_some(),
    })
}

/// When an object was created.
pub fn created(meta: &ObjectMeta) -> Timestamp {
    meta.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |t| t.0)
}

/// Whether an object bears a finalizer.
pub fn has_finalizer(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().flatten().any(|f| f == finalizer)
}

/// The Workflow that owns an object, where one does.
pub fn owning_workflow(meta: &ObjectMeta) -> Option<String> {
    let is_workflow = |o: &&OwnerReference| o.kind == "Workflow" && o.api_version.starts_with("argoproj.io/");
    let owner = meta.owner_references.iter().flatten().find(is_workflow)?;
    Some(owner.name.clone())
}

/// The UID of the study that owns a trial.
pub fn owning_study(trial: &HyperparameterTrial) -> Option<String> {
    let kind = HyperparameterStudy::kind(&());
    let is_study = |o: &&OwnerReference| o.kind == kind && o.api_version.starts_with("hyperstudy.dev/");
    let owner = trial.owner_references().iter().find(is_study)?;
    Some(owner.uid.clone())
}

/// The UID of the study that created a trial, which was deleted without it.
pub fn former_study(trial: &HyperparameterTrial) -> Option<String> {
    trial.labels().get(STUDY_UID_LABEL).cloned()
}

/// For how long an answer is taken to show what is: another program may act as well, while its lease has not been taken over.
const FRESH: Duration = Duration::from_millis(100);

/// What writes to a trial need.
#[derive(Clone, Debug, Default)]
pub struct TrialRecord {
    /// Its UID.
    pub uid: String,
    /// Its version.
    pub version: Version,
    /// When the API server itself showed it last, and not only a watch.
    pub confirmed: Option<Instant>,
    /// Whether it bears our finalizer.
    pub is_held: bool,
    /// The last attempt of which a Workflow was seen.
    pub begun: Option<u32>,
    /// The attempt whose Workflow is known to be gone.
    pub gone: Option<u32>,
    /// During which listing it was last seen.
    pub epoch: u64,
}

impl TrialRecord {
    /// Whether the API server itself has shown it just now.
    pub fn is_fresh(&self) -> bool {
        self.confirmed.is_some_and(|at| at.elapsed() < FRESH)
    }
}

/// A Workflow as it was last seen.
#[derive(Clone, Debug)]
pub struct WorkflowRecord {
    /// Its UID.
    pub uid: String,
    /// The UID of the trial that owns it.
    pub owner: String,
    /// Its version.
    pub version: Version,
    /// Whether Argo has begun to run it: before, it may wait for its turn.
    pub is_running: bool,
    /// Since when that was seen here.
    pub running_since: Option<Timestamp>,
    /// How it stands as far as its labels say.
    pub seen: Seen,
    /// How it stands, where its labels do not say enough and it was read.
    pub state: Option<RunState>,
    /// During which listing it was last seen.
    pub epoch: u64,
}

impl WorkflowRecord {
    /// What is kept of a Workflow that the trial with the UID `owner` owns, as far as its metadata say.
    pub fn of(metadata: &ObjectMeta, owner: String, epoch: u64) -> Self {
        let labels = metadata.labels.clone().unwrap_or_default();
        Self {
            uid: metadata.uid.clone().unwrap_or_default(),
            owner,
            version: Version::of(metadata),
            is_running: workflow::is_running(&labels),
            running_since: None,
            seen: workflow::seen(&labels),
            state: None,
            epoch,
        }
    }

    /// How it stands; what has not been read yet counts as not over.
    pub fn run_state(&self) -> RunState {
        match (self.seen, &self.state) {
            (Seen::Succeeded, _) => RunState::Succeeded,
            (Seen::Unsuccessful, Some(state)) => state.clone(),
            (Seen::Active | Seen::Unsuccessful, _) => RunState::Active,
        }
    }
}
