//! All chance in a world comes from one seed.

use std::{
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The characters of generated names, as Kubernetes has them.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A source of chance; clones share it.
#[derive(Clone, Debug)]
pub struct Dice(Arc<Mutex<ChaCha8Rng>>);

impl Dice {
    /// The same seed gives the same world.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))))
    }

    /// True with that probability.
    pub fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.0.lock().unwrap().random_bool(probability.min(1.0))
    }

    /// A number below `below`.
    pub fn below(&self, below: usize) -> usize {
        self.0.lock().unwrap().random_range(0..below.max(1))
    }

    /// A duration within the range; its start where the range is empty.
    pub fn within(&self, range: &Range<Duration>) -> Duration {
        if range.is_empty() {
            return range.start;
        }
        let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        let micros = self
            .0
            .lock()
            .unwrap()
            .random_range(micros(range.start)..micros(range.end).max(1));
        Duration::from_micros(micros)
    }

    /// A version 4 UUID.
    pub fn uid(&self) -> String {
        let mut b = [0_u8; 16];
        self.0.lock().unwrap().fill_bytes(&mut b);
        b[6] = b[6] & 0x0f | 0x40;
        b[8] = b[8] & 0x3f | 0x80;
        let hex: String = b.iter().map(|b| format!("{b:02x}")).collect();
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }

    /// What follows a `generateName`.
    pub fn suffix(&self) -> String {
        (0..5).map(|_| char::from(LETTERS[self.below(LETTERS.len())])).collect()
    }
}
