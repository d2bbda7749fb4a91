//! An API server inside the test: a service under `kube::Client`, without sockets, in simulated time.

mod answer;
mod fields;
mod garbage;
mod journal;
mod kinds;
mod read;
mod route;
mod schema;
mod select;
mod service;
mod sound;
mod store;
mod update;
mod watch;
mod write;

use std::{
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::Client;
use serde_json::Value;
use tokio::sync::Notify;

pub use journal::Record;
pub use kinds::Kind;
pub use route::{Verb, plain};
pub use store::Change;

use crate::{
    clock,
    dice::Dice,
    faults::Faults,
    program::{Calls, Program},
};
use fields::Owners;
use route::Call;
use store::{Store, key};
use watch::Cuts;

/// How watches repeat themselves.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    /// How probably an event comes twice in a row.
    pub twice: f64,
    /// How probably an event comes again later, when it is old.
    pub again: f64,
    /// How much later.
    pub after: Range<Duration>,
}

/// A cluster. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

/// A study that a program was shown.
#[derive(Clone, Debug)]
pub struct Reading {
    /// When, among everything that happened.
    pub step: u64,
    /// To which program.
    pub by: u32,
    /// The study's UID.
    pub uid: String,
    /// In which state.
    pub revision: u64,
}

#[derive(Debug)]
struct Inner {
    store: Mutex<Store>,
    faults: Faults,
    records: Mutex<Vec<Record>>,
    echo: Mutex<Echo>,
    /// How probably a program never hears of an event.
    losses: Mutex<f64>,
    /// Rung whenever something has changed. Those who wait are woken in the order in which they came, unlike those of tokio's watch channels,
    /// which draw lots.
    bell: Notify,
    cuts: Mutex<Cuts>,
    /// The most items that a page of a list has, where that is less than was asked for.
    page: Mutex<Option<usize>>,
    readings: Mutex<Vec<Reading>>,
    dice: Dice,
}

impl Cluster {
    /// An empty cluster.
    pub fn new(dice: &Dice, calls: &Calls) -> Self {
        let inner = Inner {
            store: Mutex::new(Store::new(dice.clone())),
            faults: Faults::new(dice.clone(), calls.clone()),
            records: Mutex::default(),
            echo: Mutex::default(),
            losses: Mutex::default(),
            bell: Notify::new(),
            cuts: Mutex::default(),
            page: Mutex::default(),
            readings: Mutex::default(),
            dice: dice.clone(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A client whose objects are in `namespace` unless it says otherwise.
    pub fn client(&self, namespace: &str) -> Client {
        self.client_of(namespace, &Program::default())
    }

    /// The same for a program.
    pub fn client_of(&self, namespace: &str, program: &Program) -> Client {
        service::client(self, namespace, program)
    }

    /// What goes wrong with requests.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// How much later watches see what happens to a kind, from now on.
    pub fn set_lag(&self, plural: &str, lag: Range<Duration>) {
        self.inner.store.lock().unwrap().lags.insert(plural.to_owned(), lag);
    }

    /// How watches repeat themselves, from now on.
    pub fn set_echo(&self, echo: Echo) {
        *self.inner.echo.lock().unwrap() = echo;
    }

    /// How probably an event is never sent to a program that watches, and nobody tells, from now on.
    pub fn set_losses(&self, rate: f64) {
        *self.inner.losses.lock().unwrap() = rate;
    }

    /// Gives pages of lists no more items than this, from now on, even where more are asked for.
    pub fn set_page(&self, most: Option<usize>) {
        *self.inner.page.lock().unwrap() = most;
    }

    /// Ends every open watch: cleanly, or by breaking its connection.
    pub fn cut_watches(&self, clean: bool) {
        let mut cuts = self.inner.cuts.lock().unwrap();
        *cuts = Cuts {
            times: cuts.times + 1,
            clean,
        };
        drop(cuts);
        self.inner.bell.notify_waiters();
    }

    /// Forgets the past: a watch or a page that begins before now is answered with 410.
    pub fn compact(&self) {
        let mut store = self.inner.store.lock().unwrap();
        store.compacted = store.revision;
    }

    /// Starts the garbage collector.
    pub fn collect_garbage(&self, delay: Duration) {
        garbage::start(self, delay);
    }

    /// Every request so far.
    pub fn records(&self) -> Vec<Record> {
        self.inner.records.lock().unwrap().clone()
    }

    /// Every study that a program was shown.
    pub fn readings(&self) -> Vec<Reading> {
        self.inner.readings.lock().unwrap().clone()
    }

    /// Notes that a program was shown an object, or a list of them.
    fn shown(&self, by: u32, object: &Value) {
        if by == 0 {
            return;
        }
        for object in object["items"]
            .as_array()
            .map_or(std::slice::from_ref(object), Vec::as_slice)
        {
            let metadata = &object["metadata"];
            let revision = metadata["resourceVersion"].as_str().and_then(|v| v.parse().ok());
            if let (Some(uid), Some(revision)) = (metadata["uid"].as_str(), revision) {
                self.inner.readings.lock().unwrap().push(Reading {
                    step: clock::step(),
                    by,
                    uid: uid.to_owned(),
                    revision,
                });
            }
        }
    }

    /// Everything that ever happened, oldest first.
    pub fn changes(&self) -> Vec<Change> {
        self.inner.store.lock().unwrap().history.clone()
    }

    fn note(&self, record: Record) {
        self.inner.records.lock().unwrap().push(record);
    }

    /// Everything that happened to the objects of a kind, oldest first.
    pub fn history(&self, plural: &str) -> Vec<Change> {
        let store = self.inner.store.lock().unwrap();
        store
            .history
            .iter()
            .filter(|c| c.kind.plural == plural)
            .cloned()
            .collect()
    }

    /// An object, where it is there.
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.look(plural, namespace, name).map(|object| (*object).clone())
    }

    /// The same, for those who only look at it.
    pub fn look(&self, plural: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let kind = Kind::plural(plural);
        let at = key(kind, Some(namespace).filter(|_| kind.namespaced), name);
        self.inner
            .store
            .lock()
            .unwrap()
            .get(&at)
            .map(|stored| stored.object.clone())
    }

    /// How many objects of a kind were ever created.
    pub fn creations(&self, plural: &str) -> usize {
        self.inner
            .store
            .lock()
            .unwrap()
            .creations
            .get(plural)
            .copied()
            .unwrap_or(0)
    }

    /// All objects of a kind.
    pub fn all(&self, plural: &str) -> Vec<Value> {
        let store = self.inner.store.lock().unwrap();
        store
            .objects
            .values()
            .filter(|s| s.kind.plural == plural)
            .map(|s| (*s.object).clone())
            .collect()
    }

    /// Whether the very object is still there.
    fn is_there(&self, object: &Value) -> bool {
        let store = self.inner.store.lock().unwrap();
        let metadata = &object["metadata"];
        let mut same = store
            .objects
            .values()
            .filter(|s| s.object["metadata"]["uid"] == metadata["uid"]);
        same.next().is_some()
    }

    /// Creates an object in `namespace` as an actor of the world, past all faults; gives it as it is stored.
    pub fn create(&self, namespace: &str, object: Value) -> Result<Value, String> {
        let text = |field: &str| object[field].as_str().unwrap_or_default();
        let kind = Kind::named(text("apiVersion"), text("kind")).ok_or("no such kind here")?;
        let mut call = Call::direct(Verb::Create, kind, namespace, "");
        call.body = object;
        self.write(&call).0.map(|(_, o)| (*o).clone()).map_err(|r| r.message)
    }

    /// Changes an object as an actor of the world, past all faults; its status too where it has no subresource for that.
    pub fn edit(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, String> {
        self.edited(plural, namespace, name, false, change)
    }

    /// Changes the status of an object as an actor of the world.
    pub fn edit_status(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, String> {
        self.edited(plural, namespace, name, true, change)
    }

    fn edited(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        status: bool,
        change: impl FnOnce(&mut Value),
    ) -> Result<Value, String> {
        let mut object = self.get(plural, namespace, name).ok_or("not there")?;
        change(&mut object);
        let mut call = Call::direct(Verb::Update, Kind::plural(plural), namespace, name);
        call.status = status;
        call.body = object;
        self.write(&call).0.map(|(_, o)| (*o).clone()).map_err(|r| r.message)
    }

    /// Deletes an object as a person does.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) -> Result<(), String> {
        let call = Call::direct(Verb::Delete, Kind::plural(plural), namespace, name);
        self.write(&call).0.map(|_| ()).map_err(|r| r.message)
    }

    /// Puts an object there as it is, whatever the rules say: one that an older or newer version of the program wrote.
    pub fn plant(&self, plural: &str, namespace: &str, object: Value) {
        let kind = Kind::plural(plural);
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let at = key(kind, Some(namespace).filter(|_| kind.namespaced), &name);
        let mut store = self.inner.store.lock().unwrap();
        store.put(kind, &at, object, Owners::default());
        drop(store);
        self.inner.bell.notify_waiters();
    }

    /// Waits until something holds; it is asked again after each change.
    pub async fn until(&self, mut holds: impl FnMut(&Self) -> bool) {
        loop {
            let rung = self.inner.bell.notified();
            if holds(self) {
                return;
            }
            rung.await;
        }
    }
}
