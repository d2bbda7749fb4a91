//! The search space: parameters with their bounds, scales and conditions, and the way between configurations and the unit cube.
//!
//! Pure: no clients, no clocks, no randomness.

mod axis;
mod bins;
mod choices;
mod compile;
mod condition;
mod config;
mod declare;
mod lattice;
mod normal;
mod probe;
mod read;
#[cfg(test)]
mod tests;

use axis::Axis;
use condition::Condition;
pub use config::{Config, Slot};

use crate::api::Parameter;

/// A compiled search space: everything in it has been checked.
///
/// Has one *slot* for each parameter, in declared order, and one *dimension* of the unit cube for each parameter that is not constant, in the same order.
#[derive(Debug)]
pub struct Space {
    parameters: Box<[Parameter]>,
    axes: Box<[Axis]>,
    /// Every name with its slot, in alphabetical order.
    names: Box<[(String, usize)]>,
    dimensions: usize,
    /// The conditions of the slots that have one, each after those that it depends on.
    conditions: Box<[(usize, Condition)]>,
    constraints: Box<[Condition]>,
    cardinality: Option<u128>,
    defaults: Option<Config>,
}

impl Space {
    /// The parameters, in declared order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// How many dimensions the unit cube has: one for each parameter that is not constant.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The configuration at `unit` (one number in [0, 1] for each dimension); parameters whose condition does not hold there are inactive.
    /// A number that is missing counts as 0.5; one outside [0, 1] as the end nearest to it.
    pub fn decode(&self, unit: &[f64]) -> Config {
        let mut units = unit.iter();
        self.configure(|axis| match axis {
            Axis::Constant(_) => Slot::Constant,
            axis => axis.decode(units.next().copied().unwrap_or(0.5)),
        })
    }

    /// Writes the place of `config` in the unit cube to `unit`: one number in [0, 1] for each dimension, 0.5 for inactive ones.
    /// `decode` of it gives `config` again: exactly for everything but a `double` strictly inside its range without step, and there to within rounding
    /// (of a normal distribution without bounds, what is farther than 8 standard deviations from the mean comes back at 8).
    pub fn encode(&self, config: &Config, unit: &mut [f64]) {
        let mut units = unit.iter_mut();
        for (axis, slot) in self.axes.iter().zip(&config.0) {
            if matches!(axis, Axis::Constant(_)) {
                continue;
            }
            if let Some(unit) = units.next() {
                *unit = axis.encode(*slot);
            }
        }
    }

    /// Whether `config` meets all constraints. One that reads an inactive parameter is met; one that cannot be evaluated is not.
    pub fn is_feasible(&self, config: &Config) -> bool {
        self.constraints
            .iter()
            .all(|constraint| constraint.evaluate(self, &config.0).is_none_or(|said| said == Ok(true)))
    }

    /// How many configurations there are at most (conditions and constraints are not looked at, overflow saturates); `None` where there is no end of them.
    pub fn cardinality(&self) -> Option<u128> {
        self.cardinality
    }

    /// The configuration of all defaults, where every active parameter has one (a constant counts as having one) and it meets the constraints.
    pub fn defaults(&self) -> Option<Config> {
        self.defaults.clone()
    }

    /// How many values the parameter with that slot has; `None` where there is no end of them (or no such slot).
    pub fn count(&self, slot: usize) -> Option<u64> {
        self.axes.get(slot)?.count()
    }

    /// The value, by its index from 0 in the parameter's own order, of the parameter with that slot;
    /// the last one for any index beyond. Of a parameter without [`Space::count`], the least value.
    pub fn nth(&self, slot: usize, index: u64) -> Slot {
        self.axes.get(slot).map_or(Slot::Inactive, |axis| axis.nth(index))
    }

    /// The value at `unit` in [0, 1] of the parameter with that slot.
    pub fn value_at(&self, slot: usize, unit: f64) -> Slot {
        self.axes.get(slot).map_or(Slot::Inactive, |axis| axis.decode(unit))
    }

    /// The index from 0 of a value of the parameter with that slot; `None` where it has no [`Space::count`] or the value is not one of its own.
    pub fn position(&self, slot: usize, value: Slot) -> Option<u64> {
        self.axes.get(slot)?.position(value)
    }

    /// The part of [0, 1] that stands for the value with that index of the parameter with that slot; `None` where there is no such value or no [`Space::count`].
    pub fn bin(&self, slot: usize, index: u64) -> Option<(f64, f64)> {
        self.axes.get(slot)?.bin(index)
    }

    /// The place in [0, 1] of a value of the parameter with that slot; 0.5 where it is not one of its own.
    pub fn unit(&self, slot: usize, value: Slot) -> f64 {
        self.axes.get(slot).map_or(0.5, |axis| axis.encode(value))
    }

    /// The value of the parameter with that slot that JSON gives; `None` where it is not one of its own.
    pub fn value(&self, slot: usize, json: &serde_json::Value) -> Option<Slot> {
        self.axes.get(slot)?.parse(json)
    }

    /// The configuration with these slots, those inactive whose conditions do not hold among them. Missing slots are inactive.
    pub fn configuration(&self, slots: &[Slot]) -> Config {
        let mut slots = slots.iter();
        self.configure(|_| slots.next().copied().unwrap_or(Slot::Inactive))
    }

    /// Whether every parameter that is active by its condition has a value in `config`: what an earlier study ran may lack some.
    pub fn is_complete(&self, config: &Config) -> bool {
        let condition = |slot: usize| self.conditions.iter().find(|(with, _)| *with == slot);
        config.0.len() == self.axes.len()
            && config.0.iter().enumerate().all(|(at, slot)| {
                slot.is_active() || condition(at).is_some_and(|(_, condition)| !self.holds(condition, &config.0))
            })
    }

    /// A configuration from a value for each slot, in order; conditions decide what is inactive.
    fn configure(&self, value: impl FnMut(&Axis) -> Slot) -> Config {
        let mut slots: Box<[Slot]> = self.axes.iter().map(value).collect();
        for (at, condition) in &self.conditions {
            if !self.holds(condition, &slots)
                && let Some(slot) = slots.get_mut(*at)
            {
                *slot = Slot::Inactive;
            }
        }
        Config(slots)
    }

    /// Whether a parameter with that condition is active: not if the condition reads an inactive parameter or cannot be evaluated.
    fn holds(&self, condition: &Condition, slots: &[Slot]) -> bool {
        condition.evaluate(self, slots) == Some(Ok(true))
    }
}
