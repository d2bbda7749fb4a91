//! The configurations that differ from one in a single parameter.

use crate::{
    api::Parameter,
    space::{Config, Slot, Space},
};

/// Of what lies at 0, which no factor moves, a step goes this part of the range for a factor of 2 (or, down, of 0).
const FROM_ZERO: f64 = 0.5;

/// A configuration that differs from another in one parameter (and in what depends on that one's condition).
#[derive(Debug)]
pub(super) struct Neighbour {
    pub(super) config: Config,
    /// The parameter's slot.
    pub(super) slot: usize,
    /// Whether its value rises; of a categorical one, its index.
    pub(super) rises: bool,
}

/// The neighbours of `config`, numbers multiplied by the factors to that power, ordinals moved by that many.
pub(super) fn neighbours(space: &Space, config: &Config, factors: &[f64], power: i32) -> Vec<Neighbour> {
    let mut found: Vec<Neighbour> = Vec::new();
    for (slot, (parameter, &value)) in space.parameters().iter().zip(&config.0).enumerate() {
        for (changed, rises) in changes(space, slot, parameter, value, factors, power) {
            let complete = with(space, config, slot, changed);
            if complete != *config && !found.iter().any(|one| one.slot == slot && one.config == complete) {
                let config = complete;
                found.push(Neighbour { config, slot, rises });
            }
        }
    }
    found
}

/// `config` with another value in one slot; parameters that become active by that are in the middle, or at their least value.
fn with(space: &Space, config: &Config, slot: usize, value: Slot) -> Config {
    let slots: Vec<Slot> = config
        .0
        .iter()
        .enumerate()
        .map(|(at, &old)| match old {
            _ if at == slot => value,
            Slot::Inactive => default(space, at),
            old => old,
        })
        .collect();
    space.configuration(&slots)
}

/// A parameter's default, else its middle.
fn default(space: &Space, slot: usize) -> Slot {
    let given = space
        .parameters()
        .get(slot)
        .and_then(|parameter| parameter.default.as_ref());
    given
        .and_then(|value| space.value(slot, value))
        .unwrap_or_else(|| space.value_at(slot, 0.5))
}

/// The values that one parameter may change to, and whether they lie higher.
fn changes(
    space: &Space,
    slot: usize,
    parameter: &Parameter,
    value: Slot,
    factors: &[f64],
    power: i32,
) -> Vec<(Slot, bool)> {
    let count = space.count(slot);
    match (value, count) {
        (Slot::Inactive | Slot::Constant, _) => Vec::new(),
        (Slot::Choice(index), Some(count)) if parameter.categorical.is_some() => {
            let others = (0..count).filter(|&other| other != u64::from(index));
            others
                .map(|other| (space.nth(slot, other), other > u64::from(index)))
                .collect()
        }
        (Slot::Choice(index), Some(count)) => {
            let (index, far) = (u64::from(index), power.unsigned_abs().into());
            let lower = index.checked_sub(far).map(|other| (other, false));
            let upper = Some((index + far, true)).filter(|(other, _)| *other < count);
            lower
                .into_iter()
                .chain(upper)
                .map(|(other, rises)| (space.nth(slot, other), rises))
                .collect()
        }
        (number, count) => {
            let factors = factors.iter().map(|factor| factor.powi(power));
            let scaled = |factor| match count {
                Some(count) => stepped(space, slot, parameter, number, count, factor),
                None => continuous(space, slot, parameter, number, factor),
            };
            factors.filter_map(scaled).collect()
        }
    }
}

/// A number with step times `factor`: the nearest value within the range, or where that is the same one, the next in the factor's direction.
fn stepped(
    space: &Space,
    slot: usize,
    parameter: &Parameter,
    number: Slot,
    count: u64,
    factor: f64,
) -> Option<(Slot, bool)> {
    let index = space.position(slot, number)?;
    let (value, least, step) = match number {
        Slot::Int(value) => {
            let int = parameter.int.as_ref()?;
            (value as f64, int.min as f64, int.step.unwrap_or(1) as f64)
        }
        Slot::Double(value) => {
            let double = parameter.double.as_ref()?;
            (value, double.min?, double.step?)
        }
        _ => return None,
    };
    let rises = rises(value, factor);
    // `as` saturates at the ends
    let target = (((value * factor - least) / step).round() as u64).min(count - 1);
    let target = match (target == index, rises) {
        (false, _) => target,
        (true, true) => index + 1,
        (true, false) => index.checked_sub(1)?,
    };
    (target < count).then(|| (space.nth(slot, target), rises))
}

/// A number without step times `factor`, within the range.
fn continuous(space: &Space, slot: usize, parameter: &Parameter, number: Slot, factor: f64) -> Option<(Slot, bool)> {
    let Slot::Double(value) = number else { return None };
    let double = parameter.double.as_ref()?;
    let rises = rises(value, factor);
    if value == 0.0 {
        return Some((from_zero(space, slot, number, factor), rises));
    }
    let low = double.min.unwrap_or(-f64::MAX);
    let high = double.max.unwrap_or(f64::MAX);
    let target = (value * factor).clamp(low, high) + 0.0;
    (target != value).then_some((Slot::Double(target), rises))
}

/// A step away from 0.
fn from_zero(space: &Space, slot: usize, zero: Slot, factor: f64) -> Slot {
    let unit = space.unit(slot, zero) + FROM_ZERO * (factor - 1.0);
    space.value_at(slot, unit.clamp(0.0, 1.0))
}

/// Whether a number gets greater by a factor; 0 as if it were above.
fn rises(value: f64, factor: f64) -> bool {
    (factor > 1.0) == (value >= 0.0)
}
