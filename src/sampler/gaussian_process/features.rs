//! Configurations as the models see them.

use crate::space::{Config, Slot, Space};

/// What one dimension of the model is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// A number, or the place in an order: what is near is alike. With how many values it has, where there is an end of them.
    Number(Option<u64>),
    /// One of several values of which none is nearer to another.
    Category(u64),
}

/// The dimensions of a space as the models see them: the same as those of its unit cube.
#[derive(Debug)]
pub(super) struct Features {
    /// Each dimension's slot and kind.
    pub(super) dimensions: Vec<(usize, Kind)>,
}

/// The square of the distance between what is active and what is not.
pub(super) const UNLIKE: f64 = 0.25;

impl Features {
    pub(super) fn new(space: &Space) -> Self {
        let kind = |(slot, parameter): (usize, &crate::api::Parameter)| {
            if parameter.constant.is_some() {
                return None;
            }
            let kind = match (parameter.categorical.is_some(), space.count(slot)) {
                (true, Some(count)) => Kind::Category(count),
                (_, count) => Kind::Number(count),
            };
            Some((slot, kind))
        };
        Self {
            dimensions: space.parameters().iter().enumerate().filter_map(kind).collect(),
        }
    }

    /// How many dimensions there are.
    pub(super) fn len(&self) -> usize {
        self.dimensions.len()
    }

    /// The coordinates of `config`: of a number its place in [0, 1], of a category its index, NaN where it is inactive.
    pub(super) fn encode(&self, space: &Space, config: &Config) -> Vec<f64> {
        let mut point = vec![0.5; self.len()];
        space.encode(config, &mut point);
        for (x, &(slot, kind)) in point.iter_mut().zip(&self.dimensions) {
            match (config.0.get(slot), kind) {
                (Some(Slot::Inactive) | None, _) => *x = f64::NAN,
                (Some(Slot::Choice(index)), Kind::Category(_)) => *x = f64::from(*index),
                _ => {}
            }
        }
        point
    }
}
