//! Parallel coordinates: a line for each trial, across an axis for each parameter and one for the objective.

use std::collections::BTreeMap;

use plotly::{
    Trace,
    common::{ColorBar, ColorScale, ColorScalePalette, Title},
};
use serde::Serialize;
use serde_json::Value;

use super::{Row, StudyReport, columns, html::short};
use crate::api::{Goal, Parameter, Scale};

/// The trace that plotly.js calls `parcoords`.
#[derive(Clone, Serialize)]
pub struct ParallelCoordinates {
    r#type: &'static str,
    line: Colors,
    dimensions: Vec<Axis>,
}

impl Trace for ParallelCoordinates {
    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[derive(Clone, Serialize)]
struct Colors {
    color: Vec<f64>,
    cmin: f64,
    cmax: f64,
    colorscale: ColorScale,
    reversescale: bool,
    showscale: bool,
    colorbar: ColorBar,
}

/// One axis; `values` has a place on it for each trial.
#[derive(Clone, Serialize)]
struct Axis {
    label: String,
    values: Vec<f64>,
    range: [f64; 2],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tickvals: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ticktext: Vec<String>,
}

/// The most lines; more would hide each other.
pub const LINES: usize = 2000;
/// The most ticks on an axis of values.
const TICKS: usize = 24;
/// The longest text of a tick, in characters.
const TEXT: usize = 18;

impl ParallelCoordinates {
    /// The lines of the best trials, the very best drawn last, and how many axes there are; `None` where there is no trial.
    pub fn of(study: &StudyReport<'_>) -> Option<(Self, usize)> {
        let mut rows: Vec<(&Row<'_>, f64)> = study
            .finished()
            .into_iter()
            .filter_map(|r| Some((r, r.counts()?)))
            .collect();
        if rows.is_empty() {
            return None;
        }
        rows.sort_by(|a, b| match study.goal() {
            Goal::Minimize => b.1.total_cmp(&a.1),
            Goal::Maximize => a.1.total_cmp(&b.1),
        });
        rows.drain(..rows.len().saturating_sub(LINES));
        let mut parameters: Vec<&Parameter> = study.spec.parameters.iter().filter(|p| p.constant.is_none()).collect();
        parameters.sort_by(|a, b| a.name.cmp(&b.name));
        let mut dimensions: Vec<Axis> = parameters.iter().map(|p| Axis::parameter(p, &rows)).collect();
        let objectives: Vec<f64> = rows.iter().map(|(_, objective)| *objective).collect();
        let objective = Axis::numbers(
            study.objective(),
            objectives.iter().copied().map(Some).collect(),
            [None, None],
            spans_magnitudes(&objectives),
        );
        let line = Colors {
            color: objective.values.clone(),
            cmin: objective.range[0],
            cmax: objective.range[1],
            colorscale: ColorScale::Palette(ColorScalePalette::Viridis),
            reversescale: study.goal() == Goal::Maximize,
            showscale: true,
            colorbar: colorbar(&objective),
        };
        dimensions.push(objective);
        let axes = dimensions.len();
        let this = Self {
            r#type: "parcoords",
            line,
            dimensions,
        };
        Some((this, axes))
    }
}

fn colorbar(objective: &Axis) -> ColorBar {
    let bar = ColorBar::new().thickness(12).title(Title::with_text(""));
    if objective.tickvals.is_empty() {
        bar
    } else {
        bar.tick_vals(objective.tickvals.clone())
            .tick_text(objective.ticktext.clone())
    }
}

/// Whether values are better shown by their magnitudes: all above zero, and the greatest a hundred times the least.
pub fn spans_magnitudes(values: &[f64]) -> bool {
    let (low, high) = bounds(values.iter().copied());
    low > 0.0 && high / low >= 100.0
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    })
}

impl Axis {
    fn parameter(parameter: &Parameter, rows: &[(&Row<'_>, f64)]) -> Self {
        let values: Vec<Option<&Value>> = rows
            .iter()
            .map(|(row, _)| row.parameters.get(&parameter.name))
            .collect();
        let numbers = || values.iter().map(|v| v.and_then(Value::as_f64)).collect();
        let name = &parameter.name;
        if let Some(double) = &parameter.double {
            return Self::numbers(name, numbers(), [double.min, double.max], double.scale == Scale::Log);
        }
        #[allow(clippy::cast_precision_loss, reason = "a place on an axis")]
        if let Some(int) = &parameter.int {
            let range = [Some(int.min as f64), Some(int.max as f64)];
            return Self::numbers(name, numbers(), range, int.scale == Scale::Log);
        }
        let choices = parameter.ordinal.as_ref().map(|o| &o.values);
        let choices = choices.or(parameter.categorical.as_ref().map(|c| &c.values));
        Self::choices(name, &values, choices.map_or(&[], Vec::as_slice))
    }

    /// An axis of values side by side; what is not among `choices`, or inactive, comes after them.
    fn choices(name: &str, values: &[Option<&Value>], choices: &[Value]) -> Self {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut texts = Vec::new();
        let mut on_axis = Vec::new();
        for value in choices.iter().map(Some).chain(values.iter().copied()) {
            // As JSON, so that the text "1" is not the number 1; no JSON is empty.
            let at = *places
                .entry(value.map(Value::to_string).unwrap_or_default())
                .or_insert_with(|| {
                    texts.push(value.map_or_else(|| "inactive".to_owned(), |v| clipped(&columns::cell(v), TEXT)));
                    texts.len() - 1
                });
            on_axis.push(at);
        }
        let place = |i: usize| u32::try_from(i).map_or(0.0, f64::from);
        let step = texts.len().div_ceil(TICKS).max(1);
        let (tickvals, ticktext) = texts
            .iter()
            .enumerate()
            .step_by(step)
            .map(|(i, t)| (place(i), t.clone()))
            .unzip();
        Self {
            label: plain(&clipped(name, TEXT)),
            values: on_axis.into_iter().skip(choices.len()).map(place).collect(),
            range: [-0.2, place(texts.len().saturating_sub(1)).max(0.2) + 0.2],
            tickvals,
            ticktext,
        }
    }

    /// An axis of numbers between `range`, as far as it is given and the values keep to it; with `log`, of their magnitudes.
    fn numbers(name: &str, values: Vec<Option<f64>>, range: [Option<f64>; 2], log: bool) -> Self {
        let (mut low, mut high) = bounds(values.iter().flatten().copied().chain(range.into_iter().flatten()));
        if !low.is_finite() || !high.is_finite() {
            (low, high) = (1.0, 2.0);
        }
        let log = log && low > 0.0;
        let scaled = |value: f64| if log { value.log10() } else { value };
        let (mut from, mut to) = (scaled(low), scaled(high));
        if to - from <= f64::EPSILON * from.abs() {
            let around = if from == 0.0 { 1.0 } else { from.abs() * 0.1 };
            (from, to) = (from - around, to + around);
        }
        let inactive = values.iter().any(Option::is_none);
        let (mut tickvals, mut ticktext): (Vec<f64>, Vec<String>) = match (log, inactive) {
            (true, _) => log_ticks(low, high).into_iter().map(|t| (t.log10(), short(t))).unzip(),
            (false, true) => linear_ticks(from, to).into_iter().map(|t| (t, short(t))).unzip(),
            (false, false) => (Vec::new(), Vec::new()),
        };
        let nowhere = from - (to - from) * 0.12;
        if inactive {
            tickvals.insert(0, nowhere);
            ticktext.insert(0, "inactive".to_owned());
        }
        Self {
            label: plain(&clipped(name, TEXT)),
            values: values.into_iter().map(|v| v.map_or(nowhere, scaled)).collect(),
            range: [if inactive { nowhere } else { from }, to],
            tickvals,
            ticktext,
        }
    }
}

/// Round numbers between two that are above zero: powers of ten, or also their doubles and fivefolds where those are few.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    #[allow(clippy::cast_possible_truncation, reason = "exponents of doubles are small")]
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let fine: &[f64] = if high / low < 1e3 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = usize::try_from((last - first) / 10 + 1).unwrap_or(1);
    let mut ticks: Vec<f64> = (first..=last)
        .step_by(every)
        .flat_map(|e| fine.iter().map(move |m| format!("{m}e{e}").parse().unwrap_or(f64::NAN)))
        .filter(|t| (low * 0.999..=high * 1.001).contains(t))
        .collect();
    if ticks.len() < 2 {
        ticks = vec![low, high];
    }
    ticks
}

/// Some five round numbers between two.
fn linear_ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil();
    (0..=10)
        .map(|i| (first + f64::from(i)) * step)
        .take_while(|t| *t <= high + step * 1e-9)
        .collect()
}

/// Text for plotly.js, which reads a little HTML in it.
pub fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text of at most so many characters.
pub fn clipped(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(log_ticks(1e-7, 0.1), [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]);
        assert_eq!(log_ticks(8.0, 64.0), [10.0, 20.0, 50.0]);
        assert_eq!(log_ticks(3.0, 4.0), [3.0, 4.0]);
        assert_eq!(linear_ticks(0.0, 1.0), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(linear_ticks(-3.0, 12.0), [0.0, 5.0, 10.0]);
        assert!(spans_magnitudes(&[0.01, 1.0]) && !spans_magnitudes(&[0.0, 1.0]) && !spans_magnitudes(&[]));
    }
}
