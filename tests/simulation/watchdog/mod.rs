//! What must hold of every world, checked at every step of what happened in it and at its end.
//!
//! The log of a world is complete: every change of an object, every write and deletion in S3, every study that a program was shown, each with its place
//! among all. So the checks go through it afterwards, step by step, and see what an onlooker would have seen at that moment.

mod end;
mod files;
mod outcomes;
mod runs;
mod seen;

use std::time::Duration;

pub use end::{is_over, note_panics, numbers, panics};

use crate::{
    cluster::{Change, Reading},
    faults::Trouble,
    plot::Plot,
    s3::Effect,
    world::World,
};
use seen::Seen;

/// What must hold, as docs/reliability.md numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// 1. An attempt has at most one Workflow, a number one set of parameters.
    Once,
    /// 2. Parallelism and budget.
    Bounds,
    /// 3. An outcome never changes, and is what was said.
    Outcome,
    /// 4. Only the study's own folders, and never the best.
    Files,
    /// 5. It comes to its end, and leaves nothing.
    End,
    /// 6. The files agree with the objects, and with an undisturbed run's.
    Results,
    /// 7. No panic; bounded calls.
    Sound,
}

/// Something that happened.
enum Step<'a> {
    Change(&'a Change),
    Effect(&'a Effect),
    Reading(&'a Reading),
}

/// Everything that is wrong.
pub struct Findings(Vec<String>);

impl Findings {
    /// Notes something.
    pub fn add(&mut self, at: Duration, which: Invariant, what: String) {
        self.0.push(format!(
            "{} {which:?}, at {:.3}s: {what}",
            which as u8 + 1,
            at.as_secs_f64()
        ));
    }
}

/// Goes through everything that happened; says what is wrong.
pub fn judge(world: &World, plot: &Plot, in_time: bool) -> Vec<String> {
    let (changes, effects, readings) = (
        world.cluster.changes(),
        world.buckets.effects(),
        world.cluster.readings(),
    );
    let mut steps: Vec<(u64, Step<'_>)> = Vec::with_capacity(changes.len() + effects.len() + readings.len());
    steps.extend(changes.iter().map(|c| (c.step, Step::Change(c))));
    steps.extend(effects.iter().map(|e| (e.step, Step::Effect(e))));
    steps.extend(readings.iter().map(|r| (r.step, Step::Reading(r))));
    steps.sort_by_key(|(step, _)| *step);

    let mut findings = Findings(Vec::new());
    let asked = world.buckets.records().into_iter();
    let hidden = asked
        .filter(|r| matches!(r.trouble, Some(Trouble::Stale(_))))
        .map(|r| r.key);
    let asked = world.cluster.records().into_iter();
    let refused = asked
        .filter(|r| r.plural == "workflows" && r.trouble == Some(Trouble::Refuse(422)))
        .filter_map(|r| Some(r.body["metadata"]["name"].as_str()?.to_owned()));
    let mut seen = Seen::new(plot, hidden.collect(), refused.collect());
    for (_, step) in steps {
        match step {
            Step::Reading(reading) => seen.read(reading),
            Step::Effect(effect) => {
                if effect.by > 0 {
                    files::check(&seen, effect, &mut findings);
                }
                seen.written(effect);
            }
            Step::Change(change) => {
                runs::check(&seen, change, &mut findings);
                outcomes::check(&seen, change, &mut findings);
                seen.changed(change);
            }
        }
    }
    end::check(world, plot, &seen, in_time, &mut findings);
    findings.0
}
