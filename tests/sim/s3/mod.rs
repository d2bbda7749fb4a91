//! An S3 server inside the test: a connector under the SDK's client, over buckets in memory.

mod connector;
mod serve;
mod xml;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use aws_sdk_s3::config::SharedHttpClient;
use hyperstudy::storage::{Endpoint, Store};
use tokio_util::sync::CancellationToken;

use crate::{clock, dice::Dice, faults::Faults};

pub use connector::Asking;

/// An object in a bucket.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its ETag, without quotes.
    pub etag: String,
    /// When it was written, to the second.
    pub modified: jiff::Timestamp,
    /// Its type.
    pub content_type: String,
}

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
    page: Mutex<usize>,
    dice: Dice,
}

impl Buckets {
    /// A server without buckets.
    pub fn new(dice: &Dice) -> Self {
        let inner = Inner {
            buckets: Mutex::default(),
            faults: Faults::new(dice.clone()),
            records: Mutex::default(),
            page: Mutex::new(1000),
            dice: dice.clone(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// What stands where a client would make connections.
    pub fn connector(&self) -> SharedHttpClient {
        self.connector_until(CancellationToken::new())
    }

    /// The same for a program that is killed at `end`: from then on nothing of it reaches the server any more.
    pub fn connector_until(&self, end: CancellationToken) -> SharedHttpClient {
        connector::connector(self, end)
    }

    /// A store on this server.
    pub fn store(&self) -> Store {
        let endpoint = Endpoint {
            url: "http://s3.simulated".to_owned(),
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

    /// How many keys a page of a listing has at most, from now on.
    pub fn set_page(&self, keys: usize) {
        *self.inner.page.lock().unwrap() = keys;
    }

    /// Makes a bucket.
    pub fn add(&self, bucket: &str) {
        self.inner.buckets.lock().unwrap().entry(bucket.to_owned()).or_default();
    }

    /// Writes an object as a trial does, past all faults. False where there is no such bucket.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> bool {
        let mut buckets = self.inner.buckets.lock().unwrap();
        let Some(bucket) = buckets.get_mut(bucket) else {
            return false;
        };
        bucket.insert(key.to_owned(), Kept::new(bytes.to_vec(), "application/octet-stream"));
        true
    }

    /// An object, where it is there.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let buckets = self.inner.buckets.lock().unwrap();
        Some(buckets.get(bucket)?.get(key)?.bytes.clone())
    }

    /// All keys of a bucket.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let buckets = self.inner.buckets.lock().unwrap();
        buckets
            .get(bucket)
            .map(|b| b.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Every request so far.
    pub fn records(&self) -> Vec<Asking> {
        self.inner.records.lock().unwrap().clone()
    }
}

impl Kept {
    /// An object that is written now.
    fn new(bytes: Vec<u8>, content_type: &str) -> Self {
        // Only whether two contents are the same matters, and reports have megabytes.
        let mut sum = [bytes.len() as u64, 0x9e37_79b9_7f4a_7c15];
        for (place, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let half = &mut sum[place % 2];
            *half = (*half ^ u64::from_le_bytes(word))
                .wrapping_mul(0x0100_0000_01b3)
                .rotate_left(23);
        }
        let etag = format!("{:016x}{:016x}", sum[0], sum[1]);
        let now = clock::now().as_second();
        Self {
            bytes,
            etag,
            modified: jiff::Timestamp::from_second(now).unwrap_or_default(),
            content_type: content_type.to_owned(),
        }
    }
}
