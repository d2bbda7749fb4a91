//! A watch: what happens to a kind, as lines of JSON, for as long as the client listens.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use axum::body::{Body, Bytes};
use futures::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Cluster, answer::Refusal, read::shown, route::Call, select::Selection, store::Change};

/// How often a watch that asked for it is told how far it is.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// How a watch ends early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cuts {
    /// How often all watches of the cluster have been cut.
    pub times: u64,
    /// Whether the last cut was the end of the answer, not of the connection.
    pub clean: bool,
}

/// What goes wrong with a watch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breaks {
    /// After how many events it breaks, and whether cleanly.
    pub cut: Option<(usize, bool)>,
    /// After how many events one is never sent.
    pub lost: Option<usize>,
}

/// A watch that is open.
struct Watch {
    cluster: Cluster,
    call: Call,
    selection: Selection,
    /// The next change to look at, as a place in the history.
    next: usize,
    /// What is to be sent at once.
    ready: VecDeque<Line>,
    /// What is to be sent once more, and when.
    again: VecDeque<(Instant, Arc<Value>)>,
    /// How far the client has been told.
    told: u64,
    bookmark: Option<Instant>,
    end: Instant,
    breaks: Breaks,
    /// How often all watches had been cut when this one was opened.
    cuts: u64,
    over: bool,
    /// Whether its end is one that nobody announced.
    broken: bool,
}

/// Opens a watch.
pub fn open(cluster: &Cluster, call: Call, breaks: Breaks) -> Result<Body, Refusal> {
    let selection = Selection::read(&call)?;
    let seconds = call.param("timeoutSeconds").parse().unwrap_or(1800);
    let initial = call.flag("sendInitialEvents");
    if initial && call.param("resourceVersionMatch") != "NotOlderThan" {
        let message = "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires \
             setting resourceVersionMatch to NotOlderThan";
        return Err(Refusal::new(422, "Invalid", message));
    }
    let given = match call.param("resourceVersion") {
        "" => 0,
        given => given
            .parse::<u64>()
            .map_err(|_| Refusal::bad("resourceVersion is not a number"))?,
    };
    let mut watch = Watch {
        cluster: cluster.clone(),
        selection,
        next: 0,
        ready: VecDeque::new(),
        again: VecDeque::new(),
        told: given,
        bookmark: call.flag("allowWatchBookmarks").then(|| Instant::now() + BOOKMARKS),
        end: Instant::now() + Duration::from_secs(seconds),
        breaks,
        cuts: cluster.inner.cuts.lock().unwrap().times,
        over: false,
        broken: false,
        call,
    };
    watch.begin(given, initial);
    Ok(Body::from_stream(stream::unfold(watch, async |mut watch| {
        let item = watch.step().await?;
        Some((item.map(Bytes::from), watch))
    })))
}

/// A line of an answer, and the object that it is about.
#[derive(Clone, Debug)]
struct Line {
    bytes: Vec<u8>,
    about: Arc<Value>,
}

fn line(kind: &str, object: Value) -> Line {
    let mut bytes = json!({"type": kind, "object": &object}).to_string().into_bytes();
    bytes.push(b'\n');
    Line {
        bytes,
        about: Arc::new(object),
    }
}

impl Watch {
    /// What there is to say at first.
    fn begin(&mut self, given: u64, initial: bool) {
        let store = self.cluster.inner.store.lock().unwrap();
        // Without a version, or with 0, a watch begins with what is there.
        let from = if initial || given == 0 {
            let seen = if initial {
                store.revision
            } else {
                store.seen(self.call.kind)
            };
            for object in store.at(self.call.kind, seen, &self.selection) {
                self.ready
                    .push_back(line("ADDED", shown(&object, self.call.metadata_only)));
            }
            self.told = seen;
            seen
        } else if given < store.compacted {
            let gone = Refusal::expired(format!("too old resource version: {given} ({})", store.compacted));
            self.ready.push_back(line("ERROR", gone.status()));
            self.over = true;
            return;
        } else {
            given
        };
        self.next = store.history.partition_point(|c| c.revision <= from);
        drop(store);
        if initial {
            let bookmark = self.bookmark(json!({"k8s.io/initial-events-end": "true"}));
            self.ready.push_back(bookmark);
        }
    }

    fn bookmark(&self, annotations: Value) -> Line {
        let kind = self.call.kind;
        let mut object = json!({
            "kind": kind.kind, "apiVersion": kind.api_version(),
            "metadata": {"resourceVersion": self.told.to_string(), "creationTimestamp": null},
        });
        if annotations.is_object() {
            object["metadata"]["annotations"] = annotations;
        }
        line("BOOKMARK", shown(&object, self.call.metadata_only))
    }

    /// The next piece of the answer; `None` at its end.
    async fn step(&mut self) -> Option<io::Result<Vec<u8>>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return self.send(line);
            }
            if std::mem::take(&mut self.broken) {
                return Some(Err(io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "connection reset by a fault",
                )));
            }
            if self.over {
                return None;
            }
            let cluster = self.cluster.clone();
            let rung = cluster.inner.bell.notified();
            let cuts = *cluster.inner.cuts.lock().unwrap();
            if cuts.times != self.cuts {
                self.over = true;
                self.broken = !cuts.clean;
                continue;
            }
            let wake = self.look();
            if !self.ready.is_empty() {
                continue;
            }
            tokio::select! {
                biased;
                () = rung => {}
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }

    /// Sends a line, or half of it where the connection breaks now.
    fn send(&mut self, line: Line) -> Option<io::Result<Vec<u8>>> {
        if self.call.kind.plural == "hyperparameterstudies" {
            self.cluster.shown(self.call.by, &line.about);
        }
        let line = line.bytes;
        match &mut self.breaks.cut {
            Some((0, true)) => {
                self.over = true;
                self.ready.clear();
                None
            }
            Some((0, false)) => {
                self.over = true;
                self.broken = true;
                self.ready.clear();
                Some(Ok(line[..line.len() / 2].to_vec()))
            }
            Some((left, _)) => {
                *left -= 1;
                Some(Ok(line))
            }
            None => Some(Ok(line)),
        }
    }

    /// Looks what there is to say now; gives when to look again if nothing happens.
    fn look(&mut self) -> Instant {
        let now = Instant::now();
        let mut wake = self.end;
        while let Some((at, object)) = self.again.front().cloned() {
            if at > now {
                wake = wake.min(at);
                break;
            }
            self.again.pop_front();
            // An object that is gone does not come back.
            if self.cluster.is_there(&object) {
                self.ready
                    .push_back(line("MODIFIED", shown(&object, self.call.metadata_only)));
            }
        }
        let changes: Vec<Change> = {
            let store = self.cluster.inner.store.lock().unwrap();
            let mut new = Vec::new();
            while let Some(change) = store.history.get(self.next) {
                if change.kind == self.call.kind {
                    if change.visible > now {
                        wake = wake.min(change.visible);
                        break;
                    }
                    new.push(change.clone());
                }
                self.next += 1;
                self.told = change.revision;
            }
            new
        };
        for change in changes {
            self.tell(&change);
        }
        if let Some(at) = self.bookmark {
            if at <= now {
                let bookmark = self.bookmark(Value::Null);
                self.ready.push_back(bookmark);
                self.bookmark = Some(now + BOOKMARKS);
            }
            wake = wake.min(self.bookmark.unwrap_or(wake));
        }
        if now >= self.end {
            self.over = true;
        }
        wake
    }

    /// Whether the next event is never sent.
    fn is_lost(&mut self) -> bool {
        match &mut self.breaks.lost {
            Some(0) => self.breaks.lost.take().is_some(),
            Some(left) => {
                *left -= 1;
                false
            }
            None => {
                let rate = *self.cluster.inner.losses.lock().unwrap();
                self.call.by > 0 && self.cluster.inner.dice.chance(rate)
            }
        }
    }

    /// Puts a change into words, for a client that sees only what it selected.
    fn tell(&mut self, change: &Change) {
        let was = change.before.as_ref().is_some_and(|o| self.selection.holds(o));
        let is = !change.gone && self.selection.holds(&change.object);
        let object = &change.object;
        let (kind, object) = match (was, is) {
            (true, true) => ("MODIFIED", Arc::clone(object)),
            (false, true) => ("ADDED", Arc::clone(object)),
            (true, false) if change.gone => ("DELETED", Arc::clone(object)),
            (true, false) => {
                // Its last state that was selected, at the version at which it was not any more.
                let mut last = change.before.as_deref().cloned().unwrap_or_default();
                last["metadata"]["resourceVersion"] = change.revision.to_string().into();
                ("DELETED", Arc::new(last))
            }
            (false, false) => return,
        };
        if self.is_lost() {
            self.cluster.faults().lost();
            return;
        }
        let text = line(kind, shown(&object, self.call.metadata_only));
        let echo = self.cluster.inner.echo.lock().unwrap().clone();
        if self.cluster.inner.dice.chance(echo.twice) {
            self.ready.push_back(text.clone());
        }
        self.ready.push_back(text);
        if kind != "DELETED" && self.cluster.inner.dice.chance(echo.again) {
            let at = Instant::now() + self.cluster.inner.dice.within(&echo.after);
            self.again.push_back((at, object));
        }
    }
}
