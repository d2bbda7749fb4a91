//! What an API server says where it says no.

use serde_json::{Value, json};

use super::kinds::Kind;

/// A request that was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The HTTP code.
    pub code: u16,
    /// One word.
    pub reason: &'static str,
    /// A sentence.
    pub message: String,
    /// After how many seconds to try again.
    pub retry_after: Option<u64>,
    /// Which object, where it is about one.
    about: Option<(&'static Kind, String)>,
}

impl Refusal {
    /// A refusal that is about no object.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            retry_after: None,
            about: None,
        }
    }

    /// To be tried again after so many seconds.
    pub fn after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    fn about(mut self, kind: &'static Kind, name: &str) -> Self {
        self.about = Some((kind, name.to_owned()));
        self
    }

    /// There is no such object.
    pub fn not_found(kind: &'static Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", kind.resource())).about(kind, name)
    }

    /// There is one already.
    pub fn already_exists(kind: &'static Kind, name: &str) -> Self {
        Self::new(
            409,
            "AlreadyExists",
            format!("{} \"{name}\" already exists", kind.resource()),
        )
        .about(kind, name)
    }

    /// The object is another by now.
    pub fn conflict(kind: &'static Kind, name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.resource());
        Self::new(409, "Conflict", message).about(kind, name)
    }

    /// The object has been modified.
    pub fn modified(kind: &'static Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// The object is not as it has to be.
    pub fn invalid(kind: &'static Kind, name: &str, why: &str) -> Self {
        let message = format!("{}.{} \"{name}\" is invalid: {why}", kind.kind, kind.group);
        Self::new(422, "Invalid", message).about(kind, name)
    }

    /// The request makes no sense.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// What was asked for is too old to be known.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// The refusal with this code that a fault asks for.
    pub fn of_code(code: u16, kind: &'static Kind, name: &str) -> Self {
        match code {
            403 => Self::new(
                403,
                "Forbidden",
                format!("{} \"{name}\" is forbidden: by a fault", kind.resource()),
            ),
            409 => Self::modified(kind, name),
            410 => Self::expired("too old resource version: by a fault"),
            422 => Self::invalid(kind, name, "by a fault"),
            429 => Self::new(429, "TooManyRequests", "Too many requests, please try again later.").after(1),
            500 => Self::new(500, "InternalError", "Internal error occurred: by a fault"),
            503 => Self::new(503, "ServiceUnavailable", "apiserver is shutting down"),
            504 => Self::new(504, "Timeout", "request did not complete within the allotted timeout"),
            other => Self::new(other, "Unknown", "by a fault"),
        }
    }

    /// The body of the answer.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if let Some((kind, name)) = &self.about {
            status["details"] = json!({"name": name, "group": kind.group, "kind": kind.plural});
        }
        if let Some(seconds) = self.retry_after {
            status["details"]["retryAfterSeconds"] = seconds.into();
        }
        status
    }
}
