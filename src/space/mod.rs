//! The search space: parameters with their bounds, scales and conditions, and the way between configurations and the unit cube.
//!
//! Pure: no clients, no clocks, no randomness.

use crate::api::{FieldErrors, Parameter, ParameterMap};

/// A compiled search space: everything in it has been checked.
///
/// Has one *slot* for each parameter, in declared order, and one *dimension* of the unit cube for each parameter that is not constant, in the same order.
#[derive(Debug)]
pub struct Space {}

/// One parameter's value in a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slot {
    /// Its condition does not hold: absent from the configuration.
    Inactive,
    /// Of a `double`.
    Double(f64),
    /// Of an `int`.
    Int(i64),
    /// Of an `ordinal` or `categorical`: the index of the value.
    Choice(u32),
    /// Of a `constant`.
    Constant,
}

/// A configuration of one particular [`Space`]: a slot for each parameter, in declared order.
/// Two are equal when each slot is equal, bit for bit (`-0.0` is stored as `0.0`).
#[derive(Clone, Debug, PartialEq)]
pub struct Config(pub Box<[Slot]>);

impl Space {
    /// Checks and compiles parameters and constraints. Paths of errors start with `parameters[i]` or `constraints[i]`.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn compile(_parameters: &[Parameter], _constraints: &[String]) -> Result<Self, FieldErrors> {
        todo!()
    }

    /// The parameters, in declared order.
    pub fn parameters(&self) -> &[Parameter] {
        todo!()
    }

    /// How many dimensions the unit cube has: one for each parameter that is not constant.
    pub fn dimensions(&self) -> usize {
        todo!()
    }

    /// The configuration at `unit` (one number in [0, 1] for each dimension); parameters whose condition does not hold there are inactive.
    pub fn decode(&self, _unit: &[f64]) -> Config {
        todo!()
    }

    /// Writes the place of `config` in the unit cube to `unit`: one number in [0, 1] for each dimension, 0.5 for inactive ones.
    /// `decode` of it gives `config` again: exactly for everything but a `double` strictly inside its range without step, and there to within rounding.
    pub fn encode(&self, _config: &Config, _unit: &mut [f64]) {
        todo!()
    }

    /// Whether `config` meets all constraints.
    pub fn is_feasible(&self, _config: &Config) -> bool {
        todo!()
    }

    /// Reads a configuration that somebody wrote: fills what is left out with defaults, drops nothing, and names what is unknown, missing, out of range, inactive but given, or against a constraint.
    ///
    /// # Errors
    /// Everything that is wrong, paths starting with the parameter's name.
    pub fn read(&self, _parameters: &ParameterMap) -> Result<Config, FieldErrors> {
        todo!()
    }

    /// Reads a configuration as [`Space::write`] wrote it. Quick: the ledger calls it for each trial.
    /// `None` where it is not one of this space.
    pub fn parse(&self, _parameters: &ParameterMap) -> Option<Config> {
        todo!()
    }

    /// The configuration as users see it; inactive parameters are absent.
    pub fn write(&self, _config: &Config) -> ParameterMap {
        todo!()
    }

    /// How many configurations there are at most (conditions and constraints are not looked at, overflow saturates); `None` where there is no end of them.
    pub fn cardinality(&self) -> Option<u128> {
        todo!()
    }

    /// The configuration of all defaults, where every active parameter has one (a constant counts as having one).
    pub fn defaults(&self) -> Option<Config> {
        todo!()
    }
}
