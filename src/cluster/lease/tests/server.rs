//! An API server for one Lease, inside the test: it keeps versions as the real one does, and fails as it is told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use http::{Method, Request, Response};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::time::sleep;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// It takes effect after the first time, and is answered the second one later.
    Served(Duration, Duration),
    /// It takes no effect, and the answer is an error with this status.
    Refused(u16),
    /// It takes no effect, and is never answered.
    Lost,
    /// It takes effect after that time, and is never answered.
    Unanswered(Duration),
}

pub const AT_ONCE: Fate = Fate::Served(Duration::ZERO, Duration::ZERO);

/// What decides about each call that no script speaks of.
type Weather = Box<dyn FnMut() -> Fate + Send>;

pub struct World {
    /// The Lease as it is stored.
    pub record: Option<Value>,
    version: u64,
    /// What becomes of the next writes.
    pub writes: VecDeque<Fate>,
    pub weather: Weather,
    /// How many calls there were.
    pub calls: usize,
}

#[derive(Clone)]
pub struct Server(Arc<Mutex<World>>);

impl Server {
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(World {
            record: None,
            version: 0,
            writes: VecDeque::new(),
            weather: Box::new(|| AT_ONCE),
            calls: 0,
        })))
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    pub fn client(&self) -> Client {
        let server = self.clone();
        let serve = move |request: Request<Body>| {
            let server = server.clone();
            // What was sent takes its course, whether or not anybody waits for the answer.
            let answer = tokio::spawn(async move { server.serve(request).await });
            async move { answer.await.map_err(std::io::Error::other) }
        };
        Client::new(tower::service_fn(serve), "default")
    }

    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let method = request.method().clone();
        let body = request.into_body().collect_bytes().await.unwrap();
        let fate = {
            let mut world = self.world();
            world.calls += 1;
            let scripted = match method {
                Method::GET => None,
                _ => world.writes.pop_front(),
            };
            scripted.unwrap_or_else(|| (world.weather)())
        };
        let (before, after) = match fate {
            Fate::Served(before, after) => (before, Some(after)),
            Fate::Unanswered(before) => (before, None),
            Fate::Refused(code) => return error(code),
            Fate::Lost => return std::future::pending().await,
        };
        sleep(before).await;
        let response = self.world().apply(&method, &body);
        match after {
            Some(after) => sleep(after).await,
            None => std::future::pending().await,
        }
        response
    }

    /// What stands in the Lease's spec.
    pub fn spec(&self, field: &str) -> Value {
        self.world().record.as_ref().unwrap()["spec"][field].clone()
    }

    /// Changes it as another client does.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut world = self.world();
        let mut record = world.record.clone().unwrap();
        change(&mut record);
        world.store(record);
    }
}

impl World {
    fn store(&mut self, mut record: Value) -> Response<Body> {
        self.version += 1;
        record["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.record = Some(record.clone());
        respond(200, &record)
    }

    fn apply(&mut self, method: &Method, body: &[u8]) -> Response<Body> {
        match (method, &self.record) {
            (&Method::GET, Some(record)) => respond(200, record),
            (&Method::GET | &Method::PUT, None) => error(404),
            (&Method::POST, Some(_)) => error(409),
            (&Method::POST, None) => self.store(serde_json::from_slice(body).unwrap()),
            (&Method::PUT, Some(record)) => {
                let new: Value = serde_json::from_slice(body).unwrap();
                if new["metadata"]["resourceVersion"] != record["metadata"]["resourceVersion"] {
                    return error(409);
                }
                self.store(new)
            }
            _ => error(405),
        }
    }
}

fn error(code: u16) -> Response<Body> {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
        "reason": reason, "message": "as the test says",
    });
    respond(code, &status)
}

fn respond(code: u16, value: &Value) -> Response<Body> {
    let body = Body::from(serde_json::to_vec(value).unwrap());
    Response::builder().status(code).body(body).unwrap()
}
