//! What the history says of each configuration.

use std::collections::HashMap;

use super::LocalSearch;
use crate::{
    sampler::{Observation, Outcome},
    space::{Config, Slot, Space},
};

/// All trials of one configuration.
#[derive(Clone, Debug)]
struct Trials<'a> {
    config: &'a Config,
    /// How many there are.
    count: usize,
    /// How many are running.
    running: usize,
    /// How many gave a value.
    values: usize,
    sum: f64,
    /// The position of the first one that this sampler proposed.
    index: Option<u64>,
    is_complete: bool,
}

impl Trials<'_> {
    /// The mean of its values; infinite where it has failed each time.
    fn mean(&self) -> f64 {
        let mean = self.sum / self.values as f64;
        // of no values, or of both infinities
        if mean.is_nan() { f64::INFINITY } else { mean }
    }
}

/// The history by configurations, in the order of their first trials.
#[derive(Debug)]
pub(super) struct Record<'a>(Vec<Trials<'a>>);

impl<'a> Record<'a> {
    pub(super) fn new(search: &LocalSearch, history: &[Observation<'a>]) -> Self {
        let mut places: HashMap<&Config, usize> = HashMap::with_capacity(history.len());
        let mut all: Vec<Trials<'a>> = Vec::with_capacity(history.len());
        for trial in history {
            let place = *places.entry(trial.config).or_insert(all.len());
            if place == all.len() {
                all.push(Trials {
                    config: trial.config,
                    count: 0,
                    running: 0,
                    values: 0,
                    sum: 0.0,
                    index: None,
                    is_complete: false,
                });
            }
            let Some(of) = all.get_mut(place) else { continue };
            of.count += 1;
            match trial.outcome {
                Outcome::Pending => of.running += 1,
                Outcome::Value(value) if value < f64::INFINITY => {
                    of.values += 1;
                    of.sum += value;
                }
                Outcome::Failed | Outcome::Value(_) => {}
            }
            if search.name.proposed(trial.origin) {
                of.index = of.index.or(trial.origin.index);
            }
            of.is_complete = of.count - of.running >= search.repeats;
        }
        Self(all)
    }

    /// The first configuration that this sampler proposed and that has not been run `repeats` times.
    pub(super) fn to_repeat(&self, repeats: usize) -> Option<&'a Config> {
        let own = self.0.iter().filter(|trials| trials.index.is_some());
        own.filter(|trials| trials.count < repeats)
            .map(|trials| trials.config)
            .next()
    }

    /// The configuration with the least mean of those that have been run often enough; while there is none, the first one.
    pub(super) fn best(&self) -> Option<&'a Config> {
        least(self.0.iter())
    }

    /// The same among those that this sampler has proposed since its last restart; `None` where there was none.
    pub(super) fn since(&self, is_restart: impl Fn(u64, &Config) -> bool) -> Option<&'a Config> {
        let own = self
            .0
            .iter()
            .enumerate()
            .filter_map(|(at, trials)| Some((at, trials.index?, trials.config)));
        let last = own.rev().find(|(_, index, config)| is_restart(*index, config));
        let (at, ..) = last?;
        least(self.0.iter().skip(at).filter(|trials| trials.index.is_some()))
    }

    /// For each slot, how many configurations are running that differ from `base` in nothing else.
    pub(super) fn busy(&self, base: &Config) -> Vec<usize> {
        let mut busy = vec![0; base.0.len()];
        for trials in self.0.iter().filter(|trials| trials.running > 0) {
            if let Some((slot, _)) = difference(base, trials.config)
                && let Some(busy) = busy.get_mut(slot)
            {
                *busy += 1;
            }
        }
        busy
    }

    /// The slot in which `base` differs from the best of those before it, and whether it lies higher there; `None` where it differs in more than one.
    pub(super) fn heading(&self, space: &Space, base: &Config) -> Option<(usize, bool)> {
        let before = self.0.iter().take_while(|trials| trials.config != base);
        let former = before
            .filter(|trials| trials.is_complete)
            .min_by(|a, b| a.mean().total_cmp(&b.mean()))?;
        let (slot, value) = difference(former.config, base)?;
        let old = former.config.0.get(slot).copied()?;
        Some((slot, space.unit(slot, value) > space.unit(slot, old)))
    }
}

/// The least mean of complete ones, the first of equals; else the first one.
fn least<'a, 'b>(among: impl Iterator<Item = &'b Trials<'a>> + Clone) -> Option<&'a Config>
where
    'a: 'b,
{
    let first = among.clone().next();
    let complete = among.filter(|trials| trials.is_complete);
    let best = complete.min_by(|a, b| a.mean().total_cmp(&b.mean()));
    best.or(first).map(|trials| trials.config)
}

/// The only slot that both have, with different values, and the other's value there; parameters that one of them lacks do not count.
fn difference(base: &Config, other: &Config) -> Option<(usize, Slot)> {
    let mut differing = base
        .0
        .iter()
        .zip(&other.0)
        .enumerate()
        .filter(|(_, (a, b))| a != b && a.is_active() && b.is_active());
    let (slot, (_, value)) = differing.next()?;
    differing.next().is_none().then_some((slot, *value))
}
