//! What the server does: the requests that the program makes, with their conditions.

use std::collections::BTreeMap;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use axum::body::Bytes;

use super::{Buckets, Kept, SMALL, xml};
use crate::cluster::plain;

/// What a request wants.
pub struct Wanted {
    /// What is wanted: one word, as [`super::Asking::verb`].
    pub verb: &'static str,
    /// The bucket.
    pub bucket: String,
    /// The key, or the prefix of a listing.
    pub key: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Bytes,
}

/// An answer.
pub struct Answer {
    /// The HTTP code.
    pub code: u16,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub bytes: Vec<u8>,
    /// How long the body is said to be.
    pub length: Option<usize>,
}

impl Wanted {
    /// Understands a request in path style.
    pub fn read(request: &HttpRequest) -> Self {
        let uri: http::Uri = request.uri().parse().unwrap();
        let path = uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let pairs = uri.query().unwrap_or_default().split('&').filter(|p| !p.is_empty());
        let query: BTreeMap<String, String> = pairs
            .map(|p| p.split_once('=').unwrap_or((p, "")))
            .map(|(k, v)| (plain(k), plain(v)))
            .collect();
        let headers = request
            .headers()
            .iter()
            .map(|(k, v)| (k.to_ascii_lowercase(), v.to_owned()))
            .collect();
        let has = |name: &str| query.contains_key(name);
        let verb = match (request.method(), key.is_empty()) {
            ("GET", true) => "list",
            ("GET", false) => "get",
            ("HEAD", _) => "head",
            ("PUT", true) => "create-bucket",
            ("PUT", false) => "put",
            ("DELETE", false) => "delete",
            ("POST", true) if has("delete") => "delete-many",
            (method, _) => panic!("this S3 server does not know {method} {uri}"),
        };
        // In a path a plus is a plus.
        let key = match verb {
            "list" => query.get("prefix").cloned().unwrap_or_default(),
            _ => plain(&key.replace('+', "%2B")),
        };
        let body = Bytes::copy_from_slice(request.body().bytes().unwrap_or_default());
        Self {
            verb,
            bucket: bucket.to_owned(),
            key,
            query,
            headers,
            body,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The word that goes with a code.
pub fn word(code: u16) -> &'static str {
    match code {
        403 => "AccessDenied",
        404 => "NoSuchKey",
        409 => "ConditionalRequestConflict",
        412 => "PreconditionFailed",
        503 => "SlowDown",
        _ => "InternalError",
    }
}

impl Answer {
    fn new(code: u16, bytes: Vec<u8>) -> Self {
        let length = Some(bytes.len());
        Self {
            code,
            headers: Vec::new(),
            bytes,
            length,
        }
    }

    fn xml(text: &str) -> Self {
        Self::new(
            200,
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}").into_bytes(),
        )
    }

    /// A refusal.
    pub fn refusal(code: u16, word: &str) -> Self {
        Self {
            code,
            ..Self::xml(&format!("<Error><Code>{word}</Code><Message>no</Message></Error>"))
        }
    }
}

/// Does what is wanted.
pub fn serve(buckets: &Buckets, wanted: &Wanted, by: u32) -> Answer {
    let page = *buckets.inner.page.lock().unwrap();
    let mut all = buckets.inner.buckets.lock().unwrap();
    if wanted.verb == "create-bucket" {
        if all.contains_key(&wanted.bucket) {
            return Answer::refusal(409, "BucketAlreadyOwnedByYou");
        }
        all.insert(wanted.bucket.clone(), BTreeMap::new());
        return Answer::new(200, Vec::new());
    }
    let Some(bucket) = all.get_mut(&wanted.bucket) else {
        return Answer::refusal(404, "NoSuchBucket");
    };
    let mut gone = Vec::new();
    let answer = match wanted.verb {
        "list" => list(bucket, wanted, page),
        "put" => put(bucket, wanted),
        "delete" => match holds(bucket.get(&wanted.key), wanted.header("if-match")) {
            true => {
                gone.extend(bucket.remove(&wanted.key).map(|_| wanted.key.clone()));
                Answer::new(204, Vec::new())
            }
            false => Answer::refusal(412, "PreconditionFailed"),
        },
        "delete-many" => delete_many(bucket, wanted, &mut gone),
        _ => get(bucket, wanted),
    };
    let written = bucket
        .get(&wanted.key)
        .map(|kept| kept.bytes.iter().copied().take(SMALL).collect::<Vec<u8>>());
    drop(all);
    for key in gone {
        buckets.happened(by, &wanted.bucket, &key, None);
    }
    if wanted.verb == "put" && answer.code == 200 {
        buckets.happened(by, &wanted.bucket, &wanted.key, written);
    }
    answer
}

/// Whether an object is the one that a condition names; one that is gone already is no other.
fn holds(found: Option<&Kept>, condition: Option<&str>) -> bool {
    match (found, condition) {
        (Some(found), Some(etag)) => etag == "*" || etag.trim_matches('"') == found.etag,
        _ => true,
    }
}

fn dated(kept: &Kept) -> String {
    kept.modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn get(bucket: &BTreeMap<String, Kept>, wanted: &Wanted) -> Answer {
    let Some(kept) = bucket.get(&wanted.key) else {
        return Answer::refusal(404, "NoSuchKey");
    };
    let same = wanted
        .header("if-none-match")
        .is_some_and(|e| e.trim_matches('"') == kept.etag);
    let mut answer = if same {
        Answer {
            length: None,
            ..Answer::new(304, Vec::new())
        }
    } else if holds(Some(kept), wanted.header("if-match")) {
        Answer::new(200, kept.bytes.to_vec())
    } else {
        return Answer::refusal(412, "PreconditionFailed");
    };
    answer.headers = vec![
        ("etag", format!("\"{}\"", kept.etag)),
        ("last-modified", dated(kept)),
        ("content-type", kept.content_type.clone()),
    ];
    answer
}

fn put(bucket: &mut BTreeMap<String, Kept>, wanted: &Wanted) -> Answer {
    let found = bucket.get(&wanted.key);
    if wanted.header("if-none-match") == Some("*") && found.is_some() {
        return Answer::refusal(412, "PreconditionFailed");
    }
    if wanted.header("if-match").is_some() {
        if found.is_none() {
            return Answer::refusal(404, "NoSuchKey");
        }
        if !holds(found, wanted.header("if-match")) {
            return Answer::refusal(412, "PreconditionFailed");
        }
    }
    let kept = Kept::new(wanted.body.clone(), wanted.header("content-type").unwrap_or_default());
    let mut answer = Answer::new(200, Vec::new());
    answer.headers.push(("etag", format!("\"{}\"", kept.etag)));
    bucket.insert(wanted.key.clone(), kept);
    answer
}

/// Deletes many; `gone` gets those that were there.
fn delete_many(bucket: &mut BTreeMap<String, Kept>, wanted: &Wanted, gone: &mut Vec<String>) -> Answer {
    let text = String::from_utf8_lossy(&wanted.body).into_owned();
    let quiet = xml::inside(&text, "Quiet").as_deref() == Some("true");
    let mut said = String::new();
    for object in xml::each(&text, "Object") {
        let key = xml::inside(object, "Key").unwrap_or_default();
        let etag = xml::inside(object, "ETag");
        let shown = xml::escaped(&key);
        if holds(bucket.get(&key), etag.as_deref()) {
            gone.extend(bucket.remove(&key).map(|_| key.clone()));
            if !quiet {
                said.push_str(&format!("<Deleted><Key>{shown}</Key></Deleted>"));
            }
        } else {
            said.push_str(&format!(
                "<Error><Key>{shown}</Key><Code>PreconditionFailed</Code><Message>no</Message></Error>"
            ));
        }
    }
    Answer::xml(&format!("<DeleteResult>{said}</DeleteResult>"))
}

fn list(bucket: &BTreeMap<String, Kept>, wanted: &Wanted, page: usize) -> Answer {
    let param = |name: &str| wanted.query.get(name).map_or("", String::as_str);
    let most = param("max-keys").parse().unwrap_or(1000).min(page);
    let url = param("encoding-type") == "url";
    let after = match param("continuation-token") {
        "" => param("start-after"),
        token => token,
    };
    let mut there = bucket
        .iter()
        .filter(|(k, _)| k.starts_with(&wanted.key) && k.as_str() > after);
    // A server may give fewer than were asked for, and none.
    let is_hollow = page == 1 && after.is_empty();
    let shown: Vec<_> = there.by_ref().take(if is_hollow { 0 } else { most }).collect();
    let more = there.next().is_some();
    let mut text = format!(
        "<ListBucketResult><Name>{}</Name><KeyCount>{}</KeyCount>",
        wanted.bucket,
        shown.len()
    );
    text.push_str(&format!("<MaxKeys>{most}</MaxKeys><IsTruncated>{more}</IsTruncated>"));
    if url {
        text.push_str("<EncodingType>url</EncodingType>");
    }
    if more {
        // Before the first key.
        let last = shown.last().map_or("!", |(key, _)| key.as_str());
        text.push_str(&format!(
            "<NextContinuationToken>{}</NextContinuationToken>",
            xml::escaped(last)
        ));
    }
    for (key, kept) in shown {
        let key = if url { xml::encoded(key) } else { xml::escaped(key) };
        text.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size>\
             <StorageClass>STANDARD</StorageClass></Contents>",
            kept.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            kept.etag,
            kept.bytes.len()
        ));
    }
    Answer::xml(&format!("{text}</ListBucketResult>"))
}
