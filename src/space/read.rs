//! Configurations in and out: as users write them, as the ledger holds them.

use serde_json::Value;

use super::{
    Axis, Config, Slot, Space,
    condition::{Condition, unknown},
};
use crate::api::{FieldErrors, ParameterMap};

impl Space {
    /// Reads a configuration that somebody wrote: fills what is left out with defaults, drops nothing, and names what is unknown, missing, out of range, inactive but given, or against a constraint.
    ///
    /// # Errors
    /// Everything that is wrong, paths starting with the parameter's name (for a constraint, that of the first parameter it reads).
    pub fn read(&self, parameters: &ParameterMap) -> Result<Config, FieldErrors> {
        let mut errors = FieldErrors::default();
        for name in parameters.keys() {
            if self.slot(name).is_none() {
                errors.push(name.as_str(), unknown(name, &self.names));
            }
        }
        // None: not known, because something is wrong with it
        let mut slots: Vec<Option<Slot>> = vec![None; self.axes.len()];
        let free = (0..self.axes.len()).filter(|slot| !self.conditions.iter().any(|(with, _)| with == slot));
        let all: Vec<(usize, Option<&Condition>)> = free
            .map(|slot| (slot, None))
            .chain(self.conditions.iter().map(|(slot, condition)| (*slot, Some(condition))))
            .collect();
        for (at, condition) in all {
            let (Some(axis), Some(parameter)) = (self.axes.get(at), self.parameters.get(at)) else {
                continue;
            };
            let given = parameters.get(&parameter.name);
            let active = condition.map_or(Some(true), |condition| self.active(condition, &slots));
            let slot = match value(axis, given, parameter.default.as_ref(), active, condition) {
                Ok(slot) => slot,
                Err(message) => {
                    errors.push(parameter.name.as_str(), message);
                    None
                }
            };
            if let Some(place) = slots.get_mut(at) {
                *place = slot;
            }
        }
        let config: Option<Box<[Slot]>> = slots.into_iter().collect();
        match config.map(Config) {
            Some(config) if errors.0.is_empty() => {
                self.check_constraints(&config, &mut errors);
                errors.or_ok(config)
            }
            _ => Err(errors),
        }
    }

    /// Whether a parameter with that condition is active; `None` where that depends on what is not known.
    fn active(&self, condition: &Condition, slots: &[Option<Slot>]) -> Option<bool> {
        for &read in condition.reads() {
            slots.get(read).copied().flatten()?;
        }
        let known: Vec<Slot> = slots.iter().map(|slot| slot.unwrap_or(Slot::Inactive)).collect();
        Some(self.holds(condition, &known))
    }

    fn check_constraints(&self, config: &Config, errors: &mut FieldErrors) {
        for constraint in &self.constraints {
            if constraint.evaluate(self, &config.0).is_none_or(|said| said == Ok(true)) {
                continue;
            }
            let first = constraint
                .reads()
                .iter()
                .min()
                .and_then(|&slot| self.parameters.get(slot));
            let values = constraint.fields(self, &config.0).unwrap_or_default();
            errors.push(
                first.map_or("", |parameter| &parameter.name),
                format!("{values} breaks the constraint `{}`", constraint.source()),
            );
        }
    }

    /// The value of the parameter with that slot; `None` where it is not one of its values.
    pub fn value_of(&self, slot: usize, value: &Value) -> Option<Slot> {
        self.axes.get(slot)?.parse(value)
    }

    /// The slot of the parameter with that name.
    pub fn slot(&self, name: &str) -> Option<usize> {
        let at = self
            .names
            .binary_search_by(|(known, _)| known.as_str().cmp(name))
            .ok()?;
        self.names.get(at).map(|&(_, slot)| slot)
    }

    /// Reads a configuration as [`Space::write`] wrote it. Quick: the ledger calls it for each trial.
    /// `None` where it is not one of this space; that what is there is what the conditions allow is taken for granted.
    pub fn parse(&self, parameters: &ParameterMap) -> Option<Config> {
        let mut slots = vec![Slot::Inactive; self.axes.len()].into_boxed_slice();
        let mut found = 0;
        // both in alphabetical order
        let mut given = parameters.iter().peekable();
        for (name, slot) in &self.names {
            if let Some((_, value)) = given.next_if(|(given, _)| *given == name) {
                *slots.get_mut(*slot)? = self.axes.get(*slot)?.parse(value)?;
                found += 1;
            } else {
                self.parameters.get(*slot)?.when.as_ref()?;
            }
        }
        (found == parameters.len()).then_some(Config(slots))
    }

    /// The configuration as users see it; inactive parameters are absent.
    pub fn write(&self, config: &Config) -> ParameterMap {
        self.names
            .iter()
            .filter_map(|(name, slot)| {
                let value = self.axes.get(*slot)?.write(*config.0.get(*slot)?)?;
                Some((name.clone(), value))
            })
            .collect()
    }
}

/// The slot of one parameter in what somebody wrote; `None` where it depends on what is wrong elsewhere.
fn value(
    axis: &Axis,
    given: Option<&Value>,
    default: Option<&Value>,
    active: Option<bool>,
    condition: Option<&Condition>,
) -> Result<Option<Slot>, String> {
    match (given, active) {
        (Some(_), Some(false)) => Err(format!(
            "is inactive here, as its condition `{}` does not hold: leave it out",
            condition.map_or("", Condition::source)
        )),
        (Some(given), _) => axis.read(given).map(Some),
        (None, Some(false)) => Ok(Some(Slot::Inactive)),
        (None, None) => Ok(None),
        (None, Some(true)) => match (axis, default) {
            (Axis::Constant(_), _) => Ok(Some(Slot::Constant)),
            (axis, Some(default)) => axis.read(default).map(Some),
            (_, None) => Err("is missing and has no default: give it".to_owned()),
        },
    }
}
