//! Watches through kube's watcher: what it is told, and what it makes of endings of every sort.

use std::{collections::BTreeSet, pin::pin, time::Duration};

use futures::{Stream, StreamExt, TryStreamExt};
use kube::{
    Api,
    api::{DynamicObject, WatchEvent, WatchParams},
    runtime::watcher::{self, Config, Event, InitialListStrategy, watcher},
};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::{dynamic, workflow};
use crate::{
    cluster::{Echo, Verb},
    faults::{Fault, Trouble},
    world::{NAMESPACE, World},
};

fn names(events: &[Event<DynamicObject>]) -> Vec<String> {
    let name = |o: &DynamicObject| o.metadata.name.clone().unwrap();
    let words = events.iter().map(|e| match e {
        Event::Apply(o) => format!("apply {}", name(o)),
        Event::Delete(o) => format!("delete {}", name(o)),
        Event::Init => "init".to_owned(),
        Event::InitApply(o) => format!("there {}", name(o)),
        Event::InitDone => "done".to_owned(),
    });
    words.collect()
}

/// The next events, errors left out.
async fn next(
    events: &mut (impl Stream<Item = watcher::Result<Event<DynamicObject>>> + Unpin),
    count: usize,
) -> Vec<Event<DynamicObject>> {
    let good = events.filter_map(async |e| e.ok());
    timeout(Duration::from_secs(3600), good.take(count).collect())
        .await
        .unwrap()
}

fn put(world: &World, name: &str, label: &str) {
    let known = world.cluster.get("workflows", NAMESPACE, name).is_some();
    if known {
        world
            .cluster
            .edit("workflows", NAMESPACE, name, |w| {
                w["metadata"]["labels"] = json!({"a": label});
            })
            .unwrap();
    } else {
        world
            .cluster
            .create(NAMESPACE, workflow(name, &json!({"a": label})))
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_selection_sees_objects_come_and_go() {
    for strategy in [InitialListStrategy::ListWatch, InitialListStrategy::StreamingList] {
        let world = World::new(1);
        put(&world, "one", "yes");
        put(&world, "two", "no");
        let config = Config {
            initial_list_strategy: strategy,
            ..Config::default().labels("a=yes")
        };
        let mut events = pin!(watcher(dynamic(&world, "workflows"), config));
        assert_eq!(names(&next(&mut events, 3).await), ["init", "there one", "done"]);
        put(&world, "two", "yes");
        put(&world, "three", "no");
        put(&world, "one", "no");
        world.cluster.delete("workflows", NAMESPACE, "two").unwrap();
        assert_eq!(
            names(&next(&mut events, 3).await),
            ["apply two", "delete one", "delete two"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_is_gone_on_with_and_nothing_is_missed() {
    for clean in [true, false] {
        let world = World::new(2);
        let mut events = pin!(watcher(dynamic(&world, "workflows"), Config::default()));
        assert_eq!(names(&next(&mut events, 2).await), ["init", "done"]);
        put(&world, "one", "1");
        assert_eq!(names(&next(&mut events, 1).await), ["apply one"]);
        world.cluster.cut_watches(clean);
        put(&world, "two", "1");
        assert_eq!(names(&next(&mut events, 1).await), ["apply two"]);
        assert_eq!(world.requests(Verb::List, "workflows"), 1);
        // In the middle of a line, after one event of the next watch.
        world.cluster.faults().push(Fault::next(
            1,
            &["watch"],
            "workflows",
            Trouble::Cut { after: 1, clean },
        ));
        world.cluster.cut_watches(true);
        for name in ["three", "four", "five"] {
            put(&world, name, "1");
        }
        assert_eq!(
            names(&next(&mut events, 3).await),
            ["apply three", "apply four", "apply five"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_too_old_begins_anew() {
    let world = World::new(3);
    let mut events = pin!(watcher(dynamic(&world, "workflows"), Config::default()));
    put(&world, "one", "1");
    assert_eq!(names(&next(&mut events, 3).await), ["init", "there one", "done"]);
    world
        .cluster
        .faults()
        .push(Fault::next(2, &["watch"], "workflows", Trouble::Reset { done: false }));
    world.cluster.cut_watches(false);
    put(&world, "two", "1");
    world.cluster.delete("workflows", NAMESPACE, "one").unwrap();
    world.cluster.compact();
    put(&world, "three", "1");
    // As it has not heard of these versions, it lists again.
    let told = names(&next(&mut events, 4).await);
    assert_eq!(told, ["init", "there three", "there two", "done"]);
    // By a fault, without having missed anything.
    world
        .cluster
        .faults()
        .push(Fault::next(1, &["watch"], "workflows", Trouble::Refuse(410)));
    world.cluster.cut_watches(true);
    assert_eq!(
        names(&next(&mut events, 4).await),
        ["init", "there three", "there two", "done"]
    );
    // The list as well.
    world
        .cluster
        .faults()
        .push(Fault::next(1, &["watch"], "workflows", Trouble::Refuse(410)));
    world
        .cluster
        .faults()
        .push(Fault::next(2, &["list"], "workflows", Trouble::Refuse(410)));
    world.cluster.cut_watches(true);
    // Each try says anew that it begins.
    let told = names(&next(&mut events, 6).await);
    assert_eq!(told, ["init", "init", "init", "there three", "there two", "done"]);
    assert_eq!(world.cluster.faults().left(), 0);
}

#[tokio::test(start_paused = true)]
async fn caches_lag_each_by_its_own() {
    let world = World::new(4);
    world
        .cluster
        .set_lag("workflows", Duration::from_secs(10)..Duration::from_secs(20));
    let mut slow = pin!(watcher(dynamic(&world, "workflows"), Config::default()));
    let mut quick = pin!(watcher(dynamic(&world, "configmaps"), Config::default()));
    next(&mut slow, 2).await;
    next(&mut quick, 2).await;
    let before = Instant::now();
    for name in ["one", "two", "three"] {
        put(&world, name, "1");
    }
    world
        .cluster
        .create(
            NAMESPACE,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}),
        )
        .unwrap();
    assert_eq!(names(&next(&mut quick, 1).await), ["apply m"]);
    assert!(before.elapsed() < Duration::from_secs(1));
    // Reads are of now, a list from the cache is not.
    assert_eq!(
        dynamic(&world, "workflows")
            .list(&Default::default())
            .await
            .unwrap()
            .items
            .len(),
        3
    );
    let cached = kube::api::ListParams::default().match_any();
    assert_eq!(dynamic(&world, "workflows").list(&cached).await.unwrap().items.len(), 0);
    assert_eq!(
        names(&next(&mut slow, 3).await),
        ["apply one", "apply two", "apply three"]
    );
    let took = before.elapsed();
    assert!(
        took >= Duration::from_secs(10) && took < Duration::from_secs(21),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn events_come_twice_and_late_but_not_back_from_the_dead() {
    let world = World::new(5);
    world.cluster.set_echo(Echo {
        twice: 0.5,
        again: 0.5,
        after: Duration::from_secs(1)..Duration::from_secs(5),
    });
    let mut events = pin!(watcher(dynamic(&world, "workflows"), Config::default()));
    next(&mut events, 2).await;
    for round in 0..20 {
        for name in ["one", "two"] {
            put(&world, name, &round.to_string());
        }
    }
    world.cluster.delete("workflows", NAMESPACE, "one").unwrap();
    let mut told = Vec::new();
    while let Ok(Some(Ok(event))) = timeout(Duration::from_secs(10), events.next()).await {
        told.push(event);
    }
    assert!(told.len() > 50, "{}", told.len());
    let versions = |name: &str| -> Vec<u64> {
        let of = told.iter().filter_map(|e| match e {
            Event::Apply(o) if o.metadata.name.as_deref() == Some(name) => o.metadata.resource_version.as_ref(),
            _ => None,
        });
        of.map(|v| v.parse().unwrap()).collect()
    };
    let two = versions("two");
    assert_eq!(two.iter().collect::<BTreeSet<_>>().len(), 20);
    assert!(two.windows(2).any(|w| w[0] == w[1]), "none came twice");
    assert!(two.windows(2).any(|w| w[0] > w[1]), "none came late");
    let names = names(&told);
    let gone = names.iter().position(|n| n == "delete one").unwrap();
    assert!(!names[gone..].contains(&"apply one".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn bookmarks_and_the_end_of_a_watch() {
    let world = World::new(6);
    put(&world, "one", "1");
    let api: Api<DynamicObject> = dynamic(&world, "workflows");
    let before = Instant::now();
    let stream = api.watch(&WatchParams::default().timeout(150), "0").await.unwrap();
    let mut events = pin!(stream);
    assert!(matches!(events.try_next().await.unwrap(), Some(WatchEvent::Added(_))));
    world
        .cluster
        .create(
            NAMESPACE,
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}}),
        )
        .unwrap();
    for _ in 0..2 {
        let Some(WatchEvent::Bookmark(bookmark)) = events.try_next().await.unwrap() else {
            panic!()
        };
        let version: u64 = bookmark.metadata.resource_version.parse().unwrap();
        assert_eq!(version, world.cluster.history("configmaps")[0].revision);
    }
    assert!(events.try_next().await.unwrap().is_none());
    assert_eq!(before.elapsed().as_secs(), 150);
    let metadata = api
        .watch_metadata(&WatchParams::default().timeout(1), "0")
        .await
        .unwrap();
    let Some(WatchEvent::Added(one)) = pin!(metadata).try_next().await.unwrap() else {
        panic!()
    };
    assert_eq!(one.types.unwrap().kind, "PartialObjectMetadata");
    let future = api.watch(&WatchParams::default().timeout(1), "999999").await.unwrap();
    assert!(pin!(future).try_next().await.unwrap().is_none());
}
