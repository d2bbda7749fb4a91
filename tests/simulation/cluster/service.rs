//! The way of a request: it travels, goes wrong or is served, and its answer travels back.

use std::{io, ops::Range, time::Duration};

use axum::body::{Body, to_bytes};
use http::{Request, Response};
use kube::{Client, client::Body as KubeBody};
use serde_json::Value;
use tower::service_fn;

use super::{
    Cluster,
    answer::Refusal,
    journal::{Record, word},
    read,
    route::{Call, Verb},
    watch::{self, Breaks},
    write,
};
use crate::{
    clock,
    faults::{Asked, Trouble},
    program::Program,
};

/// How long an answer that never comes is waited for, until somewhere on the way somebody closes the connection.
const SILENCE: Duration = Duration::from_secs(600);

/// How long a message is on its way.
const WAY: Range<Duration> = Duration::from_micros(200)..Duration::from_millis(4);

/// What a client gets: an answer, or none.
type Answered = Result<Response<Body>, io::Error>;

/// A client of the cluster whose objects are in `namespace` unless it says otherwise, of a program. Once that is killed, nothing of it
/// reaches the cluster, and no answer reaches it.
pub fn client(cluster: &Cluster, namespace: &str, program: &Program) -> Client {
    let (cluster, program) = (cluster.clone(), program.clone());
    let service = service_fn(move |request: Request<KubeBody>| {
        let (cluster, program) = (cluster.clone(), program.clone());
        async move {
            if program.end.is_cancelled() {
                return std::future::pending().await;
            }
            // What was sent takes effect whether or not somebody still waits for the answer.
            let by = program.clone();
            let serving = tokio::spawn(async move { serve(&cluster, &by, request).await });
            let answer = serving.await.map_err(io::Error::other)?;
            match program.end.is_cancelled() {
                true => std::future::pending().await,
                false => answer,
            }
        }
    });
    Client::new(service, namespace)
}

async fn serve(cluster: &Cluster, program: &Program, request: Request<KubeBody>) -> Answered {
    let sent = clock::steps_before();
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), usize::MAX).await.map_err(io::Error::other)?;
    cluster.travel().await;
    let call = match Call::read(&parts, &body) {
        Ok(call) => Call {
            by: program.id,
            sent,
            page: *cluster.inner.page.lock().unwrap(),
            ..call
        },
        // Where nothing is served, there is not even JSON.
        Err(refusal) if refusal.reason.is_empty() => return Ok(json(404, format!("{}\n", refusal.message))),
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let trouble = cluster.inner.faults.strike(&Asked {
        verb: word(call.verb),
        of: call.kind.plural,
        name: call
            .name
            .as_deref()
            .or_else(|| call.body["metadata"]["name"].as_str())
            .unwrap_or_default(),
        status: call.status,
        is_of_s3: false,
        by: call.by,
    });
    let record = Record::of(&call, trouble.clone());
    if let Some(Trouble::Kill { done }) = trouble {
        match done {
            true => drop(served(cluster, call, record, Breaks::default())),
            false => cluster.note(record),
        }
        program.end.cancel();
        return std::future::pending().await;
    }
    let answer = troubled(cluster, program, call, trouble, record).await;
    cluster.travel().await;
    let (answer, shown) = answer?;
    cluster.shown(program.id, &shown);
    Ok(answer)
}

async fn troubled(
    cluster: &Cluster,
    program: &Program,
    call: Call,
    trouble: Option<Trouble>,
    record: Record,
) -> Result<Served, io::Error> {
    let reset = || io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by a fault");
    match trouble {
        None => Ok(served(cluster, call, record, Breaks::default())),
        Some(Trouble::Slow(time)) => {
            tokio::time::sleep(time).await;
            // An API server gives up what nobody waits for any more.
            if program.end.is_cancelled() {
                return Err(reset());
            }
            Ok(served(cluster, call, record, Breaks::default()))
        }
        Some(Trouble::Cut { after, clean }) => {
            let cut = Some((after, clean));
            Ok(served(
                cluster,
                call,
                record,
                Breaks {
                    cut,
                    ..Breaks::default()
                },
            ))
        }
        Some(Trouble::Lose { after }) => {
            let lost = Some(after);
            Ok(served(
                cluster,
                call,
                record,
                Breaks {
                    lost,
                    ..Breaks::default()
                },
            ))
        }
        Some(Trouble::Stale(ago)) => Ok(old(cluster, call, record, ago)),
        // Whoever asked is gone.
        Some(Trouble::Kill { .. }) => Err(reset()),
        Some(Trouble::Refuse(code)) => {
            let name = call.name.clone().unwrap_or_default();
            let refusal = Refusal::of_code(code, call.kind, &name);
            if code == 404 {
                // The kind is not served at the moment, which says nothing about its objects.
                cluster.note(Record { code, ..record });
                return Ok(plain(json(404, "404 page not found\n".to_owned())));
            }
            cluster.note(Record { code, ..record });
            // A watch that is too old is opened, and then told so.
            if call.verb == Verb::Watch && code == 410 {
                let mut line = serde_json::json!({"type": "ERROR", "object": refusal.status()}).to_string();
                line.push('\n');
                return Ok(plain(json(200, line)));
            }
            Ok(plain(refused(&refusal)))
        }
        Some(Trouble::Later(seconds)) => {
            let refusal = Refusal::of_code(429, call.kind, "").after(seconds);
            cluster.note(Record { code: 429, ..record });
            Ok(plain(refused(&refusal)))
        }
        Some(Trouble::Silence { done }) => {
            if done {
                served(cluster, call, record, Breaks::default());
            } else {
                cluster.note(record);
            }
            tokio::time::sleep(SILENCE).await;
            Err(reset())
        }
        Some(Trouble::Reset { done }) => {
            if done {
                served(cluster, call, record, Breaks::default());
            } else {
                cluster.note(record);
            }
            Err(reset())
        }
        Some(Trouble::Garble) => {
            served(cluster, call, record, Breaks::default());
            Ok(plain(json(200, "{\"kind\": \"Stat".to_owned())))
        }
    }
}

/// An answer, and the studies that it shows.
type Served = (Response<Body>, Value);

fn plain(answer: Response<Body>) -> Served {
    (answer, Value::Null)
}

/// Does what is asked for as it would have been a while ago; what writes is done as ever.
fn old(cluster: &Cluster, call: Call, record: Record, ago: Duration) -> Served {
    let found = {
        let store = cluster.inner.store.lock().unwrap();
        let revision = store.before(ago);
        match call.verb {
            Verb::Get => Some(read::get_at(&store, &call, revision)),
            Verb::List if !call.query.contains_key("continue") => Some(read::list_at(&store, &call, revision, None)),
            _ => None,
        }
    };
    let Some(found) = found else {
        return served(cluster, call, record, Breaks::default());
    };
    let code = found.as_ref().map_or_else(|r| r.code, |_| 200);
    cluster.note(Record { code, ..record });
    answered(found.map(|o| (200, o)), &call)
}

/// Does what is asked for, and notes it.
fn served(cluster: &Cluster, call: Call, record: Record, breaks: Breaks) -> Served {
    let metadata_only = call.metadata_only;
    let (result, effect) = match call.verb {
        Verb::Watch => {
            let opened = watch::open(cluster, call, breaks);
            let code = opened.as_ref().map_or_else(|r| r.code, |_| 200);
            cluster.note(Record { code, ..record });
            return plain(match opened {
                Ok(body) => answer(200, body),
                Err(refusal) => refused(&refusal),
            });
        }
        Verb::Get => (
            read::get(&cluster.inner.store.lock().unwrap(), &call).map(|o| (200, o)),
            None,
        ),
        Verb::List => (
            read::list(&cluster.inner.store.lock().unwrap(), &call).map(|o| (200, o)),
            None,
        ),
        _ => {
            let (result, effect) = cluster.write(&call);
            (result.map(|(code, o)| (code, read::shown(&o, metadata_only))), effect)
        }
    };
    let code = match &result {
        Ok((code, _)) => *code,
        Err(refusal) => refusal.code,
    };
    cluster.note(Record { code, effect, ..record });
    answered(result, &call)
}

fn answered(result: Result<(u16, Value), Refusal>, call: &Call) -> Served {
    match result {
        Ok((code, object)) => {
            let answer = json(code, object.to_string());
            match call.kind.plural == "hyperparameterstudies" {
                true => (answer, object),
                false => plain(answer),
            }
        }
        Err(refusal) => plain(refused(&refusal)),
    }
}

/// What a write came to: its status and the object, or why not.
type Outcome = Result<(u16, std::sync::Arc<Value>), Refusal>;

impl Cluster {
    /// Does a write; gives its answer, and the resourceVersion that it made.
    pub(super) fn write(&self, call: &Call) -> (Outcome, Option<u64>) {
        let mut store = self.inner.store.lock().unwrap();
        let before = store.revision;
        store.writing = (call.by, call.sent);
        let result = write::write(&mut store, call);
        let after = store.revision;
        drop(store);
        if after > before {
            self.inner.bell.notify_waiters();
        }
        (result, (after > before).then_some(after))
    }

    /// The time that a message takes.
    async fn travel(&self) {
        tokio::time::sleep(self.inner.dice.within(&WAY)).await;
    }
}

fn refused(refusal: &Refusal) -> Response<Body> {
    let mut response = json(refusal.code, refusal.status().to_string());
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

fn json(code: u16, text: String) -> Response<Body> {
    answer(code, Body::from(text))
}

fn answer(code: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", kind);
    response
}
