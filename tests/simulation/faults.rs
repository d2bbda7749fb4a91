//! What goes wrong, as data: for the API server and for S3 alike.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{clock, dice::Dice, program::Calls};

/// How a request goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// It is refused with this HTTP code.
    Refuse(u16),
    /// It is refused with 429, to be tried again after so many seconds.
    Later(u64),
    /// No answer ever comes; `done` is whether it took effect all the same.
    Silence { done: bool },
    /// The connection breaks instead of an answer; `done` is whether it took effect all the same.
    Reset { done: bool },
    /// The answer says that all is well, and cannot be read. It took effect.
    Garble,
    /// Of a watch: the connection ends after so many events, in the middle of a line where it does not end `clean`ly.
    /// Of an object that is read: after half of it.
    Cut { after: usize, clean: bool },
    /// It is served only after this time.
    Slow(Duration),
    /// Whoever asks is killed; `done` is whether what it asked for took effect all the same.
    Kill { done: bool },
    /// It is served from an old state: of the cluster, as it was so long ago; of an object in S3, as if it were not there yet.
    Stale(Duration),
    /// Of a watch: the event after so many is never sent, and nobody tells.
    Lose { after: usize },
}

impl Trouble {
    /// One word for statistics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Refuse(403) => "refused: 403",
            Self::Refuse(404) => "refused: 404",
            Self::Refuse(409) => "refused: 409",
            Self::Refuse(410) => "refused: 410",
            Self::Refuse(422) => "refused: 422",
            Self::Refuse(429) => "refused: 429",
            Self::Refuse(503) => "refused: 503",
            Self::Refuse(_) => "refused: 500",
            Self::Later(_) => "refused: Retry-After, SlowDown",
            Self::Silence { done: true } => "no answer, took effect",
            Self::Silence { done: false } => "no answer, no effect",
            Self::Reset { done: true } => "connection reset, took effect",
            Self::Reset { done: false } => "connection reset, no effect",
            Self::Garble => "answer garbled",
            Self::Cut { .. } => "answer or watch cut",
            Self::Slow(_) => "slow",
            Self::Kill { done: true } => "killed after a call",
            Self::Kill { done: false } => "killed before a call",
            Self::Stale(_) => "old state read",
            Self::Lose { .. } => "event lost",
        }
    }
}

impl Trouble {
    /// Whether it does anything to such a request. An event is lost later, if there is one.
    fn concerns(&self, asked: &Asked<'_>) -> bool {
        match self {
            Self::Lose { .. } => false,
            Self::Cut { .. } => asked.is_of_s3 || asked.verb == "watch",
            Self::Stale(_) if asked.is_of_s3 => asked.verb == "get" && asked.name.ends_with("metrics.json"),
            Self::Stale(_) => matches!(asked.verb, "get" | "list"),
            _ => true,
        }
    }
}

/// Which requests go wrong, how often, and how.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What is done, e.g. `create`, `watch`, `put`; empty for anything.
    pub verbs: &'static [&'static str],
    /// To what: a plural or a bucket; empty for anything.
    pub of: &'static str,
    /// A part of the object's name or key; empty for any.
    pub name: String,
    /// Whether it has to be about the status subresource.
    pub status: Option<bool>,
    /// How many such requests go well before.
    pub skip: u32,
    /// How many go wrong then.
    pub times: u32,
    /// How they go wrong.
    pub trouble: Trouble,
}

impl Fault {
    /// The next `times` such requests go wrong.
    pub fn next(times: u32, verbs: &'static [&'static str], of: &'static str, trouble: Trouble) -> Self {
        Self {
            verbs,
            of,
            name: String::new(),
            status: None,
            skip: 0,
            times,
            trouble,
        }
    }

    /// Only those about objects with this in their name.
    pub fn named(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    /// Only those about the status subresource.
    pub fn on_status(self) -> Self {
        Self {
            status: Some(true),
            ..self
        }
    }

    /// Only after `skip` of them went well.
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }
}

/// Chance faults: any request goes wrong with a probability, for a while.
#[derive(Clone, Debug)]
pub struct Storm {
    /// When, in the world's time.
    pub during: Range<Duration>,
    /// How probably.
    pub rate: f64,
    /// Which requests: as in a [`Fault`].
    pub verbs: &'static [&'static str],
    /// Of what; empty for anything.
    pub of: &'static str,
    /// How: one of these.
    pub troubles: Vec<Trouble>,
}

/// A request as faults see it.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// What is done.
    pub verb: &'static str,
    /// To what.
    pub of: &'a str,
    /// The object's name or key; empty where it is about many.
    pub name: &'a str,
    /// Whether it is about the status subresource.
    pub status: bool,
    /// Whether it is S3 that is asked.
    pub is_of_s3: bool,
    /// Which program asks.
    pub by: u32,
}

/// The faults that are still to come.
#[derive(Clone, Debug)]
pub struct Faults {
    dice: Dice,
    calls: Calls,
    inner: Arc<Mutex<Scripted>>,
}

#[derive(Debug, Default)]
struct Scripted {
    faults: Vec<Fault>,
    storms: Vec<Storm>,
    /// By the number of the call, counted over all servers.
    at: BTreeMap<u32, Trouble>,
    happened: BTreeMap<&'static str, u64>,
}

impl Faults {
    /// None yet.
    pub fn new(dice: Dice, calls: Calls) -> Self {
        Self {
            dice,
            calls,
            inner: Arc::default(),
        }
    }

    /// Adds a fault.
    pub fn push(&self, fault: Fault) {
        self.inner.lock().unwrap().faults.push(fault);
    }

    /// Adds a storm.
    pub fn storm(&self, storm: Storm) {
        self.inner.lock().unwrap().storms.push(storm);
    }

    /// How many scripted faults have not happened yet.
    pub fn left(&self) -> u32 {
        self.inner.lock().unwrap().faults.iter().map(|f| f.times).sum()
    }

    /// What goes wrong with the call of that number that a program makes, whichever server it is to.
    pub fn push_at(&self, call: u32, trouble: Trouble) {
        self.inner.lock().unwrap().at.insert(call, trouble);
    }

    /// Nothing goes wrong any more.
    pub fn calm(&self) {
        let mut inner = self.inner.lock().unwrap();
        inner.faults.clear();
        inner.storms.clear();
        inner.at.clear();
    }

    /// How often what has gone wrong.
    pub fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.inner.lock().unwrap().happened.clone()
    }

    /// What goes wrong with this request.
    pub fn strike(&self, asked: &Asked<'_>) -> Option<Trouble> {
        let mut inner = self.inner.lock().unwrap();
        let struck = self.struck(&mut inner, asked)?;
        if struck.concerns(asked) {
            *inner.happened.entry(struck.word()).or_default() += 1;
        }
        Some(struck)
    }

    /// Notes that an event was lost.
    pub fn lost(&self) {
        let word = Trouble::Lose { after: 0 }.word();
        *self.inner.lock().unwrap().happened.entry(word).or_default() += 1;
    }

    fn struck(&self, inner: &mut Scripted, asked: &Asked<'_>) -> Option<Trouble> {
        if asked.by > 0
            && let Some(trouble) = inner.at.remove(&self.calls.next())
        {
            return Some(trouble);
        }
        let Scripted { faults, storms, .. } = inner;
        let among = |verbs: &[&str], of: &str| {
            (verbs.is_empty() || verbs.contains(&asked.verb)) && (of.is_empty() || of == asked.of)
        };
        let hit = faults.iter_mut().find(|f| {
            f.times > 0
                && among(f.verbs, f.of)
                && asked.name.contains(&f.name)
                && f.status.is_none_or(|status| status == asked.status)
        });
        if let Some(fault) = hit {
            if fault.skip > 0 {
                fault.skip -= 1;
            } else {
                fault.times -= 1;
                return Some(fault.trouble.clone());
            }
        }
        faults.retain(|f| f.times > 0);
        let now = clock::elapsed();
        let storm = storms
            .iter()
            .find(|s| s.during.contains(&now) && among(s.verbs, s.of) && self.dice.chance(s.rate))?;
        storm.troubles.get(self.dice.below(storm.troubles.len())).cloned()
    }
}
