//! From an HTTP request to what it asks for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{answer::Refusal, kinds::Kind};

/// What a request wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
}

impl Verb {
    /// Whether it changes something.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::List | Self::Watch)
    }
}

/// How the body of a patch is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PatchKind {
    #[default]
    Merge,
    Json,
    Apply,
}

/// A request, understood.
#[derive(Clone, Debug)]
pub struct Call {
    /// What it wants done.
    pub verb: Verb,
    /// To which kind.
    pub kind: &'static Kind,
    /// In which namespace; `None` for all, or where there are none.
    pub namespace: Option<String>,
    /// To which object.
    pub name: Option<String>,
    /// Whether it is about the status subresource.
    pub status: bool,
    /// The parameters of the query.
    pub query: BTreeMap<String, String>,
    /// Whether the metadata alone is wanted.
    pub metadata_only: bool,
    /// Of a patch, how its body is to be read.
    pub patch: PatchKind,
    /// The body, read as JSON; null where there is none.
    pub body: Value,
    /// Which program asks.
    pub by: u32,
    /// When it sent that, among everything that happened.
    pub sent: u64,
    /// The most items that it is given of a list at once.
    pub page: Option<usize>,
}

impl Call {
    /// Understands a request.
    pub fn read(request: &http::request::Parts, body: &[u8]) -> Result<Self, Refusal> {
        let lost = || Refusal::new(404, "", "404 page not found");
        let path: Vec<&str> = request.uri.path().trim_matches('/').split('/').collect();
        let (group, version, rest) = match path.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Err(lost()),
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (plural, name, status) = match rest {
            [plural] => (*plural, None, false),
            [plural, name] => (*plural, Some((*name).to_owned()), false),
            [plural, name, "status"] => (*plural, Some((*name).to_owned()), true),
            _ => return Err(lost()),
        };
        let kind = Kind::at(group, version, plural).ok_or_else(lost)?;
        if status && !kind.status {
            let message = "the server could not find the requested resource";
            return Err(Refusal::new(404, "NotFound", message));
        }
        if kind.namespaced && namespace.is_none() && name.is_some() {
            return Err(lost());
        }
        let query = query(request.uri.query().unwrap_or_default());
        let header = |name| {
            request
                .headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
        };
        let watched = query.get("watch").is_some_and(|w| matches!(w.as_str(), "true" | "1"));
        let verb = match (request.method.as_str(), name.is_some()) {
            ("GET", true) => Verb::Get,
            ("GET", false) if watched => Verb::Watch,
            ("GET", false) => Verb::List,
            ("POST", false) => Verb::Create,
            ("PUT", true) => Verb::Update,
            ("PATCH", true) => Verb::Patch,
            ("DELETE", true) => Verb::Delete,
            _ => {
                let message = "the server does not allow this method on the requested resource";
                return Err(Refusal::new(405, "MethodNotAllowed", message));
            }
        };
        let patch = match header("content-type").split(';').next().unwrap_or_default() {
            "application/apply-patch+yaml" => PatchKind::Apply,
            "application/json-patch+json" => PatchKind::Json,
            "application/strategic-merge-patch+json" if verb == Verb::Patch && kind.custom => {
                let message = "the body of the request was in an unknown format - accepted media types include: \
                     application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
                return Err(Refusal::new(415, "UnsupportedMediaType", message));
            }
            _ => PatchKind::Merge,
        };
        let body = match body {
            [] => Value::Null,
            text => serde_json::from_slice(text).map_err(|e| Refusal::bad(format!("the body is not JSON: {e}")))?,
        };
        let metadata_only = header("accept").contains("as=PartialObjectMetadata");
        Ok(Self {
            verb,
            kind,
            namespace,
            name,
            status,
            query,
            metadata_only,
            patch,
            body,
            by: 0,
            sent: 0,
            page: None,
        })
    }

    /// A call without a client, as actors in the world make it.
    pub fn direct(verb: Verb, kind: &'static Kind, namespace: &str, name: &str) -> Self {
        Self {
            verb,
            kind,
            namespace: kind.namespaced.then(|| namespace.to_owned()),
            name: (verb != Verb::Create).then(|| name.to_owned()),
            status: false,
            query: BTreeMap::new(),
            metadata_only: false,
            patch: PatchKind::default(),
            body: Value::Null,
            by: 0,
            sent: 0,
            page: None,
        }
    }

    /// A parameter of the query, empty where it is not there.
    pub fn param(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// Whether a parameter is set to true.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.param(name), "true" | "1")
    }
}

fn query(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter(|p| !p.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (plain(name), plain(value))
        })
        .collect()
}

/// Percent-encoded text, read.
pub fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [a, b, tail @ ..]) => {
                let digits = [*a, *b];
                let byte = std::str::from_utf8(&digits)
                    .ok()
                    .and_then(|d| u8::from_str_radix(d, 16).ok());
                bytes.push(byte.unwrap_or(b'%'));
                if byte.is_some() {
                    rest = tail;
                }
            }
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
