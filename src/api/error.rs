//! Errors about a field of what somebody wrote.

use std::fmt;

/// One thing that is wrong, and where: what a person needs to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
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
