//! From what somebody wrote to a [`Space`], or to everything that is wrong with it.

use std::collections::HashMap;

use super::{
    Axis, Space,
    condition::{self, Condition},
    declare, probe,
};
use crate::api::{FieldError, FieldErrors, Parameter};

impl Space {
    /// Checks and compiles parameters and constraints. Paths of errors start with `parameters[i]` or `constraints[i]`.
    ///
    /// # Errors
    /// Everything that is wrong, at once; except that expressions are tried on configurations only where nothing else is wrong.
    pub fn compile(parameters: &[Parameter], constraints: &[String]) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        if parameters.is_empty() {
            errors.push("parameters", "is empty: declare at least one parameter");
        }
        let names = names(parameters, &mut errors);
        let axes: Vec<Option<Axis>> = parameters
            .iter()
            .enumerate()
            .map(|(i, parameter)| axis(i, parameter, &mut errors))
            .collect();
        let conditions = conditions(parameters, &names, &mut errors);
        let mut compiled = Vec::with_capacity(constraints.len());
        for (i, source) in constraints.iter().enumerate() {
            match Condition::compile(source, &names) {
                Ok(constraint) => compiled.push(constraint),
                Err(wrong) => wrong
                    .into_iter()
                    .for_each(|message| errors.push(format!("constraints[{i}]"), message)),
            }
        }
        let order = condition::order(&conditions);
        if let Err(cycle) = &order {
            errors.0.extend(self::cycle(cycle, parameters));
        }
        let axes: Option<Box<[Axis]>> = axes.into_iter().collect();
        let (Some(axes), Ok(order), true) = (axes, order, errors.0.is_empty()) else {
            errors.0.sort_by_key(|error| position(&error.path));
            return Err(errors);
        };
        let mut conditions: Vec<Option<Condition>> = conditions;
        let mut space = Self {
            parameters: parameters.into(),
            dimensions: axes.iter().filter(|axis| !matches!(axis, Axis::Constant(_))).count(),
            cardinality: axes.iter().try_fold(1u128, |product, axis| {
                Some(product.saturating_mul(axis.count()?.into()))
            }),
            axes,
            names: names.into(),
            conditions: order
                .into_iter()
                .filter_map(|slot| conditions.get_mut(slot)?.take().map(|condition| (slot, condition)))
                .collect(),
            constraints: compiled.into(),
            defaults: None,
        };
        probe::check(&space, &mut errors);
        if errors.0.is_empty() {
            space.defaults = defaults(&space, &mut errors);
        }
        errors.or_ok(space)
    }
}

/// Every name with its slot, in alphabetical order; of a name that is there twice, the first.
fn names(parameters: &[Parameter], errors: &mut FieldErrors) -> Vec<(String, usize)> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (i, Parameter { name, .. }) in parameters.iter().enumerate() {
        let path = || format!("parameters[{i}].name");
        if let Err(message) = declare::name(name) {
            errors.push(path(), message);
        }
        if let Some(earlier) = first.get(name.as_str()) {
            errors.push(
                path(),
                format!("parameters[{earlier}] is called `{name}` already: each name once"),
            );
        } else {
            first.insert(name, i);
        }
    }
    let mut names: Vec<(String, usize)> = first.into_iter().map(|(name, i)| (name.to_owned(), i)).collect();
    names.sort();
    names
}

/// The axis of one parameter, its default checked.
fn axis(i: usize, parameter: &Parameter, errors: &mut FieldErrors) -> Option<Axis> {
    let mut own = FieldErrors::default();
    let axis = declare::axis(parameter, &mut own);
    if let (Some(axis), Some(default)) = (&axis, &parameter.default) {
        if matches!(axis, Axis::Constant(_)) {
            own.push("default", "a constant has its value already: leave `default` out");
        } else if let Err(message) = axis.read(default) {
            own.push("default", message);
        }
    }
    errors.extend_below(&format!("parameters[{i}]"), own);
    axis
}

/// Each parameter's compiled condition.
fn conditions(parameters: &[Parameter], names: &[(String, usize)], errors: &mut FieldErrors) -> Vec<Option<Condition>> {
    let mut compile = |i: usize, parameter: &Parameter| {
        let path = format!("parameters[{i}].when");
        match Condition::compile(parameter.when.as_ref()?, names) {
            Ok(condition) if condition.reads().contains(&i) => {
                errors.push(path, format!("`{}` cannot depend on itself", parameter.name));
                None
            }
            Ok(condition) => Some(condition.guarded(names)),
            Err(wrong) => {
                wrong
                    .into_iter()
                    .for_each(|message| errors.push(path.as_str(), message));
                None
            }
        }
    };
    parameters
        .iter()
        .enumerate()
        .map(|(i, parameter)| compile(i, parameter))
        .collect()
}

fn cycle(cycle: &[usize], parameters: &[Parameter]) -> Option<FieldError> {
    let first = *cycle.iter().min()?;
    let names: Vec<&str> = cycle
        .iter()
        .chain(cycle.first())
        .filter_map(|&slot| parameters.get(slot).map(|parameter| parameter.name.as_str()))
        .collect();
    Some(FieldError::new(
        format!("parameters[{first}].when"),
        format!("the conditions go round in a circle: {}", names.join(" needs ")),
    ))
}

/// Where a path stands among the fields, so that errors come in the order of what they are about.
fn position(path: &str) -> (bool, usize) {
    let index = path
        .split(['[', ']'])
        .nth(1)
        .and_then(|index| index.parse().ok())
        .unwrap_or(0);
    (path.starts_with("constraints"), index)
}

/// The configuration of all defaults, where every active parameter has one.
fn defaults(space: &Space, errors: &mut FieldErrors) -> Option<super::Config> {
    let mut slots = Vec::with_capacity(space.axes.len());
    let mut missing = vec![false; space.axes.len()];
    for (i, (axis, parameter)) in space.axes.iter().zip(&space.parameters).enumerate() {
        slots.push(match (axis, &parameter.default) {
            (Axis::Constant(_), _) => super::Slot::Constant,
            (axis, Some(default)) => axis.parse(default)?,
            (_, None) => {
                missing[i] = true;
                super::Slot::Inactive
            }
        });
    }
    // A parameter without default is as good as inactive for the conditions: what depends on it has no default configuration either,
    // unless it is inactive anyway, which its own condition decides.
    let config = space.configuration(&slots);
    for (i, missing) in missing.iter().enumerate() {
        let condition = space
            .conditions
            .iter()
            .find(|(slot, _)| *slot == i)
            .map(|(_, condition)| condition);
        if *missing && condition.is_none_or(|condition| space.holds(condition, &config.0)) {
            return None;
        }
    }
    for (i, constraint) in space.constraints.iter().enumerate() {
        if constraint
            .evaluate(space, &config.0)
            .is_some_and(|said| said != Ok(true))
        {
            let values = constraint.fields(space, &config.0).unwrap_or_default();
            errors.push(
                format!("constraints[{i}]"),
                format!("the defaults {values} break it: change a default so that they meet it"),
            );
        }
    }
    Some(config)
}
