//! A world: a cluster, an S3 server, and the time and chance that they share.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use hyperstudy::controller::context::Context;
use serde_json::Value;

use crate::{
    clock,
    cluster::{Cluster, Verb},
    dice::Dice,
    program::{Calls, Program},
    s3::Buckets,
};

/// The namespace of the cases.
pub const NAMESPACE: &str = "ml";
/// The bucket that is there from the beginning.
pub const BUCKET: &str = "data";

/// A world.
#[derive(Clone, Debug)]
pub struct World {
    /// Its API server.
    pub cluster: Cluster,
    /// Its S3 server, with a bucket [`BUCKET`].
    pub buckets: Buckets,
    /// Its chance.
    pub dice: Dice,
    /// The calls of its programs.
    pub calls: Calls,
    programs: Arc<AtomicU32>,
    controllers: Arc<Mutex<Vec<Running>>>,
}

/// A controller, until it ends.
#[derive(Clone, Debug)]
struct Running {
    program: Program,
    context: Weak<Context>,
}

impl World {
    /// A new world in this test's thread, whose time begins now. The same seed gives the same world.
    pub fn new(seed: u64) -> Self {
        clock::begin();
        // What the SDK's waits between tries are drawn from.
        fastrand::seed(seed);
        let dice = Dice::new(seed);
        let calls = Calls::default();
        let (cluster, buckets) = (Cluster::new(&dice, &calls), Buckets::new(&dice, &calls));
        buckets.add(BUCKET);
        cluster.collect_garbage(Duration::from_millis(50));
        Self {
            cluster,
            buckets,
            dice,
            calls,
            programs: Arc::default(),
            controllers: Arc::default(),
        }
    }

    /// A new program.
    pub fn program(&self) -> Program {
        Program::new(self.programs.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// What a controller holds can be looked at as long as it runs.
    pub fn holds(&self, program: &Program, context: &Arc<Context>) {
        let running = Running {
            program: program.clone(),
            context: Arc::downgrade(context),
        };
        self.controllers.lock().unwrap().push(running);
    }

    /// What each of the controllers that run and have the lease holds: of how many studies, and how much in all, in bytes as it would be written out.
    pub fn held(&self) -> Vec<(usize, usize)> {
        let controllers = self.controllers.lock().unwrap();
        let running = controllers.iter().filter(|c| !c.program.end.is_cancelled());
        let running = running.filter_map(|c| c.context.upgrade());
        let running = running.filter(|context| context.holding.get().is_some());
        running
            .map(|context| {
                let entries = context.cache.entries();
                let sizes = entries.iter().map(|entry| format!("{:?}", entry.state()).len());
                (entries.len(), sizes.sum())
            })
            .collect()
    }

    /// How many programs there were.
    pub fn programs(&self) -> u32 {
        self.programs.load(Ordering::Relaxed)
    }

    /// How often each Workflow was really created, by its name.
    pub fn creations(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for change in self.cluster.history("workflows").iter().filter(|c| c.before.is_none()) {
            *found.entry(change.key.2.clone()).or_default() += 1;
        }
        found
    }

    /// The most Workflows that were there at a time without having ended.
    pub fn most_running(&self) -> usize {
        let mut running = std::collections::BTreeSet::new();
        let mut most = 0;
        for change in self.cluster.history("workflows") {
            let over = change.object["metadata"]["labels"]["workflows.argoproj.io/completed"] == "true";
            if change.gone || over {
                running.remove(&change.key);
            } else {
                running.insert(change.key);
                most = most.max(running.len());
            }
        }
        most
    }

    /// How many writes with an effect were made to a kind through the API, its garbage collection and the actors not counted.
    pub fn writes(&self, plural: &str) -> usize {
        let records = self.cluster.records();
        records
            .iter()
            .filter(|r| r.plural == plural && r.verb.writes() && r.effect.is_some())
            .count()
    }

    /// Requests to a kind that were of this sort.
    pub fn requests(&self, verb: Verb, plural: &str) -> usize {
        self.cluster
            .records()
            .iter()
            .filter(|r| r.verb == verb && r.plural == plural)
            .count()
    }

    /// Everything that was asked of both servers, in order, as text: two worlds that are alike have the same.
    pub fn told(&self) -> Vec<String> {
        let api = self.cluster.records().into_iter().map(|r| {
            let sub = if r.status { "/status" } else { "" };
            let body = match &r.body {
                Value::Null => String::new(),
                body => body.to_string(),
            };
            let line = format!(
                "{:?} {}/{}/{}{sub} {} {:?} {body}",
                r.verb, r.plural, r.namespace, r.name, r.code, r.trouble
            );
            (r.at, 0, line)
        });
        let s3 = self.buckets.records().into_iter();
        let s3 = s3.map(|r| {
            (
                r.at,
                1,
                format!("{} {}/{} {} {:?}", r.verb, r.bucket, r.key, r.code, r.trouble),
            )
        });
        let mut all: Vec<_> = api.chain(s3).collect();
        all.sort_by_key(|(at, server, _)| (*at, *server));
        all.into_iter().map(|(at, _, line)| format!("{at:?} {line}")).collect()
    }
}
