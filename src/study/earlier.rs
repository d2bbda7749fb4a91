//! What earlier studies found, which a study may start from.

use std::fmt::Write;

use serde_json::Value;

use crate::{
    api::{FieldErrors, History, Origin},
    sampler::{Observation, Outcome},
    space::Config,
};

use super::Study;

/// The table of results in a study's folder.
const TABLE: &str = "study_results.csv";

/// How many earlier results are kept.
pub const MOST_EARLIER: usize = 10_000;

/// Where earlier results stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A table at this address in S3.
    Table(String),
    /// A table, or a folder with one, at this path; only without a cluster.
    File(String),
    /// A study of the same namespace; without a cluster, one below the same output path.
    Study(String),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Table(address) => f.write_str(address),
            Self::File(path) => f.write_str(path),
            Self::Study(name) => write!(f, "the study `{name}`"),
        }
    }
}

/// The address of the table of the study whose folder is at `folder`.
pub fn table_of(folder: &str) -> String {
    format!("{}/{TABLE}", folder.trim_end_matches('/'))
}

/// The sources that `history` names, for the study `name` whose folder is at `folder`. A path on this machine counts where `is_local`.
///
/// # Errors
/// Everything that is wrong, paths from the object's root.
pub(super) fn sources(
    history: Option<&History>,
    name: &str,
    folder: &str,
    is_local: bool,
) -> Result<Vec<Source>, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut sources = Vec::new();
    for (i, entry) in history.into_iter().flat_map(|history| &history.from).enumerate() {
        match source(entry, name, folder, is_local) {
            Ok(source) if sources.contains(&source) => {
                let message = format!("{source} is there already: name each once, or its results count twice");
                errors.push(format!("spec.history.from[{i}]"), message);
            }
            Ok(source) => sources.push(source),
            Err(message) => errors.push(format!("spec.history.from[{i}]"), message),
        }
    }
    errors.or_ok(sources)
}

fn source(entry: &Value, name: &str, folder: &str, is_local: bool) -> Result<Source, String> {
    let hint = "write `s3://bucket/path/study_results.csv`, or `{study: NAME}`";
    match entry {
        Value::String(text) if text.contains("{{") || text.contains("${") => {
            Err("is taken as it stands: neither `{{...}}` nor `${...}` is replaced here".to_owned())
        }
        Value::String(text) if text.starts_with("s3://") => {
            let path = text.trim_end_matches('/');
            if !is_address(path) {
                return Err(format!(
                    "`{text}` is no address of a file or folder: {hint}; a bucket's name has 3 to 63 lower-case letters, digits, `.` and `-`, and no segment of the path is empty, `.` or `..`"
                ));
            }
            let address = if path.ends_with(".csv") {
                path.to_owned()
            } else {
                table_of(path)
            };
            if address.starts_with(&format!("{folder}/")) {
                return Err(format!(
                    "{address} lies in the folder of this study itself: give the study another name or outputPath, or copy the table elsewhere"
                ));
            }
            Ok(Source::Table(address))
        }
        Value::String(text) if is_local && !text.is_empty() => Ok(Source::File(text.clone())),
        Value::String(text) => Err(format!("`{text}` is no address in S3: {hint}")),
        Value::Object(fields) => match (fields.len(), fields.get("study")) {
            (1, Some(Value::String(study))) if study == name => {
                Err("is this study itself: name an earlier one".to_owned())
            }
            (1, Some(Value::String(study))) if is_study_name(study) => Ok(Source::Study(study.clone())),
            (1, Some(study)) => Err(format!("{study} is no name of a study")),
            _ => Err(format!("has to have the field `study` and no other: {hint}")),
        },
        _ => Err(format!("has to be text or an object: {hint}")),
    }
}

/// Whether it has a bucket's name, and a path whose parts can be folders' names.
fn is_address(text: &str) -> bool {
    let Some((bucket, key)) = text.strip_prefix("s3://").and_then(|path| path.split_once('/')) else {
        return false;
    };
    let in_bucket = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-');
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
    (3..=63).contains(&bucket.len())
        && bucket.bytes().all(in_bucket)
        && key.len() <= 1024
        && key.split('/').all(is_part)
}

fn is_study_name(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=52).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// One result of an earlier study, as a configuration of this study's space.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The configuration; what the earlier study did not have may be lacking.
    pub config: Config,
    /// The objective, finite, as this study's goal sees it; `None` where the trial failed.
    pub objective: Option<f64>,
}

/// How many trials of one source were of use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that there are.
    pub trials: usize,
    /// Those that are used.
    pub used: usize,
    /// Those that lie outside of the space: bounds, steps, values, constraints.
    pub outside: usize,
    /// Those that ended without the objective.
    pub without: usize,
    /// Those with a cell that cannot be read, and the line of the first of them.
    pub unreadable: usize,
    /// See there.
    pub first_line: u64,
    /// Those that have none of the parameters.
    pub foreign: usize,
}

impl Counts {
    /// What became of the trials of `source`, for people.
    pub fn tell(&self, source: &Source) -> String {
        let Self { trials, used, .. } = self;
        let noun = if *trials == 1 { "trial" } else { "trials" };
        let mut text = format!("{used} of {trials} {noun} from {source}");
        let mut separator = " (";
        for (count, one, several) in [
            (self.outside, "lies outside the space", "lie outside the space"),
            (
                self.without,
                "has no value of the objective",
                "have no value of the objective",
            ),
            (self.unreadable, "cannot be read", "cannot be read"),
            (
                self.foreign,
                "has none of the parameters",
                "have none of the parameters",
            ),
        ] {
            if count > 0 {
                let what = if count == 1 { one } else { several };
                let _ = write!(text, "{separator}{count} {what}");
                separator = ", ";
            }
        }
        if separator == ", " {
            text.push(')');
        }
        if self.unreadable > 0 {
            let _ = write!(text, "; look at line {}", self.first_line);
        }
        text
    }
}

/// What earlier studies found, as far as a study starts from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Earlier {
    /// The results, older ones first.
    pub past: Vec<Past>,
    /// What came from where, for people.
    pub note: String,
    origin: Origin,
}

impl Earlier {
    /// Of `past`, in the order of the sources and of their trials, as many as are kept; there were `all` before some were left out.
    pub fn new(study: &Study, past: Vec<Past>, all: usize, mut note: String) -> Self {
        let past = kept(study, past);
        if past.len() < all {
            let half = MOST_EARLIER / 2;
            let _ = write!(
                note,
                "; of these {all} the best {half} and the newest {half} others are used"
            );
        }
        Self {
            past,
            note,
            origin: Origin::default(),
        }
    }

    /// As samplers see it.
    pub fn observations<'a>(&'a self, study: &'a Study) -> impl Iterator<Item = Observation<'a>> {
        self.past.iter().map(|past| Observation {
            number: 0,
            config: &past.config,
            origin: &self.origin,
            outcome: past
                .objective
                .map_or(Outcome::Failed, |value| Outcome::Value(study.objective.loss(value))),
        })
    }
}

/// At most [`MOST_EARLIER`] of `past`, in their order: the best half, and of the others the newest.
pub fn kept(study: &Study, past: Vec<Past>) -> Vec<Past> {
    if past.len() <= MOST_EARLIER {
        return past;
    }
    let loss = |past: &Past| {
        past.objective
            .map_or(f64::INFINITY, |value| study.objective.loss(value))
    };
    let mut order: Vec<(usize, f64)> = past.iter().map(loss).enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let half = MOST_EARLIER / 2;
    let mut is_kept = vec![false; past.len()];
    for (at, _) in order.into_iter().take(half) {
        is_kept[at] = true;
    }
    let mut left = MOST_EARLIER - half;
    for kept in is_kept.iter_mut().rev().filter(|kept| !**kept) {
        if left == 0 {
            break;
        }
        *kept = true;
        left -= 1;
    }
    past.into_iter()
        .zip(is_kept)
        .filter_map(|(past, kept)| kept.then_some(past))
        .collect()
}

/// What is known of a study's history.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Memory {
    /// Nothing yet; a study that has a history proposes nothing before it is known.
    #[default]
    Unread,
    /// It cannot be read: why, for people, and when it is worth trying again.
    Unreadable(String, jiff::Timestamp),
    /// This.
    Known(std::sync::Arc<Earlier>),
}

#[cfg(test)]
mod tests;
