//! Local search: from the best configuration so far, one parameter is changed at a time, as SHERPA's does
//! (Hertel et al., "Sherpa: Robust Hyperparameter Optimization for Machine Learning", SoftwareX 2020), with random restarts.

mod neighbours;
mod record;
#[cfg(test)]
mod tests;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Context, Name, Observation, Sampler, Settings, Suggestion, random::Random, unused::Unused};
use crate::{
    api::{Duplicates, FieldErrors, LocalSearchSampler},
    space::{Config, Space},
};
use neighbours::{Neighbour, neighbours};
use record::Record;

/// What a number is multiplied by, where nothing is said.
const FACTORS: [f64; 2] = [0.8, 1.2];

/// The highest power of the factors.
const FARTHEST: i32 = 3;

/// How many random configurations are drawn for a restart in search of one that is feasible.
const DRAWS: usize = 100;

/// Local search.
#[derive(Debug)]
struct LocalSearch {
    name: Name,
    start: Config,
    factors: Vec<f64>,
    repeats: usize,
}

impl Settings for LocalSearchSampler {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        let mut errors = FieldErrors::default();
        let start = match &self.start {
            Some(start) => space.read(start).unwrap_or_else(|wrong| {
                errors.extend_below("start", wrong);
                middle(space)
            }),
            None => space.defaults().unwrap_or_else(|| middle(space)),
        };
        let factors = self.factors.clone().unwrap_or_else(|| FACTORS.to_vec());
        if !(1..=16).contains(&factors.len()) {
            errors.push("factors", format!("has {} numbers: give 1 to 16", factors.len()));
        }
        for (i, factor) in factors.iter().enumerate() {
            if !(factor.is_finite() && *factor > 0.0) {
                errors.push(
                    format!("factors[{i}]"),
                    format!("{factor:?} is not a finite number above 0"),
                );
            } else if *factor == 1.0 {
                errors.push(format!("factors[{i}]"), "1 changes nothing: leave it out");
            }
        }
        let repeats = self.repeats.unwrap_or(1);
        if !(1..=100).contains(&repeats) {
            errors.push("repeats", format!("{repeats} is not between 1 and 100"));
        }
        errors.or_ok(Box::new(LocalSearch {
            name,
            start,
            factors,
            repeats: repeats as usize,
        }))
    }

    fn suits(&self, duplicates: Duplicates) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::default();
        let repeats = self.repeats.filter(|&repeats| repeats > 1);
        if let (Some(repeats), Duplicates::Avoid) = (repeats, duplicates) {
            let why = "a configuration cannot be run again where duplicates are avoided";
            errors.push("repeats", format!("is {repeats}, and {why}: set `duplicates: Allow`"));
        }
        errors.or_ok(())
    }
}

/// The defaults of what has one, the middle of the rest; where that is not one of the space's configurations, the middle of all.
fn middle(space: &Space) -> Config {
    let middle = space.decode(&vec![0.5; space.dimensions()]);
    let mut written = space.write(&middle);
    for parameter in space.parameters() {
        if let (Some(default), Some(value)) = (&parameter.default, written.get_mut(&parameter.name)) {
            *value = default.clone();
        }
    }
    written.retain(|name, _| {
        let constant = |slot: usize| {
            space
                .parameters()
                .get(slot)
                .is_some_and(|parameter| parameter.constant.is_some())
        };
        !space.slot(name).is_some_and(constant)
    });
    space.read(&written).unwrap_or(middle)
}

impl Sampler for LocalSearch {
    /// The start first, then what has to be repeated, then a neighbour of the best: while it has any left that was not tried, with the factors themselves, then with
    /// their squares and cubes. When there are none, the search begins anew at a random configuration, until something better than all is found.
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let index = self.name.next_index(history);
        let mut unused = Unused::new(context, history);
        let record = Record::new(self, history);
        if !unused.is_tried(&self.start) && context.space.is_feasible(&self.start) {
            return self.name.proposal(self.start.clone(), index);
        }
        if context.duplicates == Duplicates::Allow
            && let Some(config) = record.to_repeat(self.repeats)
        {
            return self.name.proposal(config.clone(), index);
        }
        let mut rng = context.rng(context.number.into());
        let best = record.best();
        let config = best.and_then(|best| self.neighbour(context, &record, best, &mut unused, &mut rng));
        let config = config.or_else(|| {
            let base = record.since(|index, config| self.restart(context, index).contains(config));
            let base = base.filter(|base| Some(*base) != best)?;
            self.neighbour(context, &record, base, &mut unused, &mut rng)
        });
        let config = config.or_else(|| {
            let mut drawn = self.restart(context, index).into_iter();
            drawn.find(|config| unused.allows(config) && !unused.is_tried(config))
        });
        match config {
            Some(config) => self.name.proposal(config, index),
            None => Random(self.name).suggest(context, history),
        }
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        Random(self.name).is_finite(space, duplicates)
    }
}

impl LocalSearch {
    /// A neighbour of `base` that was not tried: of the nearest ones, with the parameter that the fewest running trials change, and in the direction that made `base`
    /// itself better than the one before, if that is among them. Beside each that is under way the next goes one power farther, then again near: of many steps at the same
    /// time only one is built upon, so it had better be a long one where that is good.
    fn neighbour(
        &self,
        context: &Context<'_>,
        record: &Record<'_>,
        base: &Config,
        unused: &mut Unused<'_>,
        rng: &mut ChaCha8Rng,
    ) -> Option<Config> {
        let base = &completed(context.space, base, &self.start);
        let busy = record.busy(base);
        let under_way: usize = busy.iter().sum();
        let first = 1 + (under_way % FARTHEST as usize) as i32;
        for power in (first..=FARTHEST).chain(1..first) {
            let mut found: Vec<Neighbour> = neighbours(context.space, base, &self.factors, power)
                .into_iter()
                .filter(|one| !unused.is_tried(&one.config) && unused.allows(&one.config))
                .collect();
            // by chance among equals
            for i in (1..found.len()).rev() {
                found.swap(i, rng.random_range(0..=i));
            }
            let heading = record.heading(context.space, base);
            let chosen = found.into_iter().min_by_key(|one| {
                let is_ahead = heading == Some((one.slot, one.rises));
                (busy.get(one.slot).copied().unwrap_or(0), !is_ahead)
            });
            if let Some(chosen) = chosen {
                return Some(chosen.config);
            }
        }
        None
    }

    /// The configurations that a restart at that position tries, up to the first feasible one. They follow from seed and position,
    /// so a trial that is one of them is known as a restart later.
    fn restart(&self, context: &Context<'_>, index: u64) -> Vec<Config> {
        let stage = self.name.stage.map_or(0, |stage| u64::from(stage) + 1);
        let mut rng = context.rng(1 << 60 | stage << 40 | index);
        let mut drawn = Vec::new();
        let mut unit = vec![0.0; context.space.dimensions()];
        for _ in 0..DRAWS {
            unit.fill_with(|| rng.random());
            let config = context.space.decode(&unit);
            if context.space.is_feasible(&config) {
                drawn.push(config);
                break;
            }
        }
        drawn
    }
}

/// `config` with what it lacks (an earlier study may not have had the parameter) as in `start`, else in the middle; conditions decide what is inactive.
fn completed(space: &Space, config: &Config, start: &Config) -> Config {
    let active = |slot: &crate::space::Slot| slot.is_active();
    let slots: Vec<_> = (0..space.parameters().len())
        .map(|slot| {
            let own = config.0.get(slot).copied().filter(active);
            let other = || start.0.get(slot).copied().filter(active);
            own.or_else(other).unwrap_or_else(|| space.value_at(slot, 0.5))
        })
        .collect();
    space.configuration(&slots)
}
