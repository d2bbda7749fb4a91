//! One parameter: the way between its values, the unit interval and JSON.

use libm::{exp, log};
use serde_json::{Number, Value};

use super::{
    Slot,
    bins::Bins,
    choices::{Choices, same},
    lattice::{EXACT, Lattice},
    normal::Gaussian,
};

/// What a parameter's values are and how they lie in the unit interval.
#[derive(Debug)]
pub(super) enum Axis {
    /// A double, evenly between two bounds.
    Linear { min: f64, max: f64, width: f64 },
    /// A double, evenly in its logarithm.
    Log {
        min: f64,
        max: f64,
        ln_min: f64,
        ln_width: f64,
    },
    /// A double, normally distributed.
    Normal(Gaussian),
    /// A double with a step.
    Stepped { lattice: Lattice, bins: Bins },
    /// An int: `min + k * step` for k up to `last`.
    Int { min: i64, step: u64, last: u64, bins: Bins },
    /// An ordinal or categorical.
    Choice { choices: Choices, bins: Bins },
    /// A constant.
    Constant(Value),
}

impl Axis {
    /// The value at `unit`: the least at 0, the greatest at 1.
    pub(super) fn decode(&self, unit: f64) -> Slot {
        match self {
            Self::Linear { min, max, width } => Slot::Double(ends(unit, *min, *max, || min + unit * width)),
            Self::Log {
                min,
                max,
                ln_min,
                ln_width,
            } => Slot::Double(ends(unit, *min, *max, || exp(ln_min + unit * ln_width))),
            Self::Normal(gaussian) => Slot::Double(gaussian.value(unit)),
            Self::Stepped { bins, .. } | Self::Int { bins, .. } | Self::Choice { bins, .. } => {
                self.nth(bins.index(unit))
            }
            Self::Constant(_) => Slot::Constant,
        }
    }

    /// The place of `slot` in [0, 1]; 0.5 where it is inactive (or another parameter's).
    pub(super) fn encode(&self, slot: Slot) -> f64 {
        match (self, slot) {
            (Self::Linear { min, width, .. }, Slot::Double(value)) => ((value - min) / width).clamp(0.0, 1.0),
            (Self::Log { ln_min, ln_width, .. }, Slot::Double(value)) => {
                ((log(value) - ln_min) / ln_width).clamp(0.0, 1.0)
            }
            (Self::Normal(gaussian), Slot::Double(value)) => gaussian.unit(value),
            (Self::Stepped { bins, .. } | Self::Int { bins, .. } | Self::Choice { bins, .. }, slot) => {
                self.position(slot).map_or(0.5, |index| bins.middle(index))
            }
            _ => 0.5,
        }
    }

    /// How many values there are; `None` where there is no end of them.
    pub(super) fn count(&self) -> Option<u64> {
        match self {
            Self::Linear { .. } | Self::Log { .. } | Self::Normal(_) => None,
            Self::Stepped { lattice, .. } => Some(lattice.last() + 1),
            Self::Int { last, .. } => Some(last + 1),
            Self::Choice { choices, .. } => Some(choices.values().len() as u64),
            Self::Constant(_) => Some(1),
        }
    }

    /// The value with that index, from 0, the last one for any index beyond; of an axis without count, the least value.
    pub(super) fn nth(&self, index: u64) -> Slot {
        match self {
            Self::Linear { .. } | Self::Log { .. } | Self::Normal(_) => self.decode(0.0),
            Self::Stepped { lattice, .. } => Slot::Double(lattice.value(index)),
            // modulo 2^64, which is right for what lies in the range of i64
            Self::Int { min, step, last, .. } => {
                Slot::Int(min.wrapping_add_unsigned(index.min(*last).wrapping_mul(*step)))
            }
            Self::Choice { choices, .. } => {
                let last = choices.values().len().saturating_sub(1) as u64;
                Slot::Choice(u32::try_from(index.min(last)).unwrap_or(u32::MAX))
            }
            Self::Constant(_) => Slot::Constant,
        }
    }

    /// The index of `slot`, where this axis has a count and the slot is one of its values.
    pub(super) fn position(&self, slot: Slot) -> Option<u64> {
        match (self, slot) {
            (Self::Stepped { lattice, .. }, Slot::Double(value)) => Some(lattice.nearest(value)),
            (Self::Int { min, step, .. }, Slot::Int(value)) => {
                let distance = value.wrapping_sub(*min).cast_unsigned();
                Some(if *step == 1 { distance } else { distance / step })
            }
            (Self::Choice { .. }, Slot::Choice(index)) => Some(u64::from(index)),
            (Self::Constant(_), Slot::Constant) => Some(0),
            _ => None,
        }
    }

    /// The part of [0, 1] that stands for the value with that index; `None` of an axis without count, and beyond the last value.
    pub(super) fn bin(&self, index: u64) -> Option<(f64, f64)> {
        match self {
            Self::Stepped { bins, .. } | Self::Int { bins, .. } | Self::Choice { bins, .. } => {
                (index < self.count()?).then(|| bins.edges(index))
            }
            _ => None,
        }
    }

    /// The slot of a JSON value; `None` where it is not one of this axis.
    pub(super) fn parse(&self, value: &Value) -> Option<Slot> {
        match self {
            Self::Linear { min, max, .. } | Self::Log { min, max, .. } => double(value, *min, *max),
            Self::Normal(gaussian) => double(value, gaussian.min(), gaussian.max()),
            Self::Stepped { lattice, .. } => {
                let index = lattice.index(value.as_f64()?)?;
                Some(Slot::Double(lattice.value(index)))
            }
            Self::Int { min, step, last, .. } => {
                let value = integer(value)?;
                let distance = value.wrapping_sub(*min).cast_unsigned();
                // value < min wraps to a distance beyond the range unless the range is longer than that
                let inside = value >= *min && distance / step <= *last && distance.is_multiple_of(*step);
                inside.then_some(Slot::Int(value))
            }
            Self::Choice { choices, .. } => choices.find(value).map(Slot::Choice),
            Self::Constant(constant) => same(constant, value).then_some(Slot::Constant),
        }
    }

    /// The slot of a JSON value.
    ///
    /// # Errors
    /// A sentence that says what the value would have to be.
    pub(super) fn read(&self, value: &Value) -> Result<Slot, String> {
        self.parse(value)
            .ok_or_else(|| format!("{value} is not {}", self.wanted()))
    }

    /// What a value has to be, for people.
    fn wanted(&self) -> String {
        match self {
            Self::Linear { min, max, .. } | Self::Log { min, max, .. } => between("a number", *min, *max),
            Self::Normal(gaussian) => between("a number", gaussian.min(), gaussian.max()),
            Self::Stepped { lattice, .. } => format!(
                "{} in steps of {:?}",
                between("a number", lattice.min(), lattice.max()),
                lattice.step()
            ),
            Self::Int { min, step, .. } => {
                let max = match self.nth(u64::MAX) {
                    Slot::Int(max) => max,
                    _ => *min,
                };
                let steps = if *step == 1 {
                    String::new()
                } else {
                    format!(" in steps of {step}")
                };
                format!("a whole number between {min} and {max}{steps}")
            }
            Self::Choice { choices, .. } => {
                let values = choices.values();
                let shown: Vec<String> = values.iter().take(10).map(Value::to_string).collect();
                let more = if values.len() > shown.len() {
                    format!(" and {} more", values.len() - shown.len())
                } else {
                    String::new()
                };
                format!("one of {}{more}", shown.join(", "))
            }
            Self::Constant(constant) => format!("the constant {constant}: leave it out"),
        }
    }

    /// The JSON of a slot; `None` for an inactive one.
    pub(super) fn write(&self, slot: Slot) -> Option<Value> {
        match (self, slot) {
            (_, Slot::Inactive) => None,
            (_, Slot::Double(value)) => Number::from_f64(value).map(Value::Number),
            (_, Slot::Int(value)) => Some(Value::from(value)),
            (Self::Choice { choices, .. }, Slot::Choice(index)) => usize::try_from(index)
                .ok()
                .and_then(|index| choices.values().get(index))
                .cloned(),
            (Self::Constant(constant), Slot::Constant) => Some(constant.clone()),
            _ => None,
        }
    }
}

/// `inside()` between the bounds, which are met exactly at 0 and 1; NaN counts as 0.
fn ends(unit: f64, min: f64, max: f64, inside: impl FnOnce() -> f64) -> f64 {
    if unit >= 1.0 {
        max
    } else if unit > 0.0 {
        inside().clamp(min, max) + 0.0
    } else {
        min
    }
}

fn double(value: &Value, min: f64, max: f64) -> Option<Slot> {
    let value = value.as_f64()?;
    // finite: JSON has no other numbers, but `Value` may hold what overflowed
    (value.is_finite() && min <= value && value <= max).then_some(Slot::Double(value + 0.0))
}

/// A whole number, also one that is written `8.0`.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        let value = value.as_f64()?;
        (value.fract() == 0.0 && value.abs() <= EXACT as f64).then_some(value as i64)
    })
}

fn between(what: &str, min: f64, max: f64) -> String {
    match (min.is_finite(), max.is_finite()) {
        (true, true) => format!("{what} between {min:?} and {max:?}"),
        (true, false) => format!("{what} of at least {min:?}"),
        (false, true) => format!("{what} of at most {max:?}"),
        (false, false) => what.to_owned(),
    }
}
