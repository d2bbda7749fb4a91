//! The checks on one parameter's declaration, without regard to the others.

use libm::log;
use serde_json::Value;

use super::{
    axis::Axis,
    bins::{Bins, MOST_IN_TABLE, MOST_ON_LOG},
    choices::{self, Choices},
    lattice::{EXACT, Lattice, Misfit},
    normal::{FARTHEST, Gaussian},
};
use crate::{
    api::{Categorical, Double, FieldErrors, Int, Normal, Parameter, Scale},
    expr,
};

/// The kinds of a parameter, as messages name them.
const KINDS: &str = "`double`, `int`, `ordinal`, `categorical`, `constant`";

/// What is wrong with a name, if anything.
pub(super) fn name(name: &str) -> Result<(), String> {
    let mut bytes = name.bytes();
    let fits = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.len() <= 63;
    if !fits {
        return Err(format!(
            "`{name}` cannot be a parameter's name: use at most 63 letters, digits and `_`, not a digit first"
        ));
    }
    if expr::is_reserved(name) {
        return Err(format!(
            "`{name}` is a word of CEL and cannot be a parameter's name: choose another"
        ));
    }
    Ok(())
}

/// The axis that a parameter declares. Paths are below the parameter. `None` only with an error.
pub(super) fn axis(parameter: &Parameter, errors: &mut FieldErrors) -> Option<Axis> {
    let Parameter {
        double,
        int,
        ordinal,
        categorical,
        constant,
        ..
    } = parameter;
    match (double, int, ordinal, categorical, constant) {
        (Some(spec), None, None, None, None) => self::double(spec, &mut Below(errors, "double")),
        (None, Some(spec), None, None, None) => self::int(spec, &mut Below(errors, "int")),
        (None, None, Some(spec), None, None) => choice(&spec.values, None, &mut Below(errors, "ordinal")),
        (None, None, None, Some(Categorical { values, weights }), None) => {
            choice(values, weights.as_deref(), &mut Below(errors, "categorical"))
        }
        (None, None, None, None, Some(value)) => Some(Axis::Constant(value.clone())),
        (None, None, None, None, None) => {
            errors.push(
                "",
                format!("what kind of parameter is this? Give one of {KINDS} (a constant cannot be null)"),
            );
            None
        }
        _ => {
            errors.push("", format!("choose exactly one of {KINDS}"));
            None
        }
    }
}

/// Collects errors at fields of one kind.
struct Below<'a>(&'a mut FieldErrors, &'static str);

impl Below<'_> {
    fn push(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(format!("{}.{field}", self.1), message);
    }

    /// Whether `value`, where given, is finite.
    fn finite(&mut self, field: &str, value: Option<f64>) -> bool {
        let fine = value.is_none_or(f64::is_finite);
        if !fine {
            self.push(field, "is not a finite number");
        }
        fine
    }
}

fn double(spec: &Double, errors: &mut Below<'_>) -> Option<Axis> {
    let numbers = [("min", spec.min), ("max", spec.max), ("step", spec.step)];
    let finite = numbers
        .map(|(field, value)| errors.finite(field, value))
        .iter()
        .all(|&fine| fine);
    let normal = spec
        .normal
        .as_ref()
        .map(|normal| self::normal(normal, spec.scale, errors));
    let before = errors.0.0.len();
    if spec.normal.is_none() || spec.step.is_some() {
        let why = if spec.normal.is_none() {
            "or `normal`"
        } else {
            "as `step` needs it"
        };
        for (field, value) in [("min", spec.min), ("max", spec.max)] {
            if value.is_none() {
                errors.push(field, format!("is missing: give it, {why}"));
            }
        }
    }
    let step = spec.step.filter(|&step| {
        let fine = step > 0.0;
        if !fine && step.is_finite() {
            errors.push("step", format!("{step:?} is not above 0"));
        }
        fine
    });
    if !finite {
        return None;
    }
    let (min, max) = (
        spec.min.unwrap_or(f64::NEG_INFINITY) + 0.0,
        spec.max.unwrap_or(f64::INFINITY) + 0.0,
    );
    if min >= max {
        errors.push("max", not_above(min == max, format!("{max:?}"), format!("{min:?}")));
    } else if min.is_finite() && max.is_finite() && !(max - min).is_finite() {
        errors.push("max", "the range is wider than a double can hold: narrow it");
    }
    if spec.scale == Scale::Log && spec.normal.is_none() && min <= 0.0 && min.is_finite() {
        errors.push(
            "min",
            format!("{min:?} has no logarithm: a log scale needs `min` above 0"),
        );
    }
    if errors.0.0.len() > before || spec.step.is_some() != step.is_some() {
        return None;
    }
    let gaussian = match normal {
        Some(None) => return None,
        Some(Some((mean, stddev))) => Some((mean, stddev, gaussian(mean, stddev, min, max, errors)?)),
        None => None,
    };
    match (gaussian, step) {
        (Some((mean, stddev, _)), Some(step)) => stepped(min, max, step, errors, |lattice, errors| {
            if lattice.last() >= MOST_IN_TABLE {
                errors.push("step", format!("gives {} values, and `normal` with a step allows {MOST_IN_TABLE}: leave the step out or make it larger", lattice.last() + 1));
                return None;
            }
            Some(Bins::normal(min, step, lattice.last(), mean, stddev))
        }),
        (Some((.., gaussian)), None) => Some(Axis::Normal(gaussian)),
        (None, Some(step)) => stepped(min, max, step, errors, |lattice, errors| match spec.scale {
            Scale::Linear => Some(Bins::even(lattice.last())),
            Scale::Log => log_bins(min, max, step, lattice.last(), errors),
        }),
        (None, None) => Some(match spec.scale {
            Scale::Linear => Axis::Linear {
                min,
                max,
                width: max - min,
            },
            Scale::Log => Axis::Log {
                min,
                max,
                ln_min: log(min),
                ln_width: log(max) - log(min),
            },
        }),
    }
}

/// Mean and standard deviation, where nothing is wrong with them.
fn normal(spec: &Normal, scale: Scale, errors: &mut Below<'_>) -> Option<(f64, f64)> {
    let fine = errors.finite("normal.mean", Some(spec.mean)) & errors.finite("normal.stddev", Some(spec.stddev));
    let positive = spec.stddev > 0.0;
    if !positive && spec.stddev.is_finite() {
        errors.push("normal.stddev", format!("{:?} is not above 0", spec.stddev));
    }
    let reach = 2.0 * FARTHEST * spec.stddev + spec.mean.abs();
    let fits = reach.is_finite();
    if fine && positive && !fits {
        errors.push("normal", "is wider than a double can hold: narrow it");
    }
    if scale == Scale::Log {
        errors.push(
            "scale",
            "a normal distribution has a scale of its own: leave `scale` out",
        );
    }
    (fine && positive && fits && scale == Scale::Linear).then_some((spec.mean, spec.stddev))
}

fn gaussian(mean: f64, stddev: f64, min: f64, max: f64, errors: &mut Below<'_>) -> Option<Gaussian> {
    let gaussian = Gaussian::new(mean, stddev, min, max);
    if gaussian.is_none() {
        errors.push("normal", format!("next to nothing of the distribution lies between `min` and `max`: its mean {mean:?} must be within {FARTHEST} times `stddev` of them"));
    }
    gaussian
}

fn stepped(
    min: f64,
    max: f64,
    step: f64,
    errors: &mut Below<'_>,
    bins: impl FnOnce(&Lattice, &mut Below<'_>) -> Option<Bins>,
) -> Option<Axis> {
    match Lattice::new(min, max, step) {
        Ok(lattice) => bins(&lattice, errors).map(|bins| Axis::Stepped { lattice, bins }),
        Err(Misfit::Step(fit)) => {
            errors.push(
                "step",
                misfit(
                    format!("{step:?}"),
                    format!("{min:?}"),
                    format!("{max:?}"),
                    Some(format!("{fit:?}")),
                ),
            );
            None
        }
        Err(Misfit::TooMany) => {
            errors.push(
                "step",
                format!(
                    "{step:?} gives more values than doubles can tell apart (2^53): leave it out or make it larger"
                ),
            );
            None
        }
    }
}

fn log_bins(min: f64, max: f64, step: f64, last: u64, errors: &mut Below<'_>) -> Option<Bins> {
    if max / step > MOST_ON_LOG as f64 {
        errors.push(
            "step",
            format!("a log scale cannot tell apart steps of {step:?} at {max:?}: make the step larger than max / 2^40"),
        );
        return None;
    }
    Some(Bins::log(min, step, last))
}

fn int(spec: &Int, errors: &mut Below<'_>) -> Option<Axis> {
    let (min, max, before) = (spec.min, spec.max, errors.0.0.len());
    if min >= max {
        errors.push("max", not_above(min == max, max.to_string(), min.to_string()));
    }
    if spec.scale == Scale::Log && min <= 0 {
        errors.push(
            "min",
            format!("{min} has no logarithm: a log scale needs `min` above 0"),
        );
    }
    let step = u64::try_from(spec.step.unwrap_or(1)).ok().filter(|&step| step > 0);
    let Some(step) = step else {
        errors.push("step", format!("{} is not above 0", spec.step.unwrap_or(1)));
        return None;
    };
    if errors.0.0.len() > before {
        return None;
    }
    let span = max.abs_diff(min);
    let last = span / step;
    if !span.is_multiple_of(step) {
        let fit = i128::from(min) + i128::from(step) * i128::from((last + u64::from(span % step > step / 2)).max(1));
        let fit = i64::try_from(fit).ok().map(|fit| fit.to_string());
        errors.push("step", misfit(step.to_string(), min.to_string(), max.to_string(), fit));
        return None;
    }
    if last >= EXACT {
        errors.push("max", "the range holds more than 2^53 values: narrow it or give a step");
        return None;
    }
    let bins = match spec.scale {
        Scale::Linear => Bins::even(last),
        Scale::Log => log_bins(min as f64, max as f64, step as f64, last, errors)?,
    };
    Some(Axis::Int { min, step, last, bins })
}

fn choice(values: &[Value], weights: Option<&[f64]>, errors: &mut Below<'_>) -> Option<Axis> {
    let before = errors.0.0.len();
    if values.is_empty() {
        errors.push("values", "is empty: give at least one value");
    }
    if u32::try_from(values.len()).is_err() {
        errors.push("values", "has too many values");
    } else if let Some((earlier, later)) = choices::duplicate(values) {
        errors.push(
            &format!("values[{later}]"),
            format!(
                "{} stands at values[{earlier}] already: give each value once",
                values[later]
            ),
        );
    }
    if let Some(weights) = weights {
        if weights.len() != values.len() {
            errors.push(
                "weights",
                format!(
                    "has {} numbers for {} values: give one for each",
                    weights.len(),
                    values.len()
                ),
            );
        }
        for (i, weight) in weights.iter().enumerate() {
            if !(weight.is_finite() && *weight > 0.0) {
                errors.push(
                    &format!("weights[{i}]"),
                    format!("{weight:?} is not a finite number above 0"),
                );
            }
        }
    }
    (errors.0.0.len() == before).then(|| Axis::Choice {
        choices: Choices::new(values),
        bins: match weights {
            Some(weights) => Bins::weighted(weights),
            None => Bins::even(values.len() as u64 - 1),
        },
    })
}

fn not_above(equal: bool, max: String, min: String) -> String {
    if equal {
        format!("{max} is also `min`: for a single value use `constant`")
    } else {
        format!("{max} is not above `min`, {min}")
    }
}

fn misfit(step: String, min: String, max: String, fit: Option<String>) -> String {
    let offer = fit.map_or_else(String::new, |fit| format!(", e.g. `max: {fit}`"));
    format!("steps of {step} from {min} do not reach {max}: `max` - `min` must be a multiple of the step{offer}")
}
