//! What only evaluation shows: each expression is tried on configurations, always the same ones for a space.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Axis, Condition, Config, Slot, Space};
use crate::api::{FieldError, FieldErrors};

/// How many configurations each expression is tried on.
const SAMPLES: usize = 400;

/// How many configurations are tried at most in search of one that meets the constraints.
const TRIES: u64 = 10_000;

/// The most steps that all expressions of a space may take together: samplers evaluate them for thousands of configurations at a time.
const MOST_STEPS: u64 = 20_000;

/// Tries the space's expressions: none may fail, each must hold somewhere, all constraints together somewhere.
pub(super) fn check(space: &Space, errors: &mut FieldErrors) {
    if space.conditions.is_empty() && space.constraints.is_empty() {
        return;
    }
    let expressions: Vec<(String, &Condition)> = space
        .conditions
        .iter()
        .map(|(slot, condition)| (format!("parameters[{slot}].when"), condition))
        .chain(
            space
                .constraints
                .iter()
                .enumerate()
                .map(|(i, constraint)| (format!("constraints[{i}]"), constraint)),
        )
        .collect();
    if let Some(path) = too_costly(space, &expressions) {
        let message = "is evaluated for thousands of configurations, and that would take too long: make its lists shorter or nest less";
        errors.push(path, message);
        return;
    }
    failures(space, &expressions, errors);
    if !errors.0.is_empty() {
        return;
    }
    for (path, expression) in &expressions {
        if let Some(message) = never(space, expression) {
            errors.push(path, message);
        }
    }
    if errors.0.is_empty() && !space.constraints.is_empty() {
        together(space, errors);
    }
}

/// Which expression takes most, where all of them take too many steps.
fn too_costly<'a>(space: &Space, expressions: &'a [(String, &Condition)]) -> Option<&'a str> {
    samples(space).take(SAMPLES).find_map(|config| {
        let steps = expressions
            .iter()
            .map(|(path, expression)| (expression.steps(space, &config.0), path));
        let all = steps.clone().fold(0, |sum: u64, (steps, _)| sum.saturating_add(steps));
        let (_, path) = steps.max()?;
        (all > MOST_STEPS).then_some(path.as_str())
    })
}

/// Which expressions fail, each with its first example.
fn failures(space: &Space, expressions: &[(String, &Condition)], errors: &mut FieldErrors) {
    let mut messages: Vec<Option<String>> = vec![None; expressions.len()];
    for config in samples(space).take(SAMPLES) {
        for ((_, expression), message) in expressions.iter().zip(&mut messages) {
            if message.is_none()
                && let Some(Err(error)) = expression.evaluate(space, &config.0)
            {
                let example = expression.fields(space, &config.0).unwrap_or_default();
                *message = Some(format!("cannot be evaluated, e.g. with {example}: {error}"));
            }
        }
    }
    for ((path, _), message) in expressions.iter().zip(messages) {
        errors
            .0
            .extend(message.map(|message| FieldError::new(path.as_str(), message)));
    }
}

/// That an expression holds for none of the values of what it reads, where those are few enough to be sure.
fn never(space: &Space, expression: &Condition) -> Option<String> {
    let relevant = closure(space, expression.reads());
    let combinations = combinations(space, &relevant)?;
    let holds = combinations.clone().any(|config| {
        expression
            .evaluate(space, &config.0)
            .is_some_and(|said| said == Ok(true))
    });
    if holds {
        return None;
    }
    // inactive everywhere is the fault of another condition, which is reported for itself
    let (mut count, mut names) = (0u64, Vec::new());
    for config in combinations {
        count += 1;
        expression.evaluate(space, &config.0)?.ok()?;
    }
    for &slot in &relevant {
        names.extend(
            space
                .parameters
                .get(slot)
                .map(|parameter| format!("`{}`", parameter.name)),
        );
    }
    Some(format!(
        "holds for none of the {count} combinations of values of {}",
        names.join(", ")
    ))
}

/// `slots` and all that their conditions read, in order.
fn closure(space: &Space, slots: &[usize]) -> Vec<usize> {
    let mut all = slots.to_vec();
    let mut looked = 0;
    while let Some(&slot) = all.get(looked) {
        looked += 1;
        for (of, condition) in &space.conditions {
            if *of == slot {
                let new: Vec<usize> = condition
                    .reads()
                    .iter()
                    .copied()
                    .filter(|read| !all.contains(read))
                    .collect();
                all.extend(new);
            }
        }
    }
    all.sort_unstable();
    all
}

/// Every combination of values of `slots`, the other slots at their first value; `None` where they are more than [`TRIES`].
fn combinations<'a>(space: &'a Space, slots: &'a [usize]) -> Option<impl Iterator<Item = Config> + Clone + 'a> {
    let mut total = 1u64;
    let mut counts = vec![1u64; space.axes.len()];
    for &slot in slots {
        let count = space.count(slot)?;
        total = total.checked_mul(count).filter(|&total| total <= TRIES)?;
        *counts.get_mut(slot)? = count;
    }
    Some((0..total).map(move |index| {
        let mut rest = index;
        let values: Vec<Slot> = counts
            .iter()
            .enumerate()
            .map(|(slot, count)| {
                let digit = rest % count;
                rest /= count;
                space.nth(slot, digit)
            })
            .collect();
        space.configuration(&values)
    }))
}

/// That no configuration meets all constraints, and which one is to blame where one is.
fn together(space: &Space, errors: &mut FieldErrors) {
    let mut met = vec![0u64; space.constraints.len()];
    let mut tries = 0u64;
    let mut feasible = |config: Config| {
        tries += 1;
        let mut all = true;
        for (met, constraint) in met.iter_mut().zip(&space.constraints) {
            if constraint
                .evaluate(space, &config.0)
                .is_none_or(|said| said == Ok(true))
            {
                *met += 1;
            } else {
                all = false;
            }
        }
        all
    };
    let slots: Vec<usize> = (0..space.axes.len()).collect();
    let (found, what) = match combinations(space, &slots) {
        Some(mut all) => (all.any(&mut feasible), "that there are"),
        None => (
            samples(space).take(TRIES as usize).any(&mut feasible),
            "that were tried",
        ),
    };
    if found {
        return;
    }
    let blamed: Vec<usize> = (0..met.len()).filter(|&i| met.get(i) == Some(&0)).collect();
    for i in &blamed {
        errors.push(
            format!("constraints[{i}]"),
            format!("none of the {tries} configurations {what} meets it"),
        );
    }
    if blamed.is_empty() {
        errors.push(
            "constraints",
            format!("none of the {tries} configurations {what} meets all of them: loosen one"),
        );
    }
}

impl Space {
    /// Some configurations that meet the constraints, always the same ones: corners, defaults and random ones, at most `most`.
    /// Fewer, perhaps none, where the constraints leave little.
    pub fn samples(&self, most: usize) -> Vec<Config> {
        let tries = usize::try_from(TRIES).unwrap_or(usize::MAX);
        let feasible = samples(self).take(tries).filter(|config| self.is_feasible(config));
        feasible.take(most).collect()
    }
}

/// Configurations to try, without end: the corners where all is least or greatest, the middle, the defaults as far as there are any, then random ones.
fn samples(space: &Space) -> impl Iterator<Item = Config> {
    let corners = [0.0, 1.0, 0.5].map(|unit| space.decode(&vec![unit; space.dimensions]));
    let defaults: Vec<Slot> = space
        .axes
        .iter()
        .zip(&space.parameters)
        .map(|(axis, parameter)| match (axis, &parameter.default) {
            (Axis::Constant(_), _) => Slot::Constant,
            (axis, Some(default)) => axis.parse(default).unwrap_or_else(|| axis.decode(0.5)),
            (axis, None) => axis.decode(0.5),
        })
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut unit = vec![0.0; space.dimensions];
    corners
        .into_iter()
        .chain([space.configuration(&defaults)])
        .chain(std::iter::repeat_with(move || {
            unit.fill_with(|| rng.random());
            space.decode(&unit)
        }))
}
