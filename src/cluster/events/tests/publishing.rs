use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, Response};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::super::{Note, NoteType, Outcomes, Recorder, WAITING};

/// Events by their names, and the statuses that the next calls are refused with; 0 is no answer at all.
#[derive(Default)]
struct World {
    events: BTreeMap<String, Value>,
    refusals: VecDeque<u16>,
    calls: usize,
}

fn client(world: &Arc<Mutex<World>>) -> Client {
    let world = world.clone();
    let serve = move |request: Request<Body>| {
        let world = world.clone();
        async move {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let body = request.into_body().collect_bytes().await.unwrap();
            let refusal = {
                let mut world = world.lock().unwrap();
                world.calls += 1;
                world.refusals.pop_front()
            };
            if refusal == Some(0) {
                return std::future::pending().await;
            }
            let (code, answer) = match refusal {
                Some(code) => (code, json!({"code": code})),
                None => world.lock().unwrap().apply(&method, &path, &body),
            };
            let body = Body::from(serde_json::to_vec(&answer).unwrap());
            Ok::<_, std::io::Error>(Response::builder().status(code).body(body).unwrap())
        }
    };
    Client::new(tower::service_fn(serve), "default")
}

impl World {
    fn apply(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let name = path.strip_prefix("/api/v1/namespaces/ml/events").unwrap();
        let name = name.trim_start_matches('/');
        match *method {
            Method::POST => {
                let name = body["metadata"]["name"].as_str().unwrap().to_owned();
                if self.events.contains_key(&name) {
                    return (409, json!({"code": 409, "reason": "AlreadyExists"}));
                }
                self.events.insert(name, body.clone());
                (201, body)
            }
            Method::PATCH => {
                let event = self.events.get_mut(name).unwrap();
                for (key, value) in body.as_object().unwrap() {
                    event[key] = value.clone();
                }
                (200, event.clone())
            }
            _ => (200, self.events[name].clone()),
        }
    }

    fn says(&self) -> Vec<(String, i64)> {
        let of = |e: &Value| (e["message"].as_str().unwrap().to_owned(), e["count"].as_i64().unwrap());
        let mut all: Vec<_> = self.events.values().map(of).collect();
        all.sort();
        all
    }
}

fn object(name: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("hyperstudy.dev/v1alpha1".to_owned()),
        kind: Some("HyperparameterStudy".to_owned()),
        namespace: Some("ml".to_owned()),
        name: Some(name.to_owned()),
        uid: Some(format!("uid-of-{name}")),
        ..ObjectReference::default()
    }
}

fn best(message: &str) -> Note {
    Note {
        type_: NoteType::Normal,
        reason: "NewBest",
        message: message.to_owned(),
    }
}

struct Fixture {
    world: Arc<Mutex<World>>,
    outcomes: Outcomes,
    recorder: Recorder,
    task: tokio::task::JoinHandle<()>,
}

fn start(world: &Arc<Mutex<World>>) -> Fixture {
    let outcomes = Outcomes::default();
    let (recorder, task) = Recorder::new(client(world), "pod-1", outcomes.clone(), Timestamp::now);
    Fixture {
        world: world.clone(),
        outcomes,
        recorder,
        task: tokio::spawn(task),
    }
}

impl Fixture {
    fn says(&self) -> Vec<(String, i64)> {
        self.world.lock().unwrap().says()
    }

    /// Ends it, and gives how many were published, superseded, dropped and failed.
    async fn end(self) -> [u64; 4] {
        drop(self.recorder);
        self.task.await.unwrap();
        let Outcomes {
            published,
            superseded,
            dropped,
            failed,
        } = self.outcomes;
        [published, superseded, dropped, failed].map(|c| c.get())
    }
}

fn said(list: &[(&str, i64)]) -> Vec<(String, i64)> {
    list.iter().map(|(m, c)| ((*m).to_owned(), *c)).collect()
}

#[tokio::test(start_paused = true)]
async fn one_at_once_then_the_last_of_each_pause() {
    let it = start(&Arc::default());
    for i in 0..100 {
        it.recorder.note(&object("a"), best(&format!("{i:02}")));
    }
    it.recorder.note(&object("b"), best("other"));
    sleep(Duration::from_secs(5)).await;
    assert_eq!(it.says(), said(&[("00", 1), ("other", 1)]));
    sleep(Duration::from_secs(6)).await;
    assert_eq!(it.says(), said(&[("00", 1), ("99", 1), ("other", 1)]));
    // After a pause without any, the next goes at once again.
    sleep(Duration::from_secs(30)).await;
    it.recorder.note(&object("a"), best("later"));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(it.says(), said(&[("00", 1), ("99", 1), ("later", 1), ("other", 1)]));
    assert_eq!(it.end().await, [4, 98, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn the_same_is_counted_also_after_a_restart() {
    let world = Arc::default();
    let it = start(&world);
    for _ in 0..5 {
        it.recorder.note(&object("a"), best("same"));
    }
    // What waits when it ends is published.
    assert_eq!(it.end().await, [2, 0, 0, 0]);
    assert_eq!(world.lock().unwrap().says(), said(&[("same", 5)]));
    let it = start(&world);
    it.recorder.note(&object("a"), best("same"));
    it.end().await;
    assert_eq!(world.lock().unwrap().says(), said(&[("same", 6)]));
}

#[tokio::test(start_paused = true)]
async fn trouble_is_tried_again_and_then_given_up() {
    let it = start(&Arc::default());
    it.world.lock().unwrap().refusals = [500, 0].into();
    it.recorder.note(&object("a"), best("late"));
    sleep(Duration::from_secs(9)).await;
    assert_eq!(it.says(), said(&[("late", 1)]));
    it.world.lock().unwrap().refusals = vec![403; 3].into();
    it.recorder.note(&object("b"), best("never"));
    assert_eq!(it.end().await, [1, 0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_and_what_is_too_much_is_dropped() {
    let it = start(&Arc::default());
    it.world.lock().unwrap().refusals = vec![0; 1_000_000].into();
    for i in 0..WAITING + 10 {
        it.recorder.note(&object(&format!("{i}")), best("x"));
    }
    assert_eq!(it.outcomes.dropped.get(), 10);
    it.world.lock().unwrap().refusals.clear();
    assert_eq!(it.end().await, [WAITING as u64, 0, 10, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_is_cut() {
    let it = start(&Arc::default());
    it.recorder
        .note(&object(&format!("{}-b", "a".repeat(229))), best(&"ü".repeat(2000)));
    let world = it.world.clone();
    assert_eq!(it.end().await, [1, 0, 0, 0]);
    let world = world.lock().unwrap();
    let (name, event) = world.events.first_key_value().unwrap();
    assert!(name.starts_with(&format!("{}.", "a".repeat(229))) && name.len() <= 253);
    let message = event["message"].as_str().unwrap();
    assert!(message.len() <= 1024 && message.len() > 1018 && message.ends_with("ü…"));
}
