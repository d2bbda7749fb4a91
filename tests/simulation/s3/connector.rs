//! The way of a request to S3: it travels, goes wrong or is served, and its answer travels back.

use std::{io, ops::Range, time::Duration};

use aws_sdk_s3::{config::SharedHttpClient, primitives::SdkBody};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};

use super::{Buckets, serve, serve::Answer};
use crate::{
    clock,
    faults::{Asked, Trouble},
    program::Program,
};

/// How long a message is on its way.
const WAY: Range<Duration> = Duration::from_millis(1)..Duration::from_millis(20);

/// A request to S3, and what became of it.
#[derive(Clone, Debug)]
pub struct Asking {
    /// When, in the world's time.
    pub at: Duration,
    /// Its place among everything that happened.
    pub step: u64,
    /// Which program asked.
    pub by: u32,
    /// What was wanted: `get`, `head`, `put`, `list`, `delete`, `delete-many`, `create-bucket`.
    pub verb: &'static str,
    /// The bucket.
    pub bucket: String,
    /// The key, or the prefix of a listing.
    pub key: String,
    /// The HTTP code of what was done, whether or not the client heard of it; 0 where nothing was done.
    pub code: u16,
    /// What went wrong.
    pub trouble: Option<Trouble>,
}

/// What stands where a client would make connections.
pub fn connector(buckets: &Buckets, program: &Program) -> SharedHttpClient {
    let (buckets, program) = (buckets.clone(), program.clone());
    http_client_fn(move |settings, _| {
        SharedHttpConnector::new(Connector {
            buckets: buckets.clone(),
            program: program.clone(),
            patience: settings.read_timeout(),
        })
    })
}

#[derive(Debug)]
struct Connector {
    buckets: Buckets,
    program: Program,
    /// How long the client waits for an answer.
    patience: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (buckets, program) = (self.buckets.clone(), self.program.clone());
        let patience = self.patience.unwrap_or(Duration::from_secs(3600));
        HttpConnectorFuture::new(async move {
            if program.end.is_cancelled() {
                return std::future::pending().await;
            }
            // What was sent takes effect whether or not somebody still waits for the answer.
            let by = program.clone();
            let serving = tokio::spawn(async move { travelled(&buckets, &by, &request).await });
            let answer = tokio::time::timeout(patience, serving).await;
            if program.end.is_cancelled() {
                return std::future::pending().await;
            }
            match answer {
                Ok(Ok(answer)) => answer,
                Ok(Err(e)) => Err(ConnectorError::io(e.into())),
                Err(e) => Err(ConnectorError::timeout(e.into())),
            }
        })
    }
}

fn reset() -> ConnectorError {
    ConnectorError::io(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by a fault").into())
}

async fn travelled(
    buckets: &Buckets,
    program: &Program,
    request: &HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    travel(buckets).await;
    let wanted = serve::Wanted::read(request);
    let trouble = buckets.inner.faults.strike(&Asked {
        verb: wanted.verb,
        of: &wanted.bucket,
        name: &wanted.key,
        status: false,
        is_of_s3: true,
        by: program.id,
    });
    let note = |code| {
        buckets.inner.records.lock().unwrap().push(Asking {
            at: clock::elapsed(),
            step: clock::step(),
            by: program.id,
            verb: wanted.verb,
            bucket: wanted.bucket.clone(),
            key: wanted.key.clone(),
            code,
            trouble: trouble.clone(),
        });
    };
    let done = || {
        let answer = serve::serve(buckets, &wanted, program.id);
        note(answer.code);
        answer
    };
    let answer = match trouble.clone() {
        None => Ok(done()),
        // What has arrived is done, however long the answer takes; what is read is what is there then.
        Some(Trouble::Slow(time)) if matches!(wanted.verb, "put" | "delete" | "delete-many") => {
            let answer = done();
            tokio::time::sleep(time).await;
            Ok(answer)
        }
        Some(Trouble::Slow(time)) => {
            tokio::time::sleep(time).await;
            Ok(done())
        }
        // Half of an object's content is content, so that it has to be told by its length.
        Some(Trouble::Cut { .. } | Trouble::Garble) if wanted.verb == "get" => {
            let mut answer = done();
            answer.bytes.truncate(answer.bytes.len() / 2);
            Ok(answer)
        }
        Some(Trouble::Cut { .. } | Trouble::Garble) => {
            let answer = done();
            let bytes = b"<?xml version=\"1.0\"?><Lis".to_vec();
            Ok(Answer {
                bytes,
                length: None,
                ..answer
            })
        }
        Some(Trouble::Kill { done: takes }) => {
            match takes {
                true => drop(done()),
                false => note(0),
            }
            program.end.cancel();
            return std::future::pending().await;
        }
        // What a trial has just written may not be there yet.
        Some(Trouble::Stale(_)) if wanted.verb == "get" && wanted.key.ends_with("metrics.json") => {
            note(404);
            Ok(Answer::refusal(404, "NoSuchKey"))
        }
        // What concerns watches alone.
        Some(Trouble::Stale(_) | Trouble::Lose { .. }) => Ok(done()),
        Some(Trouble::Refuse(code)) => {
            // Of S3, a 404 would be an answer, and what only an API server says is an error of some kind.
            let code = if matches!(code, 404 | 410 | 422) { 500 } else { code };
            note(code);
            Ok(Answer::refusal(code, serve::word(code)))
        }
        Some(Trouble::Later(_)) => {
            note(503);
            Ok(Answer::refusal(503, "SlowDown"))
        }
        Some(Trouble::Silence { done: takes }) => {
            if takes {
                drop(done());
            } else {
                note(0);
            }
            // Whoever asked gives up first.
            std::future::pending::<()>().await;
            Err(reset())
        }
        Some(Trouble::Reset { done: takes }) => {
            if takes {
                drop(done());
            } else {
                note(0);
            }
            Err(reset())
        }
    };
    travel(buckets).await;
    let answer = answer?;
    let status = answer.code.try_into().map_err(|_| reset())?;
    let body = if wanted.verb == "head" {
        Vec::new()
    } else {
        answer.bytes
    };
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in answer.headers {
        response.headers_mut().insert(name, value);
    }
    if let Some(length) = answer.length {
        response.headers_mut().insert("content-length", length.to_string());
    }
    Ok(response)
}

async fn travel(buckets: &Buckets) {
    tokio::time::sleep(buckets.inner.dice.within(&WAY)).await;
}
