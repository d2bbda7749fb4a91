//! Everything that can be wrong with a metrics file.

use std::fmt;

/// How many names an error message lists at most.
const NAMES_SHOWN: usize = 8;
/// How many names are compared with the one that is missing, at most.
const NAMES_COMPARED: usize = 1000;
/// How many characters of a name are shown and compared.
const NAME_LENGTH: usize = 64;

/// Why a metrics file gives no objective. The variant's name is the reason that users see.
///
/// Messages quote names from the file, cut to a bounded length, and never its text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    /// There is none.
    #[error("no metrics file at {0}: the trial has to write it before it ends")]
    MetricsMissing(String),

    /// Nothing is in it.
    #[error("the metrics file is empty: the trial has to write a JSON object into it before it ends")]
    MetricsEmpty,

    /// It is over a limit; the limit is named.
    #[error("the metrics file has more than {0}")]
    MetricsTooLarge(String),

    /// The trial has left it so that it cannot be read.
    #[error("the metrics file cannot be read: {0}: the trial has to leave it, and the folders above it, readable")]
    MetricsUnreadable(String),

    /// It is packed in a way that cannot be read.
    #[error("the metrics file is {0}: write it with `archive: {{none: {{}}}}`")]
    MetricsBadArchive(String),

    /// It is not JSON.
    #[error("the metrics file is not JSON: line {line}, column {column}: {message}")]
    MetricsNotJson {
        /// The line, from 1.
        line: usize,
        /// The column, in characters from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },

    /// It is JSON but not an object, or one of its lines is not.
    #[error(
        "the metrics file has {found} in line {line} where an object is needed: write {{\"<metric>\": <number>, ...}}"
    )]
    MetricsNotObject {
        /// What stands there.
        found: &'static str,
        /// The line, from 1.
        line: usize,
    },

    /// It does not have the objective's key.
    #[error("the metrics file has no `{}`: {}", Name(.key), Names(.key, .there))]
    MetricMissing {
        /// The key that the objective needs.
        key: String,
        /// The keys that the file has, the nearest first.
        there: Vec<String>,
    },

    /// The objective's key has no number.
    #[error("`{}` in the metrics file is {found}: it has to be a number, or a list of numbers", Name(.key))]
    MetricWrongType {
        /// The key that the objective needs.
        key: String,
        /// What stands there.
        found: &'static str,
    },

    /// The objective is NaN or infinite.
    #[error("{what} is {value}: the training diverged, or divided by zero")]
    MetricNotFinite {
        /// The objective: its key, or its expression.
        what: String,
        /// `NaN`, `Infinity` or `-Infinity`.
        value: &'static str,
    },

    /// The objective's expression gives no number.
    #[error("the objective `{expression}` cannot be evaluated: {message}")]
    MetricValueFailed {
        /// The expression.
        expression: String,
        /// What is wrong.
        message: String,
    },
}

impl MetricsError {
    /// The variant's name.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MetricsMissing(_) => "MetricsMissing",
            Self::MetricsEmpty => "MetricsEmpty",
            Self::MetricsTooLarge(_) => "MetricsTooLarge",
            Self::MetricsUnreadable(_) => "MetricsUnreadable",
            Self::MetricsBadArchive(_) => "MetricsBadArchive",
            Self::MetricsNotJson { .. } => "MetricsNotJson",
            Self::MetricsNotObject { .. } => "MetricsNotObject",
            Self::MetricMissing { .. } => "MetricMissing",
            Self::MetricWrongType { .. } => "MetricWrongType",
            Self::MetricNotFinite { .. } => "MetricNotFinite",
            Self::MetricValueFailed { .. } => "MetricValueFailed",
        }
    }

    /// That `key` is missing where the names `there` are.
    pub(super) fn missing<'a>(key: &str, there: impl Iterator<Item = &'a str>) -> Self {
        let wanted = cut(key);
        let mut there: Vec<(f64, &str)> = there
            .take(NAMES_COMPARED)
            .map(|name| (strsim::jaro_winkler(&wanted, &cut(name)), name))
            .collect();
        there.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        Self::MetricMissing {
            key: key.to_owned(),
            there: there.into_iter().map(|(_, name)| cut(name)).collect(),
        }
    }

    /// That `what` is `value`, which is not finite.
    pub(super) fn not_finite(what: String, value: f64) -> Self {
        Self::MetricNotFinite {
            what,
            value: match value {
                f64::INFINITY => "Infinity",
                f64::NEG_INFINITY => "-Infinity",
                _ => "NaN",
            },
        }
    }
}

fn cut(name: &str) -> String {
    name.chars().take(NAME_LENGTH).collect()
}

/// A name from the file, made fit for a message: bounded, without control characters.
pub(super) struct Name<'a>(pub &'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars().take(NAME_LENGTH) {
            if c.is_control() {
                write!(f, "{}", c.escape_debug())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        if self.0.chars().nth(NAME_LENGTH).is_some() {
            f.write_str("...")?;
        }
        Ok(())
    }
}

/// The key that is missing, and the keys that are there.
struct Names<'a>(&'a str, &'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(key, there) = self;
        let Some(nearest) = there.first() else {
            return f.write_str("it has nothing at all in it");
        };
        if strsim::jaro_winkler(&cut(key), nearest) > 0.8 {
            write!(f, "did you mean `{}`? ", Name(nearest))?;
        }
        f.write_str("it has ")?;
        for (i, name) in there.iter().take(NAMES_SHOWN).enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}`{}`", Name(name))?;
        }
        match there.len().saturating_sub(NAMES_SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
