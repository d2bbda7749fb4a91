//! What to do next: the whole of a study's decisions in one pass over a snapshot.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{
    Action, Ending, Folder, MARK_PATIENCE, Memory, Owner, Plan, REPORT_INTERVAL, RESULTS_INTERVAL, Ranking,
    Requirement, STORAGE_PATIENCE, Snapshot, Step, Study, TOP, Written, ending, proposals, retention, status,
    trial::{self, Wish},
};
use crate::api::{OnDelete, StudyPhase};

/// What to do next, and the status that follows from what was observed.
pub fn plan(study: &Study, snapshot: &Snapshot, now: Timestamp) -> Plan {
    let ranking = Ranking::of(study, snapshot, TOP);
    let mut ending = Ending::of(study, snapshot, &ranking, now);
    let mut alarm = Alarm::new(now);
    let storage_works = !alarm.is_ahead(snapshot.storage.retry_at);
    let is_clear = !study.spec.suspend && snapshot.obstacle.is_none();
    let knows_history = study.history.is_empty() || snapshot.earlier().is_some();
    let may_start = is_clear && snapshot.folder == Folder::Claimed && storage_works && knows_history;
    let was_over = snapshot.was_over();

    let mut steps = Vec::new();
    let (settled, open) = proposals::settle_requests(study, snapshot, was_over && ending.is_some());
    steps.extend(settled);
    if ending.is_none() && was_over && snapshot.status.observed_generation == Some(study.generation) {
        // It ran out of configurations; a trial that a person deletes afterwards does not bring it back to life.
        ending = Some(Ending::Exhausted);
    }
    if ending.is_none() && snapshot.is_complete() && knows_history {
        // Asked even if nothing may start now: a study that has nothing left to propose stays finished whatever else happens.
        let proposed = proposals::propose(study, snapshot, &open);
        ending = proposed.exhausted.then_some(Ending::Exhausted);
        if may_start {
            steps.extend(proposed.steps);
        }
    }
    let deletions = retention::deletions(study, snapshot);
    let claim = Claim::of(
        study,
        snapshot,
        is_clear && ending.is_none(),
        !deletions.is_empty(),
        now,
    );
    if claim.is_wanted && storage_works {
        steps.push(free(Action::ClaimFolder));
    }
    if !knows_history && is_clear && ending.is_none() && snapshot.folder == Folder::Claimed {
        let retry_at = match &snapshot.memory {
            Memory::Unreadable(_, retry_at) => Some(*retry_at),
            Memory::Unread | Memory::Known(_) => None,
        };
        if !alarm.is_ahead(retry_at) && storage_works {
            let requires = vec![Requirement::Generation(study.generation), Requirement::OwnsFolder];
            steps.push(Step {
                action: Action::ReadHistory,
                requires,
            });
        }
    }
    let wish = Wish { ending, may_start, now };
    let unfinished = || snapshot.trials.iter().filter(|t| !t.is_finished());
    let mut room = study.spec.parallelism.saturating_sub(snapshot.running_beside(0));
    // Fewer may run than when they were created: then some wait. What is being started has its room.
    let has_room = |step: &Step| {
        let Action::Start { number, .. } = step.action else {
            return true;
        };
        let has_room = room > 0 && !snapshot.starting.contains(&number);
        room = room.saturating_sub(u32::from(has_room));
        has_room
    };
    let trial_steps = unfinished().filter_map(|t| trial::step(study, t, wish));
    let trial_steps: Vec<Step> = trial_steps.filter(has_room).collect();
    let awaits_metrics = trial_steps
        .iter()
        .any(|s| matches!(s.action, Action::ReadMetrics { .. }));
    let is_possible = |step: &Step| storage_works || !needs_storage(&step.action);
    steps.extend(trial_steps.into_iter().filter(is_possible));

    let work = storage_work(study, snapshot, &deletions, ending, now);
    let is_pending = work.is_pending || claim.is_pending || awaits_metrics || is_left_behind(study, snapshot);
    if storage_works {
        steps.extend(work.steps);
    }
    alarm.at(work.again_at);
    unfinished().for_each(|t| alarm.at(trial::overdue_at(study, t)));
    unfinished().for_each(|t| alarm.at(trial::look_again_at(t)));
    let failing = snapshot.storage.failing_since.filter(|_| is_pending);
    let gives_up_at = failing.map(|since| ending::later(since, signed(STORAGE_PATIENCE)));
    let is_degraded = gives_up_at.is_some_and(|at| at <= now);
    let is_quiet = unfinished().next().is_none();
    // Once over, it stays so while storage catches up with what a person changed.
    let may_end = snapshot.is_complete() && (!is_pending || is_degraded);
    let is_over = ending.is_some() && is_quiet && (was_over || may_end);
    let standing = status::Standing {
        ending,
        ranking: &ranking,
        is_over,
        is_degraded,
        now,
    };
    let status = status::status(study, snapshot, standing);

    if study.deleting && is_quiet && snapshot.is_complete() {
        steps.extend(deletion(study, snapshot, storage_works, now));
    }
    // A folder that goes with its study shows by its trials that it is there.
    let keeps_trials =
        study.deleting && removes_folder(study) && matches!(snapshot.folder, Folder::Claimed | Folder::Unclaimed);
    if !keeps_trials {
        steps.extend(release_trials(study, snapshot, &deletions));
    }
    // Only what is recorded counts: whoever waits for its end has to be able to see it.
    let may_go = snapshot.was_over() && status.phase.is_finished() && !study.deleting;
    let may_go = may_go && snapshot.owner != Owner::Active;
    let deleted_at = status::deleted_at(&study.spec, &snapshot.status).filter(|_| may_go);
    if deleted_at.is_some_and(|at| at <= now) {
        steps.push(bound(study, Action::DeleteStudy));
    }
    alarm.at(deleted_at);
    alarm.at(gives_up_at);
    if ending.is_none() {
        alarm.at(ending::start_deadline(study, snapshot));
    }
    if !status.phase.is_finished() && status.phase != StudyPhase::Suspended {
        alarm.at(ending::duration_end(study, snapshot, now));
    }
    Plan {
        steps,
        status,
        again_at: alarm.next,
    }
}

/// Whether the storage strategy leaves folders to be deleted, also those of a study that has finished: `keepTop` may be lowered then.
pub fn has_deletions(study: &Study, snapshot: &Snapshot) -> bool {
    !retention::deletions(study, snapshot).is_empty()
}

/// The earliest of several moments in the future.
struct Alarm {
    now: Timestamp,
    next: Option<Timestamp>,
}

impl Alarm {
    fn new(now: Timestamp) -> Self {
        Self { now, next: None }
    }

    fn at(&mut self, time: Option<Timestamp>) {
        if let Some(time) = time.filter(|t| *t > self.now) {
            self.next = Some(self.next.map_or(time, |next| next.min(time)));
        }
    }

    /// Whether `time` lies in the future; then it is noted.
    fn is_ahead(&mut self, time: Option<Timestamp>) -> bool {
        self.at(time);
        time.is_some_and(|t| t > self.now)
    }
}

/// Whether the study's folder has to be made its own, as far as nobody knows that it is.
struct Claim {
    is_wanted: bool,
    /// Whether the study cannot be over before that.
    is_pending: bool,
}

impl Claim {
    fn of(study: &Study, snapshot: &Snapshot, wants_trials: bool, has_deletions: bool, now: Timestamp) -> Self {
        let is_unknown = snapshot.folder == Folder::Unclaimed;
        let has_files = is_unknown && snapshot.last_number() > 0;
        let may_have = is_unknown && may_have_claimed(study, snapshot, now);
        let is_pending = has_files && !snapshot.status.phase.is_finished();
        let is_degraded = |c: &Condition| c.type_ == "StorageDegraded" && c.status == "True";
        let has_work = has_files && snapshot.status.conditions.iter().any(is_degraded);
        let removes = (has_files || may_have) && study.deleting && removes_folder(study);
        Self {
            is_wanted: is_unknown && (wants_trials || is_pending || has_work || removes || has_deletions),
            is_pending,
        }
    }
}

/// What storage still has to do.
struct StorageWork {
    steps: Vec<Step>,
    /// Whether the study waits for it.
    is_pending: bool,
    again_at: Option<Timestamp>,
}

fn storage_work(
    study: &Study,
    snapshot: &Snapshot,
    deletions: &[Step],
    ending: Option<Ending>,
    now: Timestamp,
) -> StorageWork {
    let mut work = StorageWork {
        steps: Vec::new(),
        is_pending: false,
        again_at: None,
    };
    if snapshot.folder != Folder::Claimed || study.deleting {
        return work;
    }
    work.steps = deletions.to_vec();
    let revision = revision(study, snapshot);
    let is_quiet = snapshot.trials.iter().all(super::Trial::is_finished);
    let is_last = ending.is_some() && is_quiet && snapshot.is_complete() && work.steps.is_empty();
    work.is_pending = !work.steps.is_empty();
    // When they are due, where they are not what they should be.
    let due_at = |written: Option<Written>, interval| {
        let is_current = !snapshot.is_torn && written.is_some_and(|w| w.revision == revision);
        let at = written.map_or(Timestamp::MIN, |w| ending::later(w.at, signed(interval)));
        (!is_current).then_some(if is_last { now } else { at })
    };
    let tables_at = due_at(snapshot.written, RESULTS_INTERVAL);
    let report_at = due_at(snapshot.reported, REPORT_INTERVAL);
    let Some(at) = tables_at.into_iter().chain(report_at).min() else {
        return work;
    };
    work.is_pending = true;
    if at > now {
        work.again_at = Some(at);
        return work;
    }
    // A table that lacks a trial is worse than an old one: who reads it, or goes on from it, cannot tell.
    if !snapshot.is_complete() {
        return work;
    }
    let report = is_last || report_at.is_some_and(|at| at <= now);
    let action = Action::WriteResults { revision, report };
    let requires = vec![Requirement::OwnsFolder, Requirement::Revision(revision)];
    work.steps.push(Step { action, requires });
    work
}

/// A number that changes with everything that the result files show.
pub(super) fn revision(study: &Study, snapshot: &Snapshot) -> u64 {
    // FNV-1a: stable between builds, which a hasher of the standard library does not promise.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut mix = |word: u64| hash = (hash ^ word).wrapping_mul(0x0100_0000_01b3);
    mix(study.generation.cast_unsigned());
    for trial in snapshot.trials.iter().filter(|t| t.is_finished()) {
        mix(u64::from(trial.number));
        mix(trial.objective().map_or(u64::MAX, f64::to_bits));
        mix(u64::from(trial.status.files.is_some()));
    }
    hash
}

/// Whether the study's folder goes with it.
fn removes_folder(study: &Study) -> bool {
    study.spec.storage.on_delete == OnDelete::Delete
}

/// A deleted study: its folder goes where that is wanted, then it is let go.
fn deletion(study: &Study, snapshot: &Snapshot, storage_works: bool, now: Timestamp) -> Option<Step> {
    let removes = removes_folder(study);
    let release = Step {
        action: Action::ReleaseStudy,
        requires: vec![Requirement::Quiet],
    };
    match snapshot.folder {
        Folder::Claimed if removes => storage_works.then(|| Step {
            action: Action::RemoveStudyFolder,
            requires: vec![Requirement::OwnsFolder, Requirement::Quiet],
        }),
        // Whether there is something to remove shows once the folder is claimed.
        Folder::Unclaimed if removes && (snapshot.last_number() > 0 || may_have_claimed(study, snapshot, now)) => None,
        _ => Some(release),
    }
}

/// Whether a deleted study that has no trials may have made a folder its own, just before: worth a look where one is possible, and no reason to wait
/// long for a server that is not there.
fn may_have_claimed(study: &Study, snapshot: &Snapshot, now: Timestamp) -> bool {
    let failing = snapshot.storage.failing_since;
    let given_up = failing.is_some_and(|since| ending::later(since, signed(MARK_PATIENCE)) <= now);
    study.deleting && !snapshot.is_closed && !given_up
}

/// Whether a deleted study's folder, which is to go with it, is still there.
fn is_left_behind(study: &Study, snapshot: &Snapshot) -> bool {
    let is_there = match snapshot.folder {
        Folder::Claimed => true,
        Folder::Unclaimed => snapshot.last_number() > 0,
        Folder::Refused(..) | Folder::Removed => false,
    };
    study.deleting && removes_folder(study) && is_there
}

/// Deleted trials are let go once they are finished, their number is recorded and nothing about their folder is left to do.
fn release_trials(study: &Study, snapshot: &Snapshot, deletions: &[Step]) -> Vec<Step> {
    let recorded = snapshot.status.last_number.min(snapshot.status.last_released);
    // What is not the study's own is not deleted, nor is anything but the whole of a deleted study's.
    let deletes_trials = !study.deleting && matches!(snapshot.folder, Folder::Claimed | Folder::Unclaimed);
    let is_due = |t: &&super::Trial| {
        let deletes = |s: &Step| s.action == Action::DeleteFolder { number: t.number };
        let waits = deletes_trials && deletions.iter().any(deletes);
        t.deleting && t.is_finished() && recorded >= t.number && !waits
    };
    let release = |t: &super::Trial| Step {
        action: Action::ReleaseTrial { number: t.number },
        requires: vec![Requirement::Finished(t.number), Requirement::ReleaseRecorded(t.number)],
    };
    snapshot.trials.iter().filter(is_due).map(release).collect()
}

fn needs_storage(action: &Action) -> bool {
    matches!(action, Action::Start { .. } | Action::ReadMetrics { .. })
}

fn free(action: Action) -> Step {
    Step {
        action,
        requires: Vec::new(),
    }
}

fn bound(study: &Study, action: Action) -> Step {
    let requires = vec![Requirement::Generation(study.generation), Requirement::Quiet];
    Step { action, requires }
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
