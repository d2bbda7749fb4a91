//! The best so far: every trial's objective by its number, and the best up to there.

use std::fmt::Write;

use plotly::{
    Layout, Scatter, Traces,
    common::{Font, HoverInfo, Line, LineShape, Marker, Mode, Title},
    layout::{Axis, AxisType, HoverMode, Legend, Margin},
};

use super::{
    StudyReport,
    html::short,
    parcoords::{clipped, plain, spans_magnitudes},
};
use crate::{api::TrialPhase, report::columns};

/// From that many points on, the browser draws them with WebGL.
const MANY: usize = 2000;
/// The charts' font, the page's own.
const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/// The traces and the layout; `None` where no trial has an objective.
pub fn best_so_far(study: &StudyReport<'_>) -> Option<(Traces, Layout)> {
    let mut numbers = Vec::new();
    let mut values: Vec<f64> = Vec::new();
    let mut bests: Vec<f64> = Vec::new();
    let mut texts = Vec::new();
    let finished = study.finished();
    let many = finished.len() > MANY;
    for row in finished {
        let Some(value) = row.counts() else { continue };
        let best = bests
            .last()
            .copied()
            .filter(|best| !study.is_better(value, *best))
            .unwrap_or(value);
        numbers.push(row.number);
        values.push(value);
        bests.push(best);
        let stopped = if row.phase == TrialPhase::Stopped {
            " (stopped)"
        } else {
            ""
        };
        let mut text = format!(
            "<b>trial {}</b>{stopped}<br>{}",
            row.number,
            plain(&columns::number(value))
        );
        // Of very many, the texts would be most of the file.
        for (name, value) in row.parameters.iter().take(if many { 0 } else { 12 }) {
            let shown = value.as_f64().map_or_else(|| columns::cell(value).into_owned(), short);
            let _ = write!(text, "<br>{} = {}", plain(name), plain(&clipped(&shown, 40)));
        }
        texts.push(text);
    }
    if values.is_empty() {
        return None;
    }
    let log = spans_magnitudes(&values);
    let mut traces = Traces::new();
    traces.push(
        Scatter::new(numbers.clone(), values)
            .name("trial")
            .mode(Mode::Markers)
            .marker(Marker::new().color("#9db2d6").size(7))
            .hover_text_array(texts)
            .hover_info(HoverInfo::Text)
            .web_gl_mode(many),
    );
    traces.push(
        Scatter::new(numbers, bests)
            .name("best so far")
            .mode(Mode::Lines)
            .line(Line::new().color("#1f5fbf").width(2.5).shape(LineShape::Hv))
            .hover_info(HoverInfo::Skip)
            .web_gl_mode(many),
    );
    let axis = || {
        Axis::new()
            .grid_color("#e8ebf0")
            .zero_line(false)
            .line_color("#c9d0da")
            .auto_margin(true)
    };
    let kind = if log { AxisType::Log } else { AxisType::Linear };
    let layout = layout()
        .x_axis(
            axis()
                .title(Title::with_text("trial"))
                .range_mode(plotly::layout::RangeMode::Normal),
        )
        .y_axis(
            axis()
                .title(Title::with_text(plain(&clipped(study.objective(), 40))))
                .type_(kind),
        )
        .hover_mode(HoverMode::Closest)
        .legend(
            Legend::new()
                .orientation(plotly::common::Orientation::Horizontal)
                .x(0.0)
                .y(1.12),
        )
        .margin(Margin::new().left(60).right(16).top(30).bottom(44));
    Some((traces, layout))
}

/// What the charts have in common.
pub fn layout() -> Layout {
    Layout::new()
        .font(Font::new().family(FONT).size(12).color("#3b4450"))
        .paper_background_color("#ffffff")
        .plot_background_color("#ffffff")
        .auto_size(true)
}
