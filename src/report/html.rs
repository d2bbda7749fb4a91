//! `report.html`: charts and a table in one file that needs nothing else.

use std::{fmt::Write, sync::LazyLock};

use plotly::{Configuration, Layout, Plot, Trace, Traces, layout::Margin};
use serde::Serialize;
use serde_json::Value;

use super::{
    Row, StudyReport, chart,
    columns::{cell, number},
    parcoords::{LINES, ParallelCoordinates},
    rows::status,
};
use crate::api::{Goal, Parameter, TrialPhase};

/// The most trials in the table; the rest are in `study_results.csv`.
const MOST: usize = 1000;

/// The script of plotly.js with its tags, once. The crate gives MathJax along, which no chart here uses.
pub(super) static PLOTLY: LazyLock<String> = LazyLock::new(|| {
    let mut scripts = Plot::offline_js_sources();
    const END: &str = "</script>";
    if let Some(end) = scripts.find(END) {
        scripts.truncate(end + END.len());
    }
    scripts.shrink_to_fit();
    scripts
});

const STYLE: &str = include_str!("report.css");

/// The report as one HTML file of some 4.7 MB, nearly all of it plotly.js.
pub fn report(study: &StudyReport<'_>) -> String {
    let rows = 400 * study.trials.len().min(MOST) + 400 * study.trials.len();
    let mut page = String::with_capacity(PLOTLY.len() + (64 << 10) + rows);
    let name = escaped(study.name);
    // Nothing is loaded from anywhere; plotly.js compiles its drawing code, which is what `unsafe-eval` allows.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; \
         style-src 'unsafe-inline'; img-src data: blob:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name} · hyperstudy</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    header(&mut page, study, &name);
    charts(&mut page, study);
    table(&mut page, study);
    let _ = write!(
        page,
        "<footer>Study {} · written by hyperstudy {}</footer>\n</main>\n</body>\n</html>\n",
        escaped(study.uid),
        env!("CARGO_PKG_VERSION")
    );
    page
}

fn header(page: &mut String, study: &StudyReport<'_>, name: &str) {
    let goal = match study.goal() {
        Goal::Minimize => "Minimize",
        Goal::Maximize => "Maximize",
    };
    let _ = write!(
        page,
        "<header>\n<h1>{name}</h1>\n<p class=\"goal\">{goal} <code>{}</code></p>\n",
        escaped(study.objective())
    );
    let count = |phase| study.trials.iter().filter(|row| row.phase == phase).count();
    let finished = study.finished();
    page.push_str("<ul class=\"counts\">");
    for (count, what) in [
        (finished.len(), "finished"),
        (count(TrialPhase::Succeeded), "succeeded"),
        (count(TrialPhase::Failed), "failed"),
        (count(TrialPhase::Stopped), "stopped"),
        (study.trials.len() - finished.len(), "unfinished"),
    ] {
        if count > 0 || matches!(what, "finished" | "succeeded") {
            let _ = write!(page, "<li class=\"{what}\"><b>{count}</b> {what}</li>");
        }
    }
    let start = study.trials.iter().filter_map(|row| row.start_time).min();
    let end = finished.iter().filter_map(|row| row.completion_time).max();
    if let Some(took) = start.zip(end).and_then(|(start, end)| took(start, end)) {
        let _ = write!(page, "<li><b>{took}</b> in all</li>");
    }
    page.push_str("</ul>\n</header>\n");
    best(page, study);
}

fn best(page: &mut String, study: &StudyReport<'_>) {
    let Some((row, objective)) = study.best() else {
        page.push_str("<section class=\"card best\"><h2>No best trial</h2><p>No finished trial has an objective yet.</p></section>\n");
        return;
    };
    let _ = write!(
        page,
        "<section class=\"card best\">\n<h2>Best: trial {}</h2>\n<p class=\"value\" title=\"{}\">{} <small>{}</small></p>\n<dl>",
        row.number,
        number(objective),
        short(objective),
        escaped(study.objective())
    );
    for (name, value) in row.parameters {
        let _ = write!(
            page,
            "<div><dt>{}</dt><dd title=\"{}\">{}</dd></div>",
            escaped(name),
            escaped(&cell(value)),
            escaped(&value.as_f64().map_or_else(|| cell(value).into_owned(), short))
        );
    }
    page.push_str("</dl>\n");
    if let Some(path) = &row.output_path {
        let _ = writeln!(page, "<p class=\"path\">{}</p>", escaped(path));
    }
    page.push_str("</section>\n");
}

fn charts(page: &mut String, study: &StudyReport<'_>) {
    let Some((traces, layout)) = chart::best_so_far(study) else {
        return;
    };
    page.push_str(&PLOTLY);
    page.push_str(
        "\n<section class=\"card\"><h2>Best so far</h2><div id=\"progress\" class=\"chart\"></div></section>\n",
    );
    plot(page, "progress", &traces, &layout);
    let Some((lines, axes)) = ParallelCoordinates::of(study) else {
        return;
    };
    let _ = writeln!(
        page,
        "<section class=\"card\"><h2>Parameters and objective</h2><p class=\"hint\">A line is a trial{}, dark ones are better. Drag along an axis to select, \
         drag an axis by its name to move it.</p><div class=\"wide\"><div id=\"lines\" class=\"chart\" style=\"min-width:{}px\"></div></div></section>",
        if study.finished().len() > LINES {
            " (the best 2000)"
        } else {
            ""
        },
        (axes * 105).max(320)
    );
    let mut traces = Traces::new();
    traces.push(Box::new(lines) as Box<dyn Trace>);
    plot(
        page,
        "lines",
        &traces,
        &chart::layout().margin(Margin::new().left(70).right(30).top(52).bottom(24)),
    );
}

/// The script that draws a chart into the element `id`.
fn plot(page: &mut String, id: &str, traces: &Traces, layout: &Layout) {
    let configuration = Configuration::new().responsive(true).display_logo(false);
    let _ = writeln!(
        page,
        "<script>Plotly.newPlot(\"{id}\", {}, {}, {});</script>",
        script(traces),
        script(layout),
        script(&configuration)
    );
}

/// JSON that stands inside a script: no text in it can end the script.
fn script(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    json.replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn table(page: &mut String, study: &StudyReport<'_>) {
    let mut rows = study.finished();
    if rows.is_empty() {
        return;
    }
    let all = rows.len();
    // Best first, what has no objective last, by number where they are alike.
    rows.sort_by(|a, b| match (a.counts(), b.counts()) {
        (Some(one), Some(other)) => match study.goal() {
            Goal::Minimize => one.total_cmp(&other),
            Goal::Maximize => other.total_cmp(&one),
        },
        (one, other) => other.is_some().cmp(&one.is_some()),
    });
    rows.truncate(MOST);
    page.push_str("<section class=\"card\"><h2>Trials</h2>");
    if rows.len() < all {
        let _ = write!(
            page,
            "<p class=\"hint\">The best {MOST} of {all}; all are in study_results.csv.</p>"
        );
    }
    let _ = write!(
        page,
        "<div class=\"wide table\"><table>\n<thead><tr><th class=\"n\">Trial</th><th>Status</th><th class=\"n\">{}</th>",
        escaped(study.objective())
    );
    let mut parameters: Vec<&Parameter> = study.spec.parameters.iter().collect();
    parameters.sort_by(|a, b| a.name.cmp(&b.name));
    for parameter in &parameters {
        let class = if is_number(parameter) { " class=\"n\"" } else { "" };
        let _ = write!(page, "<th{class}>{}</th>", escaped(&parameter.name));
    }
    page.push_str("<th class=\"n\">Time</th></tr></thead>\n<tbody>\n");
    for row in rows {
        let status = status(row);
        let _ = write!(
            page,
            "<tr><td class=\"n\">{}</td><td class=\"{status}\">{}</td><td class=\"n\">{}</td>",
            row.number,
            status.to_lowercase(),
            row.objective.map(short).unwrap_or_default()
        );
        for parameter in &parameters {
            cell_of(page, row, parameter);
        }
        let time = row
            .start_time
            .zip(row.completion_time)
            .and_then(|(start, end)| took(start, end));
        let _ = writeln!(page, "<td class=\"n\">{}</td></tr>", time.unwrap_or_default());
    }
    page.push_str("</tbody></table></div></section>\n");
}

/// Whether all values of a parameter are numbers, which stand on the right.
fn is_number(parameter: &Parameter) -> bool {
    let ordinal = parameter
        .ordinal
        .as_ref()
        .is_some_and(|o| o.values.iter().all(Value::is_number));
    parameter.double.is_some() || parameter.int.is_some() || ordinal
}

fn cell_of(page: &mut String, row: &Row<'_>, parameter: &Parameter) {
    let Some(value) = row.parameters.get(&parameter.name) else {
        page.push_str("<td></td>");
        return;
    };
    let text = value.as_f64().map_or_else(|| cell(value).into_owned(), short);
    let class = if is_number(parameter) { " class=\"n\"" } else { "" };
    let _ = write!(page, "<td{class}>{}</td>", escaped(&text));
}

/// The time between two, for people; `None` where they are the wrong way round.
fn took(start: jiff::Timestamp, end: jiff::Timestamp) -> Option<String> {
    let took = std::time::Duration::try_from(end.duration_since(start)).ok()?;
    if took.as_secs() >= 60 {
        return Some(crate::api::Duration::from_secs(took.as_secs()).to_string());
    }
    Some(format!("{:.1}s", took.as_secs_f64()))
}

/// A number for people: six significant digits at most.
pub fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return number(value);
    }
    let magnitude = value.abs();
    if !(1e-4..1e9).contains(&magnitude) {
        let text = format!("{value:.5e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.')
        } else {
            digits
        };
        return format!("{digits}e{exponent}");
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 9")]
    let decimals = (5.0 - magnitude.log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Text that stands in HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
