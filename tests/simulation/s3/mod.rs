//! An S3 server inside the test: a connector under the SDK's client, over buckets in memory.

mod connector;
mod serve;
mod xml;

use std::{
    collections::BTreeMap,
    hash::Hasher,
    sync::{Arc, Mutex},
};

use aws_sdk_s3::config::SharedHttpClient;
use axum::body::Bytes;
use hyperstudy::storage::{Endpoint, Store};

use crate::{
    clock,
    dice::Dice,
    faults::Faults,
    program::{Calls, Program},
};

pub use connector::Asking;

/// An object in a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its content.
    pub bytes: Bytes,
    /// Its ETag, without quotes.
    pub etag: String,
    /// When it was written, to the second.
    pub modified: jiff::Timestamp,
    /// Its type.
    pub content_type: String,
}

/// Something that was written or deleted.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Its place among everything that happened.
    pub step: u64,
    /// When, in the world's time.
    pub at: std::time::Duration,
    /// Which program did it.
    pub by: u32,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What was written, where it is small; `None` for a deletion.
    pub put: Option<Vec<u8>>,
}

/// What is longer is not kept among the effects: reports have megabytes.
const SMALL: usize = 64 << 10;

/// A server and its buckets. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Buckets {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    buckets: Mutex<BTreeMap<String, BTreeMap<String, Kept>>>,
    faults: Faults,
    records: Mutex<Vec<Asking>>,
    effects: Mutex<Vec<Effect>>,
    page: Mutex<usize>,
    dice: Dice,
}

impl Buckets {
    /// A server without buckets.
    pub fn new(dice: &Dice, calls: &Calls) -> Self {
        let inner = Inner {
            buckets: Mutex::default(),
            faults: Faults::new(dice.clone(), calls.clone()),
            effects: Mutex::default(),
            records: Mutex::default(),
            page: Mutex::new(1000),
            dice: dice.clone(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// What stands where a client would make connections.
    pub fn connector(&self) -> SharedHttpClient {
        self.connector_of(&Program::default())
    }

    /// The same for a program. Once that is killed, nothing of it reaches the server, and no answer reaches it.
    pub fn connector_of(&self, program: &Program) -> SharedHttpClient {
        connector::connector(self, program)
    }

    /// A store on this server.
    pub fn store(&self) -> Store {
        let endpoint = Endpoint {
            url: "https://s3.simulated".to_owned(),
            region: "us-east-1".to_owned(),
            access_key: "key".to_owned(),
            secret_key: "secret".to_owned(),
            ..Endpoint::default()
        };
        Store::new(&endpoint, self.connector())
    }

    /// What goes wrong with requests.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// How many keys a page of a listing has at most, from now on. Where that is one, the first page has none.
    pub fn set_page(&self, keys: usize) {
        *self.inner.page.lock().unwrap() = keys;
    }

    /// Makes a bucket.
    pub fn add(&self, bucket: &str) {
        self.inner.buckets.lock().unwrap().entry(bucket.to_owned()).or_default();
    }

    /// Writes an object as a trial does, past all faults. False where there is no such bucket.
    pub fn put(&self, name: &str, key: &str, bytes: &[u8]) -> bool {
        let mut buckets = self.inner.buckets.lock().unwrap();
        let Some(bucket) = buckets.get_mut(name) else {
            return false;
        };
        bucket.insert(
            key.to_owned(),
            Kept::new(Bytes::copy_from_slice(bytes), "application/octet-stream"),
        );
        drop(buckets);
        self.happened(0, name, key, Some(bytes.to_vec()));
        true
    }

    /// An object, where it is there.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let buckets = self.inner.buckets.lock().unwrap();
        Some(buckets.get(bucket)?.get(key)?.bytes.to_vec())
    }

    /// All keys of a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let buckets = self.inner.buckets.lock().unwrap();
        buckets
            .get(bucket)
            .map(|b| b.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Everything that was written or deleted.
    pub fn effects(&self) -> Vec<Effect> {
        self.inner.effects.lock().unwrap().clone()
    }

    fn happened(&self, by: u32, bucket: &str, key: &str, put: Option<Vec<u8>>) {
        self.inner.effects.lock().unwrap().push(Effect {
            step: clock::step(),
            at: clock::elapsed(),
            by,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            put,
        });
    }

    /// Every request so far.
    pub fn records(&self) -> Vec<Asking> {
        self.inner.records.lock().unwrap().clone()
    }
}

impl Kept {
    /// An object that is written now.
    fn new(bytes: Bytes, content_type: &str) -> Self {
        // Only whether two contents are the same matters, and reports have megabytes.
        let mut hash = std::hash::DefaultHasher::new();
        // Of what is long, like a report, the beginning, the end and the length: nobody depends on more.
        let (start, end) = (bytes.len().min(SMALL), bytes.len().saturating_sub(SMALL));
        hash.write(&bytes[..start]);
        hash.write(&bytes[end..]);
        hash.write_usize(bytes.len());
        let etag = format!("{:032x}", hash.finish());
        let now = clock::now().as_second();
        Self {
            bytes,
            etag,
            modified: jiff::Timestamp::from_second(now).unwrap_or_default(),
            content_type: content_type.to_owned(),
        }
    }
}
