//! The objects, and everything that ever happened to them.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use super::{fields::Owners, kinds::Kind, select::Selection};
use crate::{clock, dice::Dice};

/// Where an object is: its kind's resource, its namespace, its name.
pub type Key = (String, String, String);

/// Where the object of that kind and name is.
pub fn key(kind: &Kind, namespace: Option<&str>, name: &str) -> Key {
    (
        kind.resource(),
        namespace.unwrap_or_default().to_owned(),
        name.to_owned(),
    )
}

/// An object that is there.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its kind.
    pub kind: &'static Kind,
    /// As it stands.
    pub object: Arc<Value>,
    /// Whose its fields are.
    pub owners: Owners,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Change {
    /// The resourceVersion that it made.
    pub revision: u64,
    /// To which kind.
    pub kind: &'static Kind,
    /// To which object.
    pub key: Key,
    /// The object before; `None` where it was created.
    pub before: Option<Arc<Value>>,
    /// The object after; for one that was deleted, its last state.
    pub object: Arc<Value>,
    /// Whether it was deleted.
    pub gone: bool,
    /// When watches see it.
    pub visible: Instant,
    /// Its place among everything that happened.
    pub step: u64,
    /// When, in the world's time.
    pub at: Duration,
    /// Which program did it.
    pub by: u32,
    /// When that program sent it, among everything that happened.
    pub sent: u64,
}

/// The objects of a cluster.
#[derive(Clone, Debug)]
pub struct Store {
    /// The last resourceVersion.
    pub revision: u64,
    /// What is there.
    pub objects: BTreeMap<Key, Stored>,
    /// What happened, oldest first.
    pub history: Vec<Change>,
    /// How often an object was created or removed.
    pub turnover: u64,
    /// How many objects of a kind were ever created.
    pub creations: BTreeMap<&'static str, usize>,
    /// Up to this resourceVersion the past is forgotten.
    pub compacted: u64,
    /// How much later watches see what happens to a kind.
    pub lags: BTreeMap<String, Range<Duration>>,
    /// The source of names and identities.
    pub dice: Dice,
    /// Which program writes now, and when it sent that.
    pub writing: (u32, u64),
}

impl Store {
    /// A cluster without objects.
    pub fn new(dice: Dice) -> Self {
        Self {
            revision: 1000,
            objects: BTreeMap::new(),
            history: Vec::new(),
            turnover: 0,
            creations: BTreeMap::new(),
            compacted: 0,
            lags: BTreeMap::new(),
            dice,
            writing: (0, 0),
        }
    }

    /// The object at a place.
    pub fn get(&self, key: &Key) -> Option<&Stored> {
        self.objects.get(key)
    }

    /// Writes an object; gives it with its new resourceVersion.
    pub fn put(&mut self, kind: &'static Kind, key: &Key, mut object: Value, owners: Owners) -> Arc<Value> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        written(&mut object);
        let object = Arc::new(object);
        let stored = Stored {
            kind,
            object: Arc::clone(&object),
            owners,
        };
        let before = self.objects.insert(key.clone(), stored).map(|s| s.object);
        self.happened(kind, key, before, &object, false);
        object
    }

    /// Removes an object; gives it as it was, with the resourceVersion of its end.
    pub fn remove(&mut self, key: &Key, last: Option<Value>) -> Option<Arc<Value>> {
        let stored = self.objects.remove(key)?;
        self.turnover += 1;
        self.revision += 1;
        let mut object = last.unwrap_or_else(|| (*stored.object).clone());
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let object = Arc::new(object);
        self.happened(stored.kind, key, Some(stored.object), &object, true);
        Some(object)
    }

    fn happened(
        &mut self,
        kind: &'static Kind,
        key: &Key,
        before: Option<Arc<Value>>,
        object: &Arc<Value>,
        gone: bool,
    ) {
        let lag = self
            .lags
            .get(kind.plural)
            .map_or(Duration::ZERO, |lag| self.dice.within(lag));
        let last = self.history.iter().rev().find(|c| c.kind == kind).map(|c| c.visible);
        let now = Instant::now() + lag;
        if before.is_none() {
            *self.creations.entry(kind.plural).or_default() += 1;
            self.turnover += 1;
        }
        self.history.push(Change {
            revision: self.revision,
            kind,
            key: key.clone(),
            before,
            object: Arc::clone(object),
            gone,
            // What happened first is seen first.
            visible: last.map_or(now, |last| last.max(now)),
            step: clock::step(),
            at: clock::elapsed(),
            by: self.writing.0,
            sent: self.writing.1,
        });
    }

    /// The objects of a kind as they were at a resourceVersion, in the order of their names.
    pub fn at(&self, kind: &'static Kind, revision: u64, selection: &Selection) -> Vec<Arc<Value>> {
        let resource = kind.resource();
        let from = (resource.clone(), String::new(), String::new());
        let now = self.objects.range(from..).take_while(|(key, _)| key.0 == resource);
        let mut there: BTreeMap<&Key, &Arc<Value>> = now.map(|(key, stored)| (key, &stored.object)).collect();
        for change in self.history.iter().rev().take_while(|c| c.revision > revision) {
            if change.kind == kind {
                match &change.before {
                    Some(before) => there.insert(&change.key, before),
                    None => there.remove(&change.key),
                };
            }
        }
        there
            .into_values()
            .filter(|object| selection.holds(object))
            .cloned()
            .collect()
    }

    /// The resourceVersion of so long ago. It may be forgotten by now: a cache that lags serves it all the same.
    pub fn before(&self, ago: Duration) -> u64 {
        let now = clock::elapsed();
        let newer = self.history.iter().find(|c| c.at + ago > now);
        newer.map_or(self.revision, |c| c.revision - 1)
    }

    /// The newest resourceVersion of a kind that a lagging cache would know.
    pub fn seen(&self, kind: &'static Kind) -> u64 {
        let now = Instant::now();
        let hidden = self.history.iter().find(|c| c.kind == kind && c.visible > now);
        hidden.map_or(self.revision, |c| c.revision - 1)
    }
}

/// Numbers as Go writes them: 1.0 becomes 1. Whoever puts 1.0 there again changes the object; whoever applies it does not.
pub fn written(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|_| number.is_f64())
                && float.fract() == 0.0
                && float.abs() < 1e15
            {
                *value = (float as i64).into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(written),
        Value::Object(fields) => fields.values_mut().for_each(written),
        _ => {}
    }
}
