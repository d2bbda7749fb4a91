#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! The store against a real server: the one inside the program.

use std::{fs, path::PathBuf};

use super::{object::Condition, *};
use crate::local::s3::Server;

mod claims;

/// A server with a bucket `studies`, and a store for it.
pub(crate) struct Lab {
    pub dir: tempfile::TempDir,
    pub server: Server,
    pub store: Store,
}

pub(crate) async fn lab() -> Lab {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await.unwrap();
    let store = Store::new(server.endpoint(), plain_http());
    store.create_bucket(&at("s3://studies")).await.unwrap();
    Lab { dir, server, store }
}

pub(crate) fn at(text: &str) -> Location {
    text.parse().unwrap()
}

impl Lab {
    /// Writes files as a process would, past S3.
    fn write(&self, files: &[&str]) {
        for file in files {
            let path = self.path(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join("studies").join(file)
    }

    async fn keys(&self, folder: &str) -> Vec<String> {
        self.store
            .list(&at(folder))
            .await
            .unwrap()
            .into_iter()
            .map(|o| o.key)
            .collect()
    }
}

fn owner(name: &str) -> Owner {
    Owner {
        uid: format!("uid-of-{name}"),
        name: name.to_owned(),
    }
}

#[tokio::test]
async fn reads_and_writes_objects() {
    let lab = lab().await;
    let object = at("s3://studies/runs/a b/ü+%2F&<1>.json");
    assert!(!lab.store.exists(&object).await.unwrap());
    assert_eq!(lab.store.read(&object, 10).await.unwrap(), None);
    lab.store
        .put(&object, b"{}".to_vec(), "application/json")
        .await
        .unwrap();
    let found = lab.store.read(&object, 2).await.unwrap().unwrap();
    assert_eq!(found.bytes, b"{}");
    assert_eq!(lab.store.version(&object).await.unwrap(), Some(found.version.clone()));
    assert_eq!(
        lab.store.list(&at("s3://studies/runs")).await.unwrap()[0].version,
        found.version
    );
    assert!(matches!(
        lab.store.read(&object, 1).await,
        Err(StorageError::TooLarge { max: 1, .. })
    ));
    // A folder is no object, nor is what cannot be one.
    assert_eq!(lab.store.read(&at("s3://studies/runs"), 10).await.unwrap(), None);
    assert!(!lab.store.exists(&at("s3://studies/runs/a b")).await.unwrap());
    // Changed past S3: another version.
    fs::write(lab.path("runs/a b/ü+%2F&<1>.json"), "[1]").unwrap();
    let changed = lab.store.read(&object, 10).await.unwrap().unwrap();
    assert_eq!(changed.bytes, b"[1]");
    assert_ne!(changed.version.etag, found.version.etag);
}

#[tokio::test]
async fn conditions_hold() {
    let lab = lab().await;
    let object = at("s3://studies/one");
    let put = |text: &'static str, condition| lab.store.put_if(&object, text.into(), "text/plain", condition);
    put("1", Condition::Absent).await.unwrap();
    assert!(matches!(
        put("2", Condition::Absent).await,
        Err(StorageError::Changed { .. })
    ));
    let first = lab.store.version(&object).await.unwrap().unwrap();
    put("three", Condition::Is(&first)).await.unwrap();
    assert!(matches!(
        put("4", Condition::Is(&first)).await,
        Err(StorageError::Changed { .. })
    ));
    assert_eq!(lab.store.read(&object, 9).await.unwrap().unwrap().bytes, b"three");
    // Of many at the same time, one wins.
    let other = at("s3://studies/deep/er/two");
    let all = (0..8).map(|i| {
        let (store, other) = (lab.store.clone(), other.clone());
        tokio::spawn(async move { store.put_if(&other, vec![i], "", Condition::Absent).await.is_ok() })
    });
    let mut won = 0;
    for one in all.collect::<Vec<_>>() {
        won += usize::from(one.await.unwrap());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn a_missing_bucket_and_wrong_credentials_are_told() {
    let lab = lab().await;
    let nowhere = at("s3://nowhere/runs/x");
    let missing = |e: &StorageError| matches!(e, StorageError::NoSuchBucket(b) if b == "nowhere");
    assert!(missing(&lab.store.read(&nowhere, 1).await.unwrap_err()));
    assert!(missing(&lab.store.put(&nowhere, vec![], "").await.unwrap_err()));
    assert!(missing(&lab.store.list(&nowhere).await.unwrap_err()));
    assert!(missing(&lab.store.delete_folder(&nowhere).await.unwrap_err()));
    assert!(missing(&lab.store.empty_folder(&nowhere).await.unwrap_err()));
    let error = lab.store.claim(&nowhere, &owner("a"), false).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the bucket `nowhere` does not exist: create it, or name another one"
    );
    assert!(!error.is_transient());

    let mut endpoint = lab.server.endpoint().clone();
    endpoint.secret_key = "wrong".to_owned();
    let error = Store::new(&endpoint, plain_http())
        .read(&at("s3://studies/x"), 1)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StorageError::BadCredentials { .. }) && !error.is_transient(),
        "{error}"
    );
    assert!(!format!("{endpoint:?}").contains("wrong"));

    endpoint.url = "http://127.0.0.1:1".to_owned();
    let error = Store::new(&endpoint, plain_http())
        .read(&at("s3://studies/x"), 1)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StorageError::Unreachable { .. }) && error.is_transient(),
        "{error}"
    );
}

#[tokio::test]
async fn deletion_stays_in_its_folder() {
    let lab = lab().await;
    let odd = [
        "runs/1/a b",
        "runs/1/ü",
        "runs/1/100%",
        "runs/1/a+b",
        "runs/1/&<>\"'",
        "runs/1/new\nline",
        "runs/1/\u{1}",
        "runs/1/.h",
        "runs/1/\\",
    ];
    lab.write(&odd);
    lab.write(&[
        "runs/1/deep/er/file",
        "runs/10/x",
        "runs/1.csv",
        "runs/11",
        "runs/study_results.csv",
    ]);
    let mut expected: Vec<_> = odd.iter().map(ToString::to_string).collect();
    expected.push("runs/1/deep/er/file".to_owned());
    expected.sort();
    assert_eq!(lab.keys("s3://studies/runs/1").await, expected);
    let one = at("s3://studies/runs/1");
    lab.store.delete_folder(&one).await.unwrap();
    assert!(lab.store.is_empty(&one).await.unwrap());
    lab.store.delete_folder(&one).await.unwrap();
    assert_eq!(
        lab.keys("s3://studies").await,
        ["runs/1.csv", "runs/10/x", "runs/11", "runs/study_results.csv"]
    );
    assert!(lab.path("runs/1/deep/er").exists());
    lab.server.remove_folder(&one).unwrap();
    assert!(!lab.path("runs/1").exists() && lab.path("runs/10/x").exists());
    for refused in [
        lab.store.delete_folder(&at("s3://studies")).await,
        lab.store.empty_folder(&at("s3://studies")).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(StorageError::WholeBucket { .. })));
    }
}

#[tokio::test]
async fn many_objects_take_many_pages() {
    let lab = lab().await;
    let files: Vec<_> = (0..2345).map(|i| format!("runs/1/{:02}/{i}", i % 7)).collect();
    lab.write(&files.iter().map(String::as_str).collect::<Vec<_>>());
    lab.write(&["runs/2/kept"]);
    assert_eq!(lab.keys("s3://studies/runs/1").await.len(), 2345);
    assert_eq!(lab.store.empty_folder(&at("s3://studies/runs/1")).await.unwrap(), []);
    lab.write(&files.iter().map(String::as_str).collect::<Vec<_>>());
    lab.store.delete_folder(&at("s3://studies/runs/1")).await.unwrap();
    assert_eq!(lab.keys("s3://studies").await, ["runs/2/kept"]);
}

#[tokio::test]
async fn emptying_removes_only_the_versions_it_saw() {
    let lab = lab().await;
    lab.write(&["runs/1/metrics.json", "runs/1/model"]);
    let folder = at("s3://studies/runs/1");
    let mut seen = lab.store.list(&folder).await.unwrap();
    fs::write(lab.path("runs/1/metrics.json"), "new and longer than before").unwrap();
    lab.store.delete_listed(&folder, &seen).await.unwrap();
    assert_eq!(lab.keys("s3://studies/runs/1").await, ["runs/1/metrics.json"]);
    // The same with batches.
    lab.write(&["runs/1/a", "runs/1/b", "runs/1/c", "runs/1/d"]);
    seen = lab.store.list(&folder).await.unwrap();
    fs::write(lab.path("runs/1/c"), "changed").unwrap();
    lab.store.delete_listed(&folder, &seen).await.unwrap();
    assert_eq!(lab.keys("s3://studies/runs/1").await, ["runs/1/c"]);
    assert_eq!(lab.store.empty_folder(&folder).await.unwrap(), []);
}

#[tokio::test]
async fn moves_files_and_folders() {
    let lab = lab().await;
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().join("in");
    fs::create_dir_all(local.join("deep/empty")).unwrap();
    fs::write(local.join("a b.txt"), "a").unwrap();
    fs::write(local.join("deep/large"), vec![7; 3 << 20]).unwrap();
    std::os::unix::fs::symlink("a b.txt", local.join("link")).unwrap();
    std::os::unix::fs::symlink("/", local.join("root")).unwrap();
    let to = at("s3://studies/runs/1/model");
    assert_eq!(lab.store.upload_from(&local, &to).await.unwrap(), 3);
    let out = dir.path().join("out/x");
    assert_eq!(lab.store.download_to(&to, &out).await.unwrap(), 3);
    assert_eq!(fs::read(out.join("deep/large")).unwrap(), vec![7; 3 << 20]);
    assert_eq!(fs::read_to_string(out.join("link")).unwrap(), "a");
    // One file.
    let file = at("s3://studies/runs/1/one.txt");
    assert_eq!(lab.store.upload_from(&local.join("a b.txt"), &file).await.unwrap(), 1);
    assert_eq!(lab.store.download_to(&file, &dir.path().join("one")).await.unwrap(), 1);
    assert_eq!(fs::read_to_string(dir.path().join("one")).unwrap(), "a");
    assert_eq!(
        lab.store.download_to(&at("s3://studies/nothing"), &out).await.unwrap(),
        0
    );
    let error = lab
        .store
        .upload_from(&dir.path().join("none"), &file)
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::Local { .. }) && !error.is_transient());
}

/// A server that gives each request the next of these answers, and the last one for ever.
async fn answering(answers: Vec<&'static str>) -> Store {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut answers = answers.into_iter().peekable();
        let mut last = "";
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 16384]).await;
            last = answers.next().unwrap_or(last);
            let _ = socket.write_all(last.as_bytes()).await;
            let _ = socket.shutdown().await;
        }
    });
    let endpoint = Endpoint {
        url,
        region: "us-east-1".to_owned(),
        access_key: "key".to_owned(),
        secret_key: "secret".to_owned(),
        ..Endpoint::default()
    };
    Store::new(&endpoint, plain_http())
}

const BUSY: &str = "HTTP/1.1 503 Slow Down\r\ncontent-length: 85\r\nconnection: close\r\n\r\n<Error><Code>SlowDown</Code><Message>the treasure is under the tree</Message></Error>";

#[tokio::test]
async fn what_fails_for_now_is_tried_again() {
    let fine = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\netag: \"a\"\r\nconnection: close\r\n\r\nok";
    let store = answering(vec![BUSY, BUSY, "", fine]).await;
    assert_eq!(
        store.read(&at("s3://studies/x"), 9).await.unwrap().unwrap().bytes,
        b"ok"
    );
    let error = answering(vec![BUSY])
        .await
        .read(&at("s3://studies/x"), 9)
        .await
        .unwrap_err();
    assert!(
        matches!(error, StorageError::Busy { status: 503, .. }) && error.is_transient(),
        "{error:?}"
    );
    assert!(!format!("{error} {error:?}").contains("treasure"));
}

#[tokio::test]
async fn what_a_server_says_is_not_repeated() {
    for (answer, transient) in [
        (
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 56\r\nconnection: close\r\n\r\n<Error><Code>treasure</Code><Message>trove</Message></Error>",
            false,
        ),
        (
            "HTTP/1.1 400 Treasure\r\ncontent-length: 8\r\nconnection: close\r\n\r\ntreasure",
            false,
        ),
        (
            "HTTP/1.1 301 Moved\r\nlocation: http://treasure/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            false,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: close\r\n\r\ntreasure",
            true,
        ),
        ("220 treasure.example ESMTP\r\n", true),
    ] {
        let store = answering(vec![answer]).await;
        for error in [
            store.read(&at("s3://studies/x"), 999).await.unwrap_err(),
            store.list(&at("s3://studies/x")).await.unwrap_err(),
        ] {
            assert!(!format!("{error} {error:?}").contains("treasure"), "{error:?}");
            assert_eq!(error.is_transient(), transient, "{answer}: {error:?}");
        }
    }
}
