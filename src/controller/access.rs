//! What the reconciler of a study looks up beside what is watched, and how long it relies on it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    context::{Access, Context, Trouble},
    steps,
    study::{is_active, later},
    trial::TrialWork,
};
use crate::{
    cluster::{
        cache::{Entry, StudyRecord, Work},
        write::as_value,
    },
    study::{Folder, Owner, Study},
    workflow::{self, Seen},
};

/// How long what was found in order is relied on, and how soon one looks again at what was not.
const GOOD: Duration = Duration::from_secs(60);
const BAD: Duration = Duration::from_secs(3);
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
        let active = is_active(study, &entry.state().snapshot);
        let owner_due = self.look_at_owner(context, entry, study, record, now).await;
        if !active {
            // A finished study needs nothing but its name.
            let access = Access {
                template: None,
                store: None,
                makes_bucket: false,
                obstacle: None,
                at: now,
            };
            self.access.get_or_insert(Arc::new(access));
            self.generation = None;
            return owner_due;
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
        [due, owner_due].into_iter().flatten().min()
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
        let same = self.generation == Some(study.generation);
        if let Some(due) = due.filter(|due| same && *due > now) {
            return Some(due);
        }
        let mut access = Access::look(context, study).await;
        if access.store.is_none()
            && same
            && let Some(before) = &self.access
        {
            // What runs can still be read with what was good before.
            access.store = before.store.clone();
        }
        entry.state().snapshot.obstacle = access.obstacle.clone().map(|o| (o.reason, o.message));
        let wait = if access.obstacle.is_some() { BAD } else { GOOD };
        let due = later(access.at, wait);
        self.generation = Some(study.generation);
        self.access = Some(Arc::new(access));
        due
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
        let owner = match context.writer.workflow(&study.namespace, name).await {
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
