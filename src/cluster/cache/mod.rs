//! All that was seen of studies, trials and Workflows, by study.
//!
//! Events of the watches and the answers to our own writes go in by the same doors; the newer version of an object wins.

mod entry;
mod gone;
mod record;
mod runs;

pub use entry::{Entry, Look, State, StudyId, Work};
pub use record::{STUDY_FINALIZER, StudyRecord, TRIAL_FINALIZER, TrialRecord, Version, WorkflowRecord};

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DeserializeGuard;
use tokio::sync::mpsc;

use self::gone::Gone;
use crate::{
    api::{HyperparameterStudy, HyperparameterTrial, RequestRef, StudyStatus, TrialPhase},
    study::Request,
    workflow::STUDY_UID_LABEL,
};

/// All studies.
#[derive(Debug)]
pub struct Cache {
    inner: Mutex<Inner>,
    /// How many listings have begun.
    listings: AtomicU64,
    /// Where studies that are new here are announced.
    news: mpsc::UnboundedSender<Arc<Entry>>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: BTreeMap<StudyId, Arc<Entry>>,
    /// The UID of the study that bears a name in a namespace now.
    names: BTreeMap<Key, String>,
    requests: BTreeMap<Key, BTreeMap<String, RequestRecord>>,
    /// What was deleted lately: an answer or an event that comes late does not bring it back.
    gone: Gone,
}

/// Where a study is: its namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: String,
    name: String,
}

impl Key {
    /// The study with that UID there.
    fn of(&self, uid: &str) -> StudyId {
        StudyId {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: uid.to_owned(),
        }
    }
}

/// A request that is neither admitted nor rejected.
#[derive(Clone, Debug)]
struct RequestRecord {
    request: Request,
    created: Timestamp,
    version: Version,
    epoch: u64,
}

impl Cache {
    /// An empty cache, and where studies that are new to it are announced.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Arc<Entry>>) {
        let (news, announced) = mpsc::unbounded_channel();
        let cache = Self {
            inner: Mutex::default(),
            listings: AtomicU64::new(0),
            news,
        };
        (cache, announced)
    }

    /// A listing begins. Gives its epoch, which what it names is taken with.
    pub fn begin_listing(&self) -> u64 {
        self.listings.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// The epoch for what comes from elsewhere than a listing.
    pub fn epoch(&self) -> u64 {
        self.listings.load(Ordering::Relaxed)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All studies of which anything is known.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.inner().entries.values().cloned().collect()
    }

    /// The study of that name that is there now.
    pub fn study(&self, namespace: &str, name: &str) -> Option<Arc<Entry>> {
        let inner = self.inner();
        let mut named = inner.entries.values();
        named
            .find(|entry| entry.id.namespace == namespace && entry.id.name == name && entry.state().record.is_some())
            .cloned()
    }

    /// Notes something about a study. One that is new is announced once there is something to be seen.
    fn note(&self, id: &StudyId, note: impl FnOnce(&mut State)) {
        loop {
            let new = || Arc::new(Entry::new(id.clone()));
            let entry = self.inner().entries.entry(id.clone()).or_insert_with(new).clone();
            let mut state = entry.state();
            if state.is_forgotten {
                // In between: the next look makes a new one.
                continue;
            }
            note(&mut state);
            let is_new = !std::mem::replace(&mut state.is_announced, true);
            drop(state);
            entry.changed.notify_one();
            if is_new {
                // Nobody listens any more only when the program is about to end.
                let _ = self.news.send(entry);
            }
            return;
        }
    }

    /// Forgets a study of which nothing is left. Gives whether it did.
    pub fn forget(&self, entry: &Entry) -> bool {
        let mut inner = self.inner();
        let mut state = entry.state();
        let is_empty = state.is_empty();
        if is_empty {
            state.is_forgotten = true;
            inner.entries.remove(&entry.id);
        }
        is_empty
    }

    /// Takes a study as a write of ours was answered. What is gone meanwhile stays gone.
    pub fn answered_study(&self, study: HyperparameterStudy) {
        if is_last(&study.metadata) {
            self.drop_study(&study.metadata);
        } else {
            self.take_study(DeserializeGuard(Ok(study)), self.epoch());
        }
    }

    /// Takes a trial or a request as a write of ours was answered. What is gone meanwhile stays gone.
    pub fn answered_trial(&self, trial: HyperparameterTrial) {
        if is_last(&trial.metadata) {
            return self.drop_trial(&DeserializeGuard(Ok(trial)));
        }
        let (number, owner) = (trial.spec.number, record::owning_study(&trial));
        let (key, version) = (key_of(&trial), Version::of(&trial.metadata));
        self.take_trial(DeserializeGuard(Ok(trial)), self.epoch());
        if let (Some(number), Some(uid)) = (number, owner) {
            self.note_known(&key.of(&uid), |state| state.confirm_trial(number, &version));
        }
    }

    /// Takes a study as it was seen.
    pub fn take_study(&self, object: DeserializeGuard<HyperparameterStudy>, epoch: u64) {
        let (metadata, spec, status) = match object.0 {
            Ok(study) => (study.metadata, Ok(study.spec), study.status),
            Err(invalid) => (invalid.metadata, Err(invalid.error), None),
        };
        let Some(identity) = record::identity(&metadata) else {
            return;
        };
        let key = Key {
            namespace: identity.namespace.clone(),
            name: identity.name.clone(),
        };
        let id = key.of(&identity.uid);
        if self.is_gone(&id) {
            return;
        }
        if let Some(other) = self.named(&key).filter(|other| other.id.uid != identity.uid) {
            let newer = other.state().record.as_ref().map(|record| record.version.clone());
            // Of two of one name the older one is gone.
            if newer.is_some_and(|newer| Version::of(&metadata).is_older_than(&newer)) {
                return;
            }
            self.replaced_study(&other.id, &metadata);
        }
        let requests = {
            let mut inner = self.inner();
            inner.names.insert(key.clone(), identity.uid.clone());
            inner.open_requests(&key)
        };
        self.note(&id, |state| {
            let is_new = state.record.is_none();
            // What cannot be read says nothing of its status either: what is known of that stays.
            let status = match &spec {
                Ok(_) => status.unwrap_or_default(),
                Err(_) => state.snapshot.status.clone(),
            };
            let record = StudyRecord {
                version: Version::of(&metadata),
                is_held: record::has_finalizer(&metadata, STUDY_FINALIZER),
                owner: record::owning_workflow(&metadata),
                identity,
                spec,
                epoch,
            };
            state.take_study(record, status);
            state.snapshot.requests = requests;
            if is_new {
                state.find_runs();
            }
        });
        // Somebody else may have heard meanwhile that it is gone.
        if self.is_gone(&id) {
            self.miss_study(&id);
        }
    }

    /// The study that bears a name now, as far as it was seen.
    fn named(&self, key: &Key) -> Option<Arc<Entry>> {
        let inner = self.inner();
        inner.entries.get(&key.of(inner.names.get(key)?)).cloned()
    }

    /// A study is gone for good.
    pub fn drop_study(&self, metadata: &ObjectMeta) {
        let Some(identity) = record::identity(metadata) else {
            return;
        };
        self.lost_study(&StudyId {
            namespace: identity.namespace,
            name: identity.name,
            uid: identity.uid,
        });
    }

    /// A study is gone for good, as the API server says that was asked for it: whatever a watch that lags still tells of it.
    pub fn lost_study(&self, id: &StudyId) {
        self.inner().gone.insert_study(id);
        self.miss_study(id);
    }

    /// Whether a study is known to be gone for good.
    pub fn is_gone(&self, id: &StudyId) -> bool {
        self.inner().gone.has_study(id)
    }

    /// A study is not there, as far as an answer tells that may be of an old state: should it be there all the same, it is taken when it shows.
    pub fn miss_study(&self, id: &StudyId) {
        let key = Key {
            namespace: id.namespace.clone(),
            name: id.name.clone(),
        };
        let known = {
            let mut inner = self.inner();
            if inner.names.get(&key) == Some(&id.uid) {
                inner.names.remove(&key);
            }
            inner.entries.get(id).cloned()
        };
        if let Some(entry) = known {
            entry.note(|state| {
                state.record = None;
                state.study = None;
                state.snapshot.status = StudyStatus::default();
            });
        }
    }

    /// Another study has a study's name: where it is the newer one, that is gone for good, whatever a watch that lags still tells of it.
    pub fn replaced_study(&self, id: &StudyId, other: &ObjectMeta) {
        let known = self.inner().entries.get(id).cloned();
        let is_newer = known.is_some_and(|entry| {
            let state = entry.state();
            let record = state.record.as_ref();
            record.is_some_and(|record| record.version.is_older_than(&Version::of(other)))
        });
        match is_newer {
            true => self.lost_study(id),
            false => self.miss_study(id),
        }
    }

    /// Takes a trial or a request as it was seen.
    pub fn take_trial(&self, object: DeserializeGuard<HyperparameterTrial>, epoch: u64) {
        let trial = match object.0 {
            Ok(trial) => trial,
            Err(invalid) => {
                let name = invalid.metadata.name.unwrap_or_default();
                tracing::warn!(
                    trial = name,
                    "a trial cannot be read and is left alone: {}",
                    invalid.error
                );
                return;
            }
        };
        let uid = trial.metadata.uid.clone().unwrap_or_default();
        if self.inner().gone.has_trial(&uid) {
            return;
        }
        let Some(number) = trial.spec.number else {
            return self.take_request(trial, epoch);
        };
        let named = format!("{}-{number}", trial.spec.study_ref.name);
        if trial.metadata.name.as_ref() != Some(&named) {
            return;
        }
        let key = key_of(&trial);
        let is_deleted = trial.metadata.deletion_timestamp.is_some();
        let study = match (record::owning_study(&trial), record::former_study(&trial)) {
            (Some(study), _) => key.of(&study),
            // Its study was deleted and it was to stay. Once it is deleted, too, it has to be let go.
            (None, Some(study)) if is_deleted => key.of(&study),
            (None, Some(study)) => return self.note_known(&key.of(&study), |state| state.drop_trial(number)),
            (None, None) => return,
        };
        self.note(&study, |state| state.take_trial(number, trial, epoch));
        // Somebody else may have heard meanwhile that it is gone.
        if self.inner().gone.has_trial(&uid) {
            self.lost_trial(&study, number, &uid);
        }
    }

    /// A trial or a request is gone.
    pub fn drop_trial(&self, object: &DeserializeGuard<HyperparameterTrial>) {
        let Ok(trial) = &object.0 else { return };
        let uid = trial.metadata.uid.as_deref().unwrap_or_default();
        self.inner().gone.insert_trial(uid);
        let owner = record::owning_study(trial).or_else(|| record::former_study(trial));
        match (trial.spec.number, owner) {
            (Some(number), Some(uid)) => self.note_known(&key_of(trial).of(&uid), |state| {
                state.drop_trial(number);
                state.snapshot.vanishes(number);
            }),
            (Some(_), None) => {}
            (None, _) => self.drop_request(&key_of(trial), trial.metadata.name.as_deref().unwrap_or_default()),
        }
    }

    /// A trial is gone for good, as the API server says that was asked for it: whatever a watch that lags still tells of it.
    pub fn lost_trial(&self, study: &StudyId, number: u32, uid: &str) {
        self.inner().gone.insert_trial(uid);
        self.note_known(study, |state| {
            if state.trial_record(number).is_some_and(|known| known.uid == uid) {
                state.drop_trial(number);
                state.snapshot.vanishes(number);
            }
        });
    }

    fn take_request(&self, trial: HyperparameterTrial, epoch: u64) {
        let key = key_of(&trial);
        let (Some(name), Some(uid)) = (trial.metadata.name.clone(), trial.metadata.uid.clone()) else {
            return;
        };
        let phase = trial.status.as_ref().map_or(TrialPhase::Pending, |s| s.phase);
        let is_open = !matches!(phase, TrialPhase::Admitted | TrialPhase::Rejected);
        if !is_open || trial.metadata.deletion_timestamp.is_some() {
            return self.drop_request(&key, &name);
        }
        let record = RequestRecord {
            request: Request {
                request: RequestRef {
                    name: name.clone(),
                    uid,
                },
                parameters: trial.spec.parameters,
            },
            created: record::created(&trial.metadata),
            version: Version::of(&trial.metadata),
            epoch,
        };
        self.inner()
            .requests
            .entry(key.clone())
            .or_default()
            .insert(name, record);
        self.requests_changed(&key);
    }

    fn drop_request(&self, key: &Key, name: &str) {
        let is_known = {
            let mut inner = self.inner();
            let is_known = inner.requests.get_mut(key).is_some_and(|r| r.remove(name).is_some());
            inner.requests.retain(|_, requests| !requests.is_empty());
            is_known
        };
        if is_known {
            self.requests_changed(key);
        }
    }

    fn requests_changed(&self, key: &Key) {
        let (requests, entry) = {
            let inner = self.inner();
            let entry = inner.names.get(key).and_then(|uid| inner.entries.get(&key.of(uid)));
            (inner.open_requests(key), entry.cloned())
        };
        if let Some(entry) = entry {
            entry.note(|state| state.snapshot.requests = requests);
        }
    }

    /// The version of a request, for writes to it.
    pub fn request_version(&self, namespace: &str, study: &str, request: &str) -> Option<Version> {
        let key = Key {
            namespace: namespace.to_owned(),
            name: study.to_owned(),
        };
        Some(self.inner().requests.get(&key)?.get(request)?.version.clone())
    }

    /// Takes a Workflow's metadata as they were seen.
    pub fn take_workflow(&self, metadata: &ObjectMeta, epoch: u64) {
        if let Some((study, name, owner)) = our_workflow(metadata) {
            let record = WorkflowRecord::of(metadata, owner, epoch);
            self.note(&study, |state| state.take_workflow(name, record));
        }
    }

    /// A Workflow is gone.
    pub fn drop_workflow(&self, metadata: &ObjectMeta) {
        if let Some((study, name, _)) = our_workflow(metadata) {
            self.note_known(&study, |state| state.drop_workflow(&name));
        }
    }

    /// Notes something about a study of which something is known.
    fn note_known(&self, id: &StudyId, note: impl FnOnce(&mut State)) {
        let known = self.inner().entries.get(id).cloned();
        if let Some(entry) = known {
            entry.note(note);
        }
    }

    /// A listing of studies that began at `epoch` in `namespace` (all where absent) is complete: what it did not name is gone.
    pub fn studies_listed(&self, namespace: Option<&str>, epoch: u64) {
        for entry in self.entries() {
            let state = entry.state();
            let old = state
                .record
                .as_ref()
                .filter(|r| r.epoch < epoch && namespace.is_none_or(|n| n == r.identity.namespace));
            let is_missing = old.is_some();
            drop(state);
            if is_missing {
                self.miss_study(&entry.id);
            }
        }
    }

    /// The same for trials and requests.
    pub fn trials_listed(&self, namespace: Option<&str>, epoch: u64) {
        for entry in self.entries_in(namespace) {
            entry.note(|state| state.drop_trials_before(epoch));
        }
        let keys: Vec<Key> = {
            let mut inner = self.inner();
            let here = inner
                .requests
                .iter_mut()
                .filter(|(k, _)| namespace.is_none_or(|n| n == k.namespace));
            here.map(|(key, requests)| {
                requests.retain(|_, r| r.epoch >= epoch);
                key.clone()
            })
            .collect()
        };
        self.inner().requests.retain(|_, requests| !requests.is_empty());
        keys.iter().for_each(|key| self.requests_changed(key));
    }

    /// The same for Workflows.
    pub fn workflows_listed(&self, namespace: Option<&str>, epoch: u64) {
        for entry in self.entries_in(namespace) {
            entry.note(|state| state.drop_workflows_before(epoch));
        }
    }

    /// The studies in a namespace, or all.
    fn entries_in(&self, namespace: Option<&str>) -> Vec<Arc<Entry>> {
        let mut entries = self.entries();
        entries.retain(|entry| namespace.is_none_or(|n| n == entry.id.namespace));
        entries
    }
}

impl Inner {
    /// The open requests of a study, oldest first.
    fn open_requests(&self, key: &Key) -> Vec<Request> {
        let mut open: Vec<&RequestRecord> = self.requests.get(key).into_iter().flat_map(BTreeMap::values).collect();
        open.sort_by(|a, b| (a.created, &a.request.request.name).cmp(&(b.created, &b.request.request.name)));
        open.into_iter().map(|r| r.request.clone()).collect()
    }
}

fn key_of(trial: &HyperparameterTrial) -> Key {
    Key {
        namespace: trial.metadata.namespace.clone().unwrap_or_default(),
        name: trial.spec.study_ref.name.clone(),
    }
}

/// Whether an object is gone with the write that this was the answer to: it was deleted, and nothing holds it any more.
fn is_last(metadata: &ObjectMeta) -> bool {
    metadata.deletion_timestamp.is_some() && metadata.finalizers.as_ref().is_none_or(Vec::is_empty)
}

/// Of a Workflow that may be ours: the study, its own name, the UID of the trial that owns it.
fn our_workflow(metadata: &ObjectMeta) -> Option<(StudyId, String, String)> {
    let name = metadata.name.clone()?;
    let study = StudyId {
        namespace: metadata.namespace.clone()?,
        // `<study>-<number>-<attempt>`: a study's name may be longer than a label.
        name: name.rsplitn(3, '-').nth(2)?.to_owned(),
        uid: metadata.labels.as_ref()?.get(STUDY_UID_LABEL)?.clone(),
    };
    let owners = metadata.owner_references.iter().flatten();
    let owner = owners
        .filter(|o| o.kind == "HyperparameterTrial")
        .map(|o| o.uid.clone())
        .next()?;
    Some((study, name, owner))
}

#[cfg(test)]
mod tests;
