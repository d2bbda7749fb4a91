//! The task that writes events.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, ObjectReference};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};
use tracing::debug;

use super::{Note, Outcomes, record::Counted};

/// How long the API server may take for one event.
const ANSWER: Duration = Duration::from_secs(5);
/// How often an event is tried, with a second, then two, in between.
const TRIES: u32 = 3;

/// An object and a reason: of these, one event at a time.
type Key = (String, &'static str);

/// Writes what it is given: an object's first event of a reason at once, the next ones of that reason one a pause.
pub(super) struct Publisher {
    client: Client,
    instance: String,
    outcomes: Outcomes,
    pause: Duration,
    clock: fn() -> Timestamp,
    /// Objects and reasons that had an event less than a pause ago, with what waits for them.
    paused: BTreeMap<Key, Option<Counted>>,
    /// When each pause is over, soonest first.
    ends: VecDeque<(Instant, Key)>,
}

impl Publisher {
    pub fn new(client: Client, instance: &str, outcomes: Outcomes, pause: Duration, clock: fn() -> Timestamp) -> Self {
        Self {
            client,
            instance: instance.to_owned(),
            outcomes,
            pause,
            clock,
            paused: BTreeMap::new(),
            ends: VecDeque::new(),
        }
    }

    /// Publishes until nobody can give it any more.
    pub async fn run(mut self, mut waiting: mpsc::Receiver<(ObjectReference, Note)>) {
        loop {
            let end = self.ends.front().map(|(at, _)| *at);
            let over = async {
                match end {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                given = waiting.recv() => match given {
                    Some((object, note)) => self.take(object, note).await,
                    None => break,
                },
                () = over => self.end_pause().await,
            }
        }
        let left: Vec<_> = std::mem::take(&mut self.paused).into_values().flatten().collect();
        for counted in left {
            self.write(&counted).await;
        }
    }

    async fn take(&mut self, object: ObjectReference, note: Note) {
        let key = (object.uid.clone().unwrap_or_default(), note.reason);
        let now = (self.clock)();
        let mut counted = Counted {
            object,
            note,
            count: 1,
            first: now,
            last: now,
        };
        match self.paused.get_mut(&key) {
            None => {
                self.begin_pause(key);
                self.write(&counted).await;
            }
            Some(slot) => {
                match slot {
                    Some(before) if before.note == counted.note => {
                        counted.count = before.count.saturating_add(1);
                        counted.first = before.first;
                    }
                    Some(before) => {
                        let left_out = u64::try_from(before.count).unwrap_or_default();
                        self.outcomes.superseded.inc_by(left_out);
                    }
                    None => {}
                }
                *slot = Some(counted);
            }
        }
    }

    fn begin_pause(&mut self, key: Key) {
        self.paused.insert(key.clone(), None);
        self.ends.push_back((Instant::now() + self.pause, key));
    }

    async fn end_pause(&mut self) {
        let Some((_, key)) = self.ends.pop_front() else { return };
        if let Some(Some(counted)) = self.paused.remove(&key) {
            self.begin_pause(key);
            self.write(&counted).await;
        }
    }

    /// Writes an event, or gives it up: nothing depends on it.
    async fn write(&self, counted: &Counted) {
        let namespace = counted.object.namespace.as_deref().unwrap_or("default");
        let api = Api::namespaced(self.client.clone(), namespace);
        let mut wait = Duration::from_secs(1);
        for last in (0..TRIES).rev() {
            let problem = match timeout(ANSWER, self.create_or_count(&api, counted)).await {
                Ok(Ok(())) => {
                    self.outcomes.published.inc();
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            // A person has no use for an event that comes much later, and those behind it wait.
            if last == 0 || self.paused.len() > super::WAITING {
                debug!(
                    reason = counted.note.reason,
                    "an event could not be published: {problem}"
                );
                break;
            }
            sleep(wait).await;
            wait *= 2;
        }
        self.outcomes.failed.inc();
    }

    async fn create_or_count(&self, api: &Api<Event>, counted: &Counted) -> Result<(), kube::Error> {
        match api.create(&PostParams::default(), &counted.event(&self.instance)).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            result => return result.map(drop),
        }
        let name = counted.name();
        let before = api.get(&name).await?;
        let again = Patch::Merge(counted.again(&before));
        api.patch(&name, &PatchParams::default(), &again).await.map(drop)
    }
}
