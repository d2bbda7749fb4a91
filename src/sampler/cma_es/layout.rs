//! Which dimensions of the unit cube are numbers, which have values to choose from.

use crate::{
    api::Parameter,
    space::{Config, Slot, Space},
};

/// One dimension of the unit cube; all have their parameter's slot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dimension {
    /// A number without step.
    Continuous(usize),
    /// Values in an order.
    Discrete(usize),
    /// Values without order (or a single one), as many as this.
    Category(usize, u64),
}

/// The dimensions of a space, in the unit cube's order.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) space: &'a Space,
    pub(super) dimensions: Vec<Dimension>,
}

/// A configuration apart: its numbers in [0, 1] and the indices of its categories, both in the dimensions' order; `None` where inactive.
#[derive(Clone, Debug, Default)]
pub(super) struct Point {
    pub(super) numbers: Vec<Option<f64>>,
    pub(super) categories: Vec<Option<usize>>,
}

impl<'a> Layout<'a> {
    pub(super) fn new(space: &'a Space) -> Self {
        let dimension = |(slot, parameter): (usize, &Parameter)| match space.count(slot) {
            _ if parameter.constant.is_some() => None,
            None => Some(Dimension::Continuous(slot)),
            Some(count) if parameter.categorical.is_some() || count == 1 => Some(Dimension::Category(slot, count)),
            Some(_) => Some(Dimension::Discrete(slot)),
        };
        Self {
            space,
            dimensions: space.parameters().iter().enumerate().filter_map(dimension).collect(),
        }
    }

    /// The dimensions of numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = Dimension> {
        let is_number = |dimension: &Dimension| !matches!(dimension, Dimension::Category(..));
        self.dimensions.iter().copied().filter(is_number)
    }

    /// The categories, by their slots and how many values each has.
    pub(super) fn categories(&self) -> impl Iterator<Item = (usize, u64)> {
        self.dimensions.iter().filter_map(|dimension| match dimension {
            Dimension::Category(slot, count) => Some((*slot, *count)),
            _ => None,
        })
    }

    /// The probabilities that the space gives the values of a category.
    pub(super) fn prior(&self, (slot, count): (usize, u64)) -> Vec<f64> {
        let width = |index| self.space.bin(slot, index).map_or(0.0, |(low, high)| high - low);
        (0..count).map(width).collect()
    }

    /// Takes a configuration apart.
    pub(super) fn read(&self, config: &Config) -> Point {
        let mut unit = vec![0.5; self.dimensions.len()];
        self.space.encode(config, &mut unit);
        let value = |slot: usize| config.0.get(slot).copied().unwrap_or(Slot::Inactive);
        let mut point = Point::default();
        for (dimension, unit) in self.dimensions.iter().zip(unit) {
            match *dimension {
                Dimension::Continuous(slot) | Dimension::Discrete(slot) => {
                    point.numbers.push(value(slot).is_active().then_some(unit));
                }
                Dimension::Category(slot, _) => {
                    let index = self.space.position(slot, value(slot));
                    point
                        .categories
                        .push(index.and_then(|index| usize::try_from(index).ok()));
                }
            }
        }
        point
    }

    /// The configuration of numbers and categories, in the dimensions' order.
    pub(super) fn write(&self, numbers: &[f64], categories: &[usize]) -> Config {
        let (mut numbers, mut categories) = (numbers.iter(), categories.iter());
        let unit: Vec<f64> = self
            .dimensions
            .iter()
            .map(|dimension| match *dimension {
                Dimension::Category(slot, _) => {
                    let index = categories.next().map_or(0, |&index| index as u64);
                    self.space
                        .bin(slot, index)
                        .map_or(0.5, |(low, high)| 0.5 * (low + high))
                }
                _ => numbers.next().copied().unwrap_or(0.5),
            })
            .collect();
        self.space.decode(&unit)
    }

    /// The edges of the value of a discrete dimension at `unit`; `None` of any other.
    pub(super) fn bin(&self, dimension: Dimension, unit: f64) -> Option<(f64, f64)> {
        let Dimension::Discrete(slot) = dimension else {
            return None;
        };
        let index = self.space.position(slot, self.space.value_at(slot, unit))?;
        self.space.bin(slot, index)
    }
}
