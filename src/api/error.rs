//! Errors about a field of what somebody wrote.

use std::{
    borrow::Cow,
    fmt::{self, Write},
};

/// How long a path and a sentence may be, in bytes: they hold what people wrote, who may have written anything.
const LONGEST_PATH: usize = 512;
const LONGEST_SENTENCE: usize = 6 << 10;

/// A sentence that holds what somebody wrote, as it can be shown: on one line, without what would steer a terminal, and of bounded length.
pub fn sentence(text: &str) -> Cow<'_, str> {
    shown(text, LONGEST_SENTENCE)
}

fn shown(text: &str, most: usize) -> Cow<'_, str> {
    // Also what turns the direction of writing, which makes a text look like another one.
    let is_hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.len() <= most && !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut line = String::new();
    for c in text.chars() {
        if line.len() >= most {
            line.push_str(" ... (cut)");
            break;
        }
        if is_hidden(c) {
            let _ = write!(line, "{}", c.escape_debug());
        } else {
            line.push(c);
        }
    }
    Cow::Owned(line)
}

/// One thing that is wrong, and where: what a person needs to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", shown(path, LONGEST_PATH), sentence(message))]
pub struct FieldError {
    /// The path of the field from the object's root, e.g. `spec.parameters[2].int.step`.
    pub path: String,
    /// What is wrong and what to do, in one sentence without the path.
    pub message: String,
}

impl FieldError {
    /// An error at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }

    /// The same error with its path below `prefix`: `prefix.path`, or `prefix[0]` for a path that starts with an index.
    #[must_use]
    pub fn below(mut self, prefix: &str) -> Self {
        self.path = match (prefix, self.path.as_str()) {
            ("", _) => return self,
            (prefix, "") => prefix.to_owned(),
            (prefix, path) if path.starts_with('[') => format!("{prefix}{path}"),
            (prefix, path) => format!("{prefix}.{path}"),
        };
        self
    }
}

/// Everything that is wrong with an object, in the order of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    /// `Ok` with `value` where nothing is wrong.
    ///
    /// # Errors
    /// Itself, where anything is.
    pub fn or_ok<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Notes one more error.
    pub fn push(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(FieldError::new(path, message));
    }

    /// Whether something has been said of the field of `error`, of one below it or of one that it is in: what two checks find is one mistake.
    pub fn covers(&self, error: &FieldError) -> bool {
        let within = |inner: &str, outer: &str| {
            let rest = inner.strip_prefix(outer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let overlaps = |known: &FieldError| within(&error.path, &known.path) || within(&known.path, &error.path);
        self.0.iter().any(overlaps)
    }

    /// Notes all of `other`, their paths below `prefix`.
    pub fn extend_below(&mut self, prefix: &str, other: Self) {
        self.0.extend(other.0.into_iter().map(|e| e.below(prefix)));
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for FieldErrors {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn an_error_is_one_line_whatever_somebody_wrote() {
        let error = FieldError::new("spec.a\nb", "there is no `\u{1b}[2Jé\u{2028}`");
        assert_eq!(error.to_string(), r"spec.a\nb: there is no `\u{1b}[2Jé\u{2028}`");
        let long = FieldError::new("é".repeat(9000), "\n".repeat(9000)).to_string();
        assert!(long.len() < 8 << 10 && long.contains("é ... (cut): ") && long.ends_with("\\n ... (cut)"));
    }
}
