//! Conditions, listings and deletions on a real server.

use hyperstudy::storage::{ClaimError, Condition, Location, Owner, Since, StorageError, Store, plain_http};

use super::{at, endpoint, lab};

async fn write(store: &Store, keys: &[String]) {
    let writing = keys.iter().map(|key| {
        let (store, at) = (store.clone(), at(&format!("s3://studies/{key}")));
        tokio::spawn(async move { store.put(&at, b"x".to_vec(), "text/plain").await.unwrap() })
    });
    for one in writing.collect::<Vec<_>>() {
        one.await.unwrap();
    }
}

async fn keys(store: &Store, folder: &str) -> Vec<String> {
    let listed = store.list(&at(folder)).await.unwrap();
    listed.into_iter().map(|object| object.key).collect()
}

#[tokio::test]
async fn creates_and_replaces_on_condition() {
    let (_server, store) = lab().await;
    let object = at("s3://studies/a/one");
    let put = |text: &'static str, condition| store.put_if(&object, text.into(), "text/plain", condition);
    put("1", Condition::Absent).await.unwrap();
    let refused = put("2", Condition::Absent).await;
    assert!(matches!(refused, Err(StorageError::Changed { .. })), "{refused:?}");
    let first = store.version(&object).await.unwrap().unwrap();
    put("three", Condition::Is(&first)).await.unwrap();
    let refused = put("4", Condition::Is(&first)).await;
    assert!(matches!(refused, Err(StorageError::Changed { .. })), "{refused:?}");
    let read = store.read(&object, 5).await.unwrap().unwrap();
    assert_eq!(read.bytes, b"three");
    assert_eq!(Some(read.version), store.version(&object).await.unwrap());
    let refused = store.read(&object, 4).await;
    assert!(
        matches!(refused, Err(StorageError::TooLarge { max: 4, .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn deletes_the_listed_versions_only() {
    let (_server, store) = lab().await;
    let folder = at("s3://studies/runs/1");
    for few in [true, false] {
        let names = if few { 2 } else { 9 };
        write(&store, &(0..names).map(|i| format!("runs/1/{i}")).collect::<Vec<_>>()).await;
        let seen = store.list(&folder).await.unwrap();
        let changed = at("s3://studies/runs/1/1");
        store.put(&changed, b"another".to_vec(), "text/plain").await.unwrap();
        store.delete_listed(&folder, &seen).await.unwrap();
        let left = keys(&store, "s3://studies/runs/1").await;
        // One at a time it has conditions; in batches this server does not look at them, and says nothing.
        assert!(left == ["runs/1/1"] || (!few && left.is_empty()), "{left:?}");
        store.delete_folder(&folder).await.unwrap();
    }
}

#[tokio::test]
async fn many_objects_take_many_pages_and_batches() {
    let (_server, store) = lab().await;
    let files: Vec<_> = (0..1100).map(|i| format!("runs/1/{}/{i}", i % 3)).collect();
    write(&store, &files).await;
    write(
        &store,
        &["runs/10/x", "runs/1x", "runs/study_results.csv"].map(str::to_owned),
    )
    .await;
    assert_eq!(keys(&store, "s3://studies/runs/1").await.len(), 1100);
    // Folder 1 is not folder 10.
    assert_eq!(store.empty_folder(&at("s3://studies/runs/1")).await.unwrap(), []);
    let left = ["runs/10/x", "runs/1x", "runs/study_results.csv"];
    assert_eq!(keys(&store, "s3://studies").await, left);
    write(&store, &files).await;
    store.delete_folder(&at("s3://studies/runs/1")).await.unwrap();
    assert_eq!(keys(&store, "s3://studies").await, left);
    assert!(store.is_empty(&at("s3://studies/runs/1")).await.unwrap());
}

#[tokio::test]
async fn odd_names_come_and_go() {
    let (_server, store) = lab().await;
    let odd = [
        "runs/1/a b+c%20",
        "runs/1/ü&<1>'\"",
        "runs/1/=?#",
        "runs/1/.h",
        "runs/1/x/y/z",
    ]
    .map(str::to_owned);
    write(&store, &odd).await;
    let mut expected = odd.to_vec();
    expected.sort();
    let mut found = keys(&store, "s3://studies/runs/1").await;
    found.sort();
    assert_eq!(found, expected);
    store.delete_folder(&at("s3://studies/runs/1")).await.unwrap();
    assert!(store.is_empty(&at("s3://studies/runs")).await.unwrap());
}

#[tokio::test]
async fn a_folder_has_one_owner() {
    let (_server, store) = lab().await;
    let folder = at("s3://studies/runs/a");
    let owner = |name: &str| Owner {
        uid: format!("uid-of-{name}"),
        name: name.to_owned(),
    };
    let (one, two) = (owner("one"), owner("two"));
    let (first, second) = tokio::join!(store.claim(&folder, &one, false), store.claim(&folder, &two, false));
    let (won, lost) = if first.is_ok() { (one, second) } else { (two, first) };
    assert!(
        matches!(lost, Err(ClaimError::Owned { .. } | ClaimError::NotEmpty { .. })),
        "{lost:?}"
    );
    assert_eq!(store.owner_of(&folder).await.unwrap(), Some(won));
}

#[tokio::test]
async fn what_is_missing_or_refused_is_told() {
    let (server, store) = lab().await;
    let nowhere = at("s3://nowhere/runs/x");
    let missing = |e: &StorageError| matches!(e, StorageError::NoSuchBucket(b) if b == "nowhere") && !e.is_transient();
    for error in [
        store.read(&nowhere, 1).await.unwrap_err(),
        store.put(&nowhere, vec![], "text/plain").await.unwrap_err(),
        store.list(&nowhere).await.unwrap_err(),
        store.delete_folder(&nowhere).await.unwrap_err(),
    ] {
        assert!(missing(&error), "{error}");
    }
    // Putting it right is enough.
    store.create_bucket(&nowhere).await.unwrap();
    store.create_bucket(&nowhere).await.unwrap();
    assert!(store.list(&nowhere).await.unwrap().is_empty());

    let mut wrong = endpoint(format!("http://127.0.0.1:{}", server.port));
    wrong.secret_key = "wrong".to_owned();
    let error = Store::new(&wrong, plain_http()).list(&nowhere).await.unwrap_err();
    assert!(matches!(error, StorageError::BadCredentials { .. }), "{error}");
    // This server calls that a missing thing.
    wrong.access_key = "nobody".to_owned();
    let store = Store::new(&wrong, plain_http());
    for error in [
        store.list(&nowhere).await.unwrap_err(),
        store.read(&nowhere, 9).await.unwrap_err(),
    ] {
        assert!(matches!(error, StorageError::BadCredentials { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_is_known_is_not_read_again() {
    let (_server, store) = lab().await;
    let at: Location = "s3://studies/known/file".parse().unwrap();
    store.put(&at, b"one".to_vec(), "text/plain").await.unwrap();
    let one = store.read(&at, 100).await.unwrap().unwrap();
    assert_eq!(store.read_since(&at, &one.version, 100).await.unwrap(), Since::Same);
    store.put(&at, b"two".to_vec(), "text/plain").await.unwrap();
    let Since::Changed(two) = store.read_since(&at, &one.version, 100).await.unwrap() else {
        panic!("it has changed")
    };
    assert_eq!(two.bytes, b"two");
    assert!(matches!(
        store.read_since(&at, &one.version, 2).await,
        Err(StorageError::TooLarge { .. })
    ));
    store.delete_object(&at).await.unwrap();
    assert_eq!(store.read_since(&at, &two.version, 100).await.unwrap(), Since::Gone);
}

#[tokio::test]
async fn a_folder_that_another_study_took_over_is_known_by_its_owner() {
    let (_server, store) = lab().await;
    let folder: Location = "s3://studies/taken/over".parse().unwrap();
    let owner = |uid: &str| Owner {
        uid: uid.to_owned(),
        name: "s".to_owned(),
    };
    store.claim(&folder, &owner("a"), false).await.unwrap();
    let mut known = None;
    for _ in 0..2 {
        assert!(!store.is_foreign(&folder, "a", &mut known).await.unwrap());
        assert!(known.is_some());
    }
    store.claim(&folder, &owner("b"), true).await.unwrap();
    assert!(store.is_foreign(&folder, "a", &mut known).await.unwrap());
    assert!(!store.is_foreign(&folder, "b", &mut known).await.unwrap());
}
