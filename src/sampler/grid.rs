//! Every combination of evenly spaced values.

use super::{
    Context, Name, Observation, Sampler, Settings, Suggestion,
    unused::{Digits, Unused, distinct},
};
use crate::{
    api::{Duplicates, FieldErrors, GridSampler, Parameter},
    space::{Slot, Space},
};

/// The greatest `pointsPerParameter`.
const MOST_POINTS: u32 = 65_536;

/// How many points one call looks at.
const WALK: usize = 1_000_000;

/// The values of one parameter on the grid.
#[derive(Debug)]
enum Points {
    /// All that it has.
    All(u64),
    /// These, in order, each once.
    Some(Vec<Slot>),
}

impl Points {
    fn count(&self) -> u64 {
        match self {
            Self::All(count) => *count,
            Self::Some(slots) => slots.len() as u64,
        }
    }
}

/// A grid: all combinations in the order of their values, the last parameter changing fastest.
#[derive(Debug)]
pub(super) struct Grid {
    name: Name,
    points: Vec<Points>,
}

impl Settings for GridSampler {
    fn build(&self, name: Name, space: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        Ok(Box::new(Grid::new(name, self, space)?))
    }
}

impl Grid {
    /// The grid that `spec` describes.
    ///
    /// # Errors
    /// A parameter whose values have no end without `pointsPerParameter`, a senseless number of points, a grid that is too large.
    pub(super) fn new(name: Name, spec: &GridSampler, space: &Space) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let path = "pointsPerParameter";
        let wanted = spec.points_per_parameter;
        if let Some(wanted) = wanted.filter(|wanted| !(1..=MOST_POINTS).contains(wanted)) {
            errors.push(path, format!("{wanted} is not between 1 and {MOST_POINTS}"));
            return Err(errors);
        }
        let mut points = Vec::with_capacity(space.parameters().len());
        let mut endless = Vec::new();
        for (slot, parameter) in space.parameters().iter().enumerate() {
            let is_number = parameter.double.is_some() || parameter.int.is_some();
            match (space.count(slot), wanted.filter(|_| is_number)) {
                (Some(count), wanted) if wanted.is_none_or(|wanted| count <= wanted.into()) => {
                    points.push(Points::All(count));
                }
                (_, Some(wanted)) => points.push(Points::Some(spaced(space, slot, parameter, wanted))),
                (_, None) => endless.push(format!("`{}`", parameter.name)),
            }
        }
        if !endless.is_empty() {
            let (has, it) = if endless.len() == 1 {
                ("has", "it")
            } else {
                ("have", "them")
            };
            errors.push(
                path,
                format!(
                    "is missing: {} {has} no end of values; give a number of points, or {it} a `step`",
                    endless.join(", ")
                ),
            );
            return Err(errors);
        }
        let total = points
            .iter()
            .try_fold(1u64, |total, points| total.checked_mul(points.count()));
        if total.is_none() {
            let about: f64 = points.iter().map(|points| points.count() as f64).product();
            errors.push(
                path,
                format!("the grid has about {about:.0e} points, more than can be counted: take fewer"),
            );
        }
        errors.or_ok(Self { name, points })
    }

    fn value(&self, space: &Space, slot: usize, digit: u64) -> Slot {
        match self.points.get(slot) {
            Some(Points::All(_)) => space.nth(slot, digit),
            Some(Points::Some(slots)) => usize::try_from(digit)
                .ok()
                .and_then(|digit| slots.get(digit))
                .copied()
                .unwrap_or(Slot::Inactive),
            None => Slot::Inactive,
        }
    }
}

/// `wanted` values of a number, evenly spaced on its own scale, both ends among them where it has ends; fewer where several come to the same.
fn spaced(space: &Space, slot: usize, parameter: &Parameter, wanted: u32) -> Vec<Slot> {
    let endless = parameter
        .double
        .as_ref()
        .is_some_and(|double| double.min.is_none() || double.max.is_none());
    let even = space.count(slot).filter(|_| is_even(parameter));
    let mut slots: Vec<Slot> = (0..wanted)
        .map(|i| {
            let unit = match wanted {
                1 => 0.5,
                _ if endless => (f64::from(i) + 0.5) / f64::from(wanted),
                _ => f64::from(i) / f64::from(wanted - 1),
            };
            match even {
                Some(count) => space.nth(slot, ((count - 1) as f64 * unit).round() as u64),
                None => space.value_at(slot, unit),
            }
        })
        .collect();
    slots.dedup();
    slots
}

/// Whether the values with a step lie evenly.
fn is_even(parameter: &Parameter) -> bool {
    use crate::api::Scale::Linear;
    parameter.int.as_ref().is_some_and(|int| int.scale == Linear)
        || parameter
            .double
            .as_ref()
            .is_some_and(|double| double.scale == Linear && double.normal.is_none())
}

impl Sampler for Grid {
    /// Passes over what breaks a constraint, what the history has where duplicates are avoided, and what is the same as an earlier point because the parameters
    /// that differ are inactive. It is `Done` after the last point, or where a million points in a row are passed over.
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let mut unused = Unused::new(context, history);
        let first = self.name.next_index(history);
        let counts: Vec<u64> = self.points.iter().map(Points::count).collect();
        (first..)
            .zip(Digits::from(counts, first))
            .take(WALK)
            .find_map(|(index, digits)| {
                let config = distinct(context.space, &digits, |slot, digit| {
                    self.value(context.space, slot, digit)
                })?;
                unused.allows(&config).then(|| self.name.proposal(config, index))
            })
            .unwrap_or(Suggestion::Done)
    }

    fn is_finite(&self, _: &Space, _: Duplicates) -> bool {
        true
    }
}
