//! The program's own store on the simulated S3 server.

use std::time::Duration;

use hyperstudy::storage::{ClaimError, Location, Owner, StorageError};
use tokio::time::Instant;

use crate::{
    faults::{Fault, Trouble},
    world::{BUCKET, World},
};

fn at(key: &str) -> Location {
    format!("s3://{BUCKET}/{key}").parse().unwrap()
}

fn owner(name: &str) -> Owner {
    Owner {
        uid: format!("uid-of-{name}"),
        name: name.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn objects_are_written_read_listed_and_deleted() {
    let world = World::new(1);
    let store = world.buckets.store();
    let odd = at("runs/a b/ü+%2F&<1>.json");
    assert_eq!(store.read(&odd, 10).await.unwrap(), None);
    store.put(&odd, b"{}".to_vec(), "application/json").await.unwrap();
    let read = store.read(&odd, 10).await.unwrap().unwrap();
    assert_eq!(read.bytes, b"{}");
    assert_eq!(store.version(&odd).await.unwrap().unwrap(), read.version);
    assert!(matches!(store.read(&odd, 1).await, Err(StorageError::TooLarge { .. })));
    let listed = store.list(&at("runs")).await.unwrap();
    assert_eq!((listed[0].key.as_str(), &listed[0].version), (odd.key(), &read.version));
    world.buckets.set_page(4);
    for n in 1..=11 {
        world.buckets.put(BUCKET, &format!("runs/{n}/metrics.json"), b"{}");
        world.buckets.put(BUCKET, &format!("runs/{n}/model"), b"m");
    }
    assert_eq!(store.list(&at("runs")).await.unwrap().len(), 23);
    store.delete_folder(&at("runs/1")).await.unwrap();
    assert!(store.is_empty(&at("runs/1")).await.unwrap());
    assert!(!store.is_empty(&at("runs/10")).await.unwrap());
    assert!(store.empty_folder(&at("runs")).await.unwrap().is_empty());
    assert!(world.buckets.keys(BUCKET).is_empty());
    assert!(world.buckets.records().iter().any(|r| r.verb == "delete-many"));
    let nowhere: Location = "s3://nowhere/x".parse().unwrap();
    assert!(matches!(
        store.list(&nowhere).await,
        Err(StorageError::NoSuchBucket { .. })
    ));
    store.create_bucket(&nowhere).await.unwrap();
    store.create_bucket(&nowhere).await.unwrap();
    assert!(store.is_empty(&nowhere).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_is_taken_over_is_cleared_once() {
    let world = World::new(4);
    let (store, store_2) = (world.buckets.store(), world.buckets.store());
    let (folder, mine) = (at("runs/s"), owner("s"));
    let leftovers = || {
        for n in 1..=3 {
            world.buckets.put(BUCKET, &format!("runs/s/{n}/model"), b"m");
        }
    };
    // The last write of the claim is refused: the mark still says that the folder is being cleared.
    leftovers();
    let faults = world.buckets.faults();
    faults.push(Fault::next(1, &["put"], BUCKET, Trouble::Refuse(409)).after(1));
    let claimed = store.claim(&folder, &mine, true).await;
    assert!(matches!(claimed, Err(ClaimError::Contested { .. })), "{claimed:?}");
    store.claim(&folder, &mine, true).await.unwrap();
    leftovers();
    store.claim(&folder, &mine, true).await.unwrap();
    assert_eq!(world.buckets.keys(BUCKET).len(), 4);
    // Another program clears it, finishes, and goes on, while this one is at it.
    let next = owner("next");
    faults.push(Fault::next(1, &["list"], BUCKET, Trouble::Slow(Duration::from_secs(8))));
    let (slow, ()) = tokio::join!(store.claim(&folder, &next, true), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        store_2.claim(&folder, &next, true).await.unwrap();
        leftovers();
    });
    assert!(matches!(slow, Err(ClaimError::Contested { .. })), "{slow:?}");
    assert_eq!(world.buckets.keys(BUCKET).len(), 4);
    store.claim(&folder, &next, true).await.unwrap();
    assert_eq!(store.owner_of(&folder).await.unwrap(), Some(next));
}

#[tokio::test(start_paused = true)]
async fn a_folder_is_claimed_once() {
    let world = World::new(2);
    let store = world.buckets.store();
    let folder = at("runs/s");
    store.claim(&folder, &owner("s"), false).await.unwrap();
    store.claim(&folder, &owner("s"), false).await.unwrap();
    let other = store.claim(&folder, &owner("t"), false).await;
    assert!(matches!(other, Err(ClaimError::Owned { .. })));
    // An answer that got lost: the claim is there, and the next try finds its own.
    let folder = at("runs/lost");
    world
        .buckets
        .faults()
        .push(Fault::next(1, &["put"], BUCKET, Trouble::Reset { done: true }));
    store.claim(&folder, &owner("s"), false).await.unwrap();
    // Another program claims it for the same study while this one looks at it.
    let folder = at("runs/mine");
    let faults = world.buckets.faults();
    faults.push(Fault::next(1, &["list"], BUCKET, Trouble::Slow(Duration::from_secs(8))));
    let (mine, store_2) = (owner("s"), world.buckets.store());
    let (slow, quick) = tokio::join!(store.claim(&folder, &mine, false), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        store_2.claim(&folder, &mine, false).await
    });
    assert!(slow.is_ok() && quick.is_ok(), "{slow:?} {quick:?}");
    // Two at the same time.
    let folder = at("runs/both");
    let (s, t) = (owner("s"), owner("t"));
    let (one, two) = tokio::join!(store.claim(&folder, &s, false), store.claim(&folder, &t, false));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
}

#[tokio::test(start_paused = true)]
async fn whose_a_folder_is_stands_there_until_nothing_else_does() {
    let world = World::new(2);
    let store = world.buckets.store();
    let folder = at("runs/s");
    for (files, page) in [(1, 1000), (20, 1000), (20, 3), (20, 1), (0, 1)] {
        world.buckets.set_page(page);
        store.claim(&folder, &owner("s"), false).await.unwrap();
        for n in 1..=files {
            world.buckets.put(BUCKET, &format!("runs/s/{n}/model"), b"m");
        }
        let before = world.buckets.effects().len();
        assert!(!store.is_empty(&folder).await.unwrap());
        store.delete_folder(&folder).await.unwrap();
        assert!(store.is_empty(&folder).await.unwrap());
        let deleted: Vec<String> = world.buckets.effects()[before..]
            .iter()
            .map(|e| e.key.clone())
            .collect();
        assert_eq!(deleted.len(), files + 1);
        assert_eq!(deleted.last().unwrap(), "runs/s/.owner");
    }
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_is_tried_again_or_told() {
    let world = World::new(3);
    let store = world.buckets.store();
    world.buckets.put(BUCKET, "x", b"0123456789");
    for trouble in [
        Trouble::Later(1),
        Trouble::Refuse(500),
        Trouble::Reset { done: false },
        Trouble::Slow(Duration::from_secs(5)),
    ] {
        world
            .buckets
            .faults()
            .push(Fault::next(1, &["get"], BUCKET, trouble.clone()).named("x"));
        let read = store.read(&at("x"), 100).await;
        assert_eq!(read.unwrap().unwrap().bytes, b"0123456789", "{trouble:?}");
    }
    // Silence is told when it has lasted for long enough: whoever asked asks again.
    let before = Instant::now();
    world
        .buckets
        .faults()
        .push(Fault::next(1, &["put"], BUCKET, Trouble::Silence { done: true }));
    let y = at("y");
    let put = || store.put(&y, b"y".to_vec(), "text/plain");
    assert!(matches!(put().await, Err(StorageError::Unreachable { .. })));
    assert!(before.elapsed() < Duration::from_secs(31));
    put().await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(30));
    let puts = world
        .buckets
        .records()
        .into_iter()
        .filter(|r| r.verb == "put" && r.code == 200);
    assert_eq!(puts.count(), 2);

    world
        .buckets
        .faults()
        .push(Fault::next(1, &["get"], "", Trouble::Refuse(403)));
    assert!(matches!(
        store.read(&at("x"), 100).await,
        Err(StorageError::AccessDenied { .. })
    ));
    world
        .buckets
        .faults()
        .push(Fault::next(1, &["get"], "", Trouble::Cut { after: 0, clean: false }));
    assert!(matches!(
        store.read(&at("x"), 100).await,
        Err(StorageError::Unreachable { .. })
    ));
    world
        .buckets
        .faults()
        .push(Fault::next(5, &["list"], "", Trouble::Later(1)));
    assert!(matches!(store.list(&at("r")).await, Err(StorageError::Busy { .. })));
    world
        .buckets
        .faults()
        .push(Fault::next(5, &["list"], "", Trouble::Garble));
    assert!(store.list(&at("r")).await.is_err());
}
