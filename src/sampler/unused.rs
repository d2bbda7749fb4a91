//! Which configurations may still be proposed.

use std::{cell::OnceCell, collections::HashSet};

use super::{Context, Observation};
use crate::{
    api::Duplicates,
    space::{Config, Slot, Space},
};

/// From this many looks on, a hash set is worth building.
const LOOKS: usize = 4;

/// The largest space that is enumerated for what is left of it.
const SMALL: u128 = 100_000;

/// How many proposals in a row may be unusable before what is left of a small space is enumerated.
const PATIENCE: u64 = 1_000;

/// How many proposals in a row may be unusable in any other space.
const TRIES: u64 = 10_000;

/// Tells which configurations are of use: feasible and, where duplicates are avoided, not in the history.
pub(super) struct Unused<'a> {
    space: &'a Space,
    avoid: bool,
    history: &'a [Observation<'a>],
    looks: usize,
    set: OnceCell<HashSet<&'a Config>>,
}

impl<'a> Unused<'a> {
    pub(super) fn new(context: &Context<'a>, history: &'a [Observation<'a>]) -> Self {
        Self {
            space: context.space,
            avoid: context.duplicates == Duplicates::Avoid,
            history,
            looks: 0,
            set: OnceCell::new(),
        }
    }

    /// Whether `config` may be proposed.
    pub(super) fn allows(&mut self, config: &Config) -> bool {
        !(self.avoid && self.is_tried(config)) && self.space.is_feasible(config)
    }

    /// Whether the history has `config`.
    pub(super) fn is_tried(&mut self, config: &Config) -> bool {
        self.looks += 1;
        if self.looks <= LOOKS {
            return self.history.iter().any(|trial| trial.config == config);
        }
        self.set
            .get_or_init(|| self.history.iter().map(|trial| trial.config).collect())
            .contains(config)
    }

    /// Whether what is left can be enumerated, should proposals run dry.
    fn is_enumerable(&self) -> bool {
        self.avoid && self.space.cardinality().is_some_and(|count| count <= SMALL)
    }

    /// How many proposals to try before giving up, or before [`Unused::left`] is asked.
    pub(super) fn tries(&self) -> u64 {
        if self.is_enumerable() { PATIENCE } else { TRIES }
    }

    /// All configurations that may still be proposed, each once, in the order of their values; none where the space is not small or duplicates are not avoided.
    pub(super) fn left(&mut self) -> Vec<Config> {
        if !self.is_enumerable() {
            return Vec::new();
        }
        let counts: Vec<u64> = (0..self.space.parameters().len())
            .map_while(|slot| self.space.count(slot))
            .collect();
        let space = self.space;
        let points = Digits::new(counts);
        points
            .filter_map(|digits| distinct(space, &digits, |slot, digit| space.nth(slot, digit)))
            .filter(|config| self.allows(config))
            .collect()
    }
}

/// The configuration with the `digits[slot]`-th value in each slot, unless another combination of digits stands for the same one:
/// inactive parameters have no say, so only their first value counts.
pub(super) fn distinct(space: &Space, digits: &[u64], value: impl Fn(usize, u64) -> Slot) -> Option<Config> {
    let slots: Vec<Slot> = digits
        .iter()
        .enumerate()
        .map(|(slot, &digit)| value(slot, digit))
        .collect();
    let config = space.configuration(&slots);
    let counts = config
        .0
        .iter()
        .zip(digits)
        .all(|(slot, &digit)| digit == 0 || slot.is_active());
    counts.then_some(config)
}

/// All combinations of digits, the last one fastest.
pub(super) struct Digits {
    counts: Vec<u64>,
    next: Option<Vec<u64>>,
}

impl Digits {
    /// Digits below `counts`, each above 0, from all zeros on.
    pub(super) fn new(counts: Vec<u64>) -> Self {
        Self {
            next: Some(vec![0; counts.len()]),
            counts,
        }
    }

    /// From the combination with that place in the order on; empty where there are not so many.
    pub(super) fn from(counts: Vec<u64>, mut place: u64) -> Self {
        let mut digits = vec![0; counts.len()];
        for (digit, &count) in digits.iter_mut().zip(&counts).rev() {
            *digit = place % count.max(1);
            place /= count.max(1);
        }
        Self {
            next: (place == 0).then_some(digits),
            counts,
        }
    }
}

impl Iterator for Digits {
    type Item = Vec<u64>;

    fn next(&mut self) -> Option<Vec<u64>> {
        let current = self.next.take()?;
        let mut following = current.clone();
        for (digit, &count) in following.iter_mut().zip(&self.counts).rev() {
            *digit += 1;
            if *digit < count {
                self.next = Some(following);
                break;
            }
            *digit = 0;
        }
        Some(current)
    }
}
