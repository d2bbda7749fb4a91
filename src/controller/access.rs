//! What the reconciler of a study looks up beside what is watched, and how long it relies on it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{ResourceExt, core::DeserializeGuard};

use super::{
    context::{Access, Context, Trouble},
    steps,
    study::{is_active, later},
    trial::TrialWork,
};
use crate::{
    api::{HyperparameterTrial, ObjectVersion},
    cluster::{
        cache::{Entry, StudyRecord, Work},
        write::as_value,
    },
    storage::Store,
    study::{Folder, Owner, Study},
    workflow::{self, Seen, Template},
};

/// How long what was found in order is relied on, and how soon one looks again at what was not.
const GOOD: Duration = Duration::from_secs(60);
const BAD: Duration = Duration::from_secs(3);
/// How many trials that are not in view are looked for at a time.
const MOST_LOOKS: usize = 100;
/// After how many that are not there, one after another, no more are looked for.
const MOST_MISSES: u32 = 1000;
/// How often the Workflow that owns a study is looked at.
const OWNER: Duration = Duration::from_secs(10);

/// What the reconciler of one study keeps between passes. None of it matters: it may be found out again.
#[derive(Debug, Default)]
pub struct Attendance {
    access: Option<Arc<Access>>,
    generation: Option<i64>,
    /// When the status was written last.
    pub status_written: Option<Timestamp>,
    owner_seen: Option<Timestamp>,
    refused_at: Option<Timestamp>,
    incomplete_since: Option<Timestamp>,
    /// How many trials in a row were looked for in vain.
    misses: u32,
    /// The version of the folder's `.owner` that named the study.
    owner_file: Option<ObjectVersion>,
}

impl Attendance {
    /// What the study needs of its surroundings, where it was looked for.
    pub fn access(&self) -> Option<Arc<Access>> {
        self.access.clone()
    }

    /// Looks at what the watches do not show, as far as it is needed. Gives when to look again.
    pub async fn observe(
        &mut self,
        context: &Arc<Context>,
        entry: &Arc<Entry>,
        study: &Arc<Study>,
        record: &StudyRecord,
        now: Timestamp,
    ) -> Option<Timestamp> {
        entry.state().note_running(now);
        let active = is_active(study, &entry.state().snapshot);
        let owner_due = self.look_at_owner(context, entry, study, record, now).await;
        let last_due = self.look_for_unseen(context, entry, study, now).await;
        if !active {
            // A finished study needs nothing but its name.
            let access = Access {
                template: None,
                store: None,
                makes_bucket: false,
                is_own: false,
                obstacle: None,
                is_closed: false,
                at: now,
            };
            self.access.get_or_insert(Arc::new(access));
            self.generation = None;
            return [owner_due, last_due].into_iter().flatten().min();
        }
        let due = self.look_for_access(context, entry, study, now).await;
        if let Some(access) = self.access.clone() {
            self.claim_again(entry, context, study, &access, now).await;
            let looks = entry.state().looks();
            for (number, attempt, look) in looks {
                let work = TrialWork {
                    context: context.clone(),
                    entry: entry.clone(),
                    study: study.clone(),
                    access: access.clone(),
                    number,
                };
                context.begin(entry, Work::Trial(number), work.look(attempt, look));
            }
        }
        [due, owner_due, last_due].into_iter().flatten().min()
    }

    async fn look_for_access(
        &mut self,
        context: &Arc<Context>,
        entry: &Arc<Entry>,
        study: &Arc<Study>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let due = self.access.as_ref().and_then(|access| {
            let failing = entry.state().snapshot.storage.failing_since.is_some();
            let wait = if access.obstacle.is_some() || failing {
                BAD
            } else {
                GOOD
            };
            later(access.at, wait)
        });
        // A deleted study's generation is another, which changes nothing of where its files are.
        let same = self.generation == Some(study.generation) || (study.deleting && self.generation.is_some());
        let is_stale = std::mem::take(&mut entry.state().is_access_stale);
        if let Some(due) = due.filter(|due| same && !is_stale && *due > now) {
            return Some(due);
        }
        let mut access = Access::look(context, entry, study).await;
        if access.store.is_none()
            && same
            && let Some(before) = &self.access
        {
            // What runs can still be read with what was good before.
            access.store = before.store.clone();
            access.is_own = before.is_own;
        }
        self.check_folder(context, entry, study, &access).await;
        entry.state().snapshot.notice = access.template.as_ref().and_then(Template::notice);
        entry.state().snapshot.is_closed = access.is_closed;
        entry.state().snapshot.obstacle = access.obstacle.clone().map(|o| (o.reason, o.message));
        let wait = if access.obstacle.is_some() { BAD } else { GOOD };
        let due = later(access.at, wait);
        self.generation = Some(study.generation);
        self.access = Some(Arc::new(access));
        due
    }

    /// Whether the study's folder is still its own: it may be on another server now, or have been given to another study.
    async fn check_folder(&mut self, context: &Context, entry: &Entry, study: &Study, access: &Access) {
        let before = self.access.as_ref().and_then(|a| a.store.as_ref());
        let has_moved = |store: &Store| before.is_some_and(|b| b.endpoint() != store.endpoint());
        let (Some(store), Folder::Claimed) = (&access.store, entry.state().snapshot.folder.clone()) else {
            return;
        };
        let found = if has_moved(store) {
            self.owner_file = None;
            Some(Folder::Unclaimed)
        } else {
            let Ok(folder) = steps::folder(study) else { return };
            let owner = context.telemetry.storage(
                "read_owner",
                steps::foreign(store, &folder, study, &mut self.owner_file),
            );
            // Where it cannot be read now, it shows with whatever is done next.
            owner.await.unwrap_or_default()
        };
        if let Some(folder) = found {
            entry.state().snapshot.folder = folder;
        }
    }

    /// Sees to it that a number that was used, but whose trial does not come into view, does not keep the study waiting for ever: it may have
    /// been deleted without us, or be unreadable. Gives when to look again.
    async fn look_for_unseen(
        &mut self,
        context: &Context,
        entry: &Entry,
        study: &Study,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let unseen: Vec<u32> = entry.state().snapshot.unseen().take(MOST_LOOKS).collect();
        if unseen.is_empty() {
            (self.incomplete_since, self.misses) = (None, 0);
            return None;
        }
        // Most often their news are on the way.
        let since = *self.incomplete_since.get_or_insert(now);
        if let Some(due) = later(since, BAD).filter(|due| *due > now) {
            return Some(due);
        }
        self.incomplete_since = Some(now);
        // In order, so that none is passed over because a later one was found.
        for number in unseen {
            let name = study.trial_name(number);
            match context.writer.any_trial(&study.namespace, &name).await {
                // The news of it got lost.
                Ok(Some(DeserializeGuard(Ok(trial)))) if is_owned(&trial, study) => {
                    context.cache.answered_trial(trial);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(study = study.name, "the trial {number} cannot be looked for: {error}");
                    return later(now, BAD);
                }
            }
            if entry.state().snapshot.trial(number).is_some() {
                self.misses = 0;
                continue;
            }
            self.misses = self.misses.saturating_add(1);
            entry.note(|state| {
                state.snapshot.vanishes(number);
                // Nor is there any after so many: somebody has written a number into the status that was never used.
                if self.misses >= MOST_MISSES {
                    state.snapshot.gives_up();
                }
            });
        }
        let is_complete = entry.state().snapshot.is_complete();
        later(now, BAD).filter(|_| !is_complete)
    }

    /// Whether a folder that could not be the study's can be now.
    async fn claim_again(
        &mut self,
        entry: &Arc<Entry>,
        context: &Arc<Context>,
        study: &Arc<Study>,
        access: &Arc<Access>,
        now: Timestamp,
    ) {
        if !matches!(entry.state().snapshot.folder, Folder::Refused(..)) {
            self.refused_at = None;
            return;
        }
        let since = *self.refused_at.get_or_insert(now);
        if later(since, BAD).is_some_and(|due| due <= now) {
            self.refused_at = Some(now);
            let result = steps::claim(context, entry, study, access).await;
            context.noted(entry, Work::Study, result);
        }
    }

    /// Looks at the Workflow that owns the study, now and then.
    async fn look_at_owner(
        &mut self,
        context: &Arc<Context>,
        entry: &Arc<Entry>,
        study: &Arc<Study>,
        record: &StudyRecord,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let name = record.owner.as_ref()?;
        if entry.state().snapshot.owner == Owner::Over {
            return None;
        }
        if let Some(due) = self.owner_seen.and_then(|at| later(at, OWNER)).filter(|due| *due > now) {
            return Some(due);
        }
        self.owner_seen = Some(now);
        let found = context.writer.workflow(&study.namespace, name).await;
        if found.is_ok() {
            context.noted(entry, Work::Owner, Ok(()));
        }
        let owner = match found {
            Ok(Some(workflow)) => {
                let labels = workflow.metadata.labels.clone().unwrap_or_default();
                let phase = as_value(&workflow)["status"]["phase"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                let over =
                    workflow::seen(&labels) != Seen::Active || matches!(&*phase, "Succeeded" | "Failed" | "Error");
                if over { Owner::Over } else { Owner::Active }
            }
            Ok(None) => Owner::Over,
            Err(error) => {
                context.noted(entry, Work::Owner, Err(Trouble::Call(error)));
                Owner::Active
            }
        };
        entry.state().snapshot.owner = owner;
        later(now, OWNER)
    }
}

/// Whether a trial is the study's own.
fn is_owned(trial: &HyperparameterTrial, study: &Study) -> bool {
    trial.owner_references().iter().any(|o| o.uid == study.uid)
}
