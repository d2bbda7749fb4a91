//! Configurations as the program holds them: compact, comparable, hashable.

use std::hash::{Hash, Hasher};

/// One parameter's value in a [`Config`].
#[derive(Clone, Copy, Debug)]
pub enum Slot {
    /// Its condition does not hold: absent from the configuration.
    Inactive,
    /// Of a `double`. Finite, never `-0.0`.
    Double(f64),
    /// Of an `int`.
    Int(i64),
    /// Of an `ordinal` or `categorical`: the index of the value.
    Choice(u32),
    /// Of a `constant`.
    Constant,
}

impl Slot {
    /// The kind and the bits of the value: equal where the slots are.
    fn key(self) -> (u8, u64) {
        match self {
            Self::Inactive => (0, 0),
            Self::Double(value) => (1, value.to_bits()),
            Self::Int(value) => (2, value.cast_unsigned()),
            Self::Choice(index) => (3, u64::from(index)),
            Self::Constant => (4, 0),
        }
    }

    /// Whether the parameter is active.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Inactive)
    }
}

impl PartialEq for Slot {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Slot {}

impl Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// A configuration of one particular [`Space`](super::Space): a slot for each parameter, in declared order.
/// Two are equal when each slot is equal, bit for bit (`-0.0` is stored as `0.0`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config(pub Box<[Slot]>);
