#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! What `s3s-fs` alone would get wrong, and what a person finds in the folder afterwards. The rest is tested through
//! [`crate::storage`].

use std::os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener};

use aws_sdk_s3::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region},
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};

use super::*;
use crate::storage::{
    plain_http,
    tests::{Lab, at, lab},
};

/// A client as scripts have it: with all of the SDK's defaults, sums of everything among them.
fn script(lab: &Lab) -> Client {
    let endpoint = lab.server.endpoint();
    let credentials = Credentials::new(&endpoint.access_key, &endpoint.secret_key, None, None, "test");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(&endpoint.url)
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials)
        .force_path_style(true)
        .http_client(plain_http());
    Client::from_conf(config.build())
}

/// Every file in a folder, hidden ones and folders that are empty (with a slash) among them.
fn everything(folder: &Path) -> Vec<String> {
    fn walk(folder: &Path, top: &Path, all: &mut Vec<String>) {
        let mut empty = true;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            empty = false;
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                walk(&path, top, all);
            } else {
                all.push(path.strip_prefix(top).unwrap().to_string_lossy().into_owned());
            }
        }
        if empty {
            all.push(format!("{}/", folder.strip_prefix(top).unwrap().to_string_lossy()));
        }
    }
    let mut all = Vec::new();
    walk(folder, folder, &mut all);
    all.sort();
    all
}

#[tokio::test]
async fn scripts_find_what_they_know() {
    let lab = lab().await;
    let client = script(&lab);
    let long = format!("runs/{}/{}", "x".repeat(200), "y".repeat(200));
    for key in ["runs/1/a b+c%20", &long] {
        let put = client
            .put_object()
            .bucket("studies")
            .key(key)
            .metadata("epoch", "3")
            .body(ByteStream::from_static(b"weights"));
        let etag = put.send().await.unwrap().e_tag.unwrap();
        let head = client.head_object().bucket("studies").key(key).send().await.unwrap();
        assert_eq!(
            (head.e_tag(), head.content_length(), &head.metadata().unwrap()["epoch"]),
            (Some(etag.as_str()), Some(7), &"3".to_owned())
        );
        let got = client
            .get_object()
            .bucket("studies")
            .key(key)
            .range("bytes=1-3")
            .send()
            .await
            .unwrap();
        assert_eq!(got.e_tag(), Some(etag.as_str()));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), b"eig");
        let unchanged = client
            .get_object()
            .bucket("studies")
            .key(key)
            .if_none_match(&etag)
            .send()
            .await
            .unwrap_err();
        assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
        let copy = client
            .copy_object()
            .bucket("studies")
            .key("runs/copy")
            .copy_source("studies/runs/1/a%20b%2Bc%2520");
        copy.send().await.unwrap();
    }
    assert_eq!(fs::read(lab.dir.path().join("studies/runs/copy")).unwrap(), b"weights");
    let page = client
        .list_objects_v2()
        .bucket("studies")
        .prefix("runs/")
        .delimiter("/")
        .max_keys(2)
        .send()
        .await
        .unwrap();
    assert_eq!((page.is_truncated(), page.key_count()), (Some(true), Some(2)));
    let rest = client
        .list_objects_v2()
        .bucket("studies")
        .prefix("runs/")
        .delimiter("/")
        .continuation_token(page.next_continuation_token().unwrap());
    assert_eq!(
        rest.send().await.unwrap().common_prefixes()[0].prefix(),
        Some(&*format!("runs/{}/", "x".repeat(200)))
    );
    let first = client
        .list_objects()
        .bucket("studies")
        .max_keys(1)
        .send()
        .await
        .unwrap();
    assert_eq!(first.contents()[0].key(), Some("runs/1/a b+c%20"));
    assert!(client.delete_bucket().bucket("studies").send().await.is_err());
    // Folders' markers, as some programs put them, are folders; a wrong sum is refused and leaves nothing.
    client
        .put_object()
        .bucket("studies")
        .key("marker/")
        .send()
        .await
        .unwrap();
    let wrong = client
        .put_object()
        .bucket("studies")
        .key("wrong")
        .content_md5("1B2M2Y8AsgTpgAmY7PhCfg==")
        .body(ByteStream::from_static(b"x"));
    assert!(wrong.send().await.is_err());
    client
        .delete_object()
        .bucket("studies")
        .key("marker/")
        .send()
        .await
        .unwrap();
    for key in ["../up", "a/../../up", "a//b", "runs/copy/below"] {
        let put = client
            .put_object()
            .bucket("studies")
            .key(key)
            .body(ByteStream::from_static(b"x"))
            .send()
            .await;
        assert!(put.is_err(), "{key}");
        assert!(
            client.get_object().bucket("studies").key(key).send().await.is_err(),
            "{key}"
        );
        let _ = client.delete_object().bucket("studies").key(key).send().await;
    }
    let dir = lab.dir;
    lab.server.stop().await.unwrap();
    assert_eq!(
        everything(dir.path()),
        [
            format!("studies/{long}"),
            "studies/runs/1/a b+c%20".into(),
            "studies/runs/copy".into()
        ]
        .into_iter()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn copies_in_parts() {
    let lab = lab().await;
    let client = script(&lab);
    let path = |name: &str| lab.dir.path().join("studies/runs").join(name);
    fs::create_dir_all(path("1")).unwrap();
    fs::write(path("1/model"), [b'c', b'o', b'n', b't'].repeat(5 << 18)).unwrap();
    let content = fs::read(path("1/model")).unwrap();
    let started = client.create_multipart_upload().bucket("studies").key("runs/2/model");
    let started = started.send().await.unwrap();
    let id = started.upload_id().unwrap();
    let copy = |source: &str, range: Option<&str>| {
        let copy = client.upload_part_copy().bucket("studies").key("runs/2/model");
        let copy = copy.upload_id(id).part_number(if range.is_some() { 2 } else { 1 });
        copy.copy_source(source)
            .set_copy_source_range(range.map(ToOwned::to_owned))
            .send()
    };
    for source in ["studies/runs/1/none", "studies/../../etc/passwd", ".s3/done/x"] {
        assert!(copy(source, None).await.is_err(), "{source}");
    }
    let mut parts = Vec::new();
    for (number, range) in [(1, None), (2, Some("bytes=1-2"))] {
        let sent = copy("studies/runs/1/model", range).await.unwrap();
        let e_tag = sent.copy_part_result.unwrap().e_tag;
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(e_tag).build());
    }
    let done = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let finish = client.complete_multipart_upload().bucket("studies").key("runs/2/model");
    finish.upload_id(id).multipart_upload(done).send().await.unwrap();
    let copied = fs::read(path("2/model")).unwrap();
    assert!(copied == [&content[..], b"on"].concat());
    assert!(fs::read(path("1/model")).unwrap() == content);
}

#[tokio::test]
async fn uploads_in_parts() {
    let lab = lab().await;
    let client = script(&lab);
    let key = format!("runs/1/{}", "z".repeat(220));
    let start = |key: &str| {
        client
            .create_multipart_upload()
            .bucket("studies")
            .key(key)
            .metadata("a", "b")
            .send()
    };
    let upload = start(&key).await.unwrap();
    assert_eq!(upload.key(), Some(key.as_str()));
    let id = upload.upload_id().unwrap();
    let mut parts = Vec::new();
    for (number, part) in [(1, vec![1; 5 << 20]), (2, vec![2; 100])] {
        let sent = client
            .upload_part()
            .bucket("studies")
            .key(&key)
            .upload_id(id)
            .part_number(number)
            .body(ByteStream::from(part))
            .send()
            .await
            .unwrap();
        parts.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .build(),
        );
    }
    assert_eq!(lab.store.list(&at("s3://studies")).await.unwrap(), []);
    let done = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let done = client
        .complete_multipart_upload()
        .bucket("studies")
        .key(&key)
        .upload_id(id)
        .multipart_upload(done)
        .send()
        .await
        .unwrap();
    let head = client.head_object().bucket("studies").key(&key).send().await.unwrap();
    assert_eq!(
        (head.e_tag(), head.content_length()),
        (done.e_tag(), Some((5 << 20) + 100))
    );
    assert_eq!(head.metadata().unwrap()["a"], "b");
    // One that is given up, and one that is forgotten.
    for abort in [true, false] {
        let upload = start("runs/1/other").await.unwrap();
        let id = upload.upload_id().unwrap();
        client
            .upload_part()
            .bucket("studies")
            .key("runs/1/other")
            .upload_id(id)
            .part_number(1)
            .body(ByteStream::from_static(b"x"))
            .send()
            .await
            .unwrap();
        if abort {
            client
                .abort_multipart_upload()
                .bucket("studies")
                .key("runs/1/other")
                .upload_id(id)
                .send()
                .await
                .unwrap();
        }
    }
    let dir = lab.dir;
    lab.server.stop().await.unwrap();
    assert_eq!(everything(dir.path()), [format!("studies/{key}")]);
}

#[tokio::test]
async fn odd_files_do_no_harm() {
    let lab = lab().await;
    let folder = lab.dir.path().join("studies/runs/1");
    fs::create_dir_all(folder.join("empty/er")).unwrap();
    fs::write(folder.join("file"), "1").unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("mine"), "mine").unwrap();
    symlink(outside.path(), folder.join("folder-link")).unwrap();
    symlink(outside.path().join("mine"), folder.join("file-link")).unwrap();
    symlink("nowhere", folder.join("dangling")).unwrap();
    let _socket = UnixListener::bind(folder.join("socket")).unwrap();
    fs::write(folder.join(std::ffi::OsStr::from_bytes(b"not-utf8-\xff")), "x").unwrap();
    let one = at("s3://studies/runs/1");
    let keys: Vec<_> = lab.store.list(&one).await.unwrap().into_iter().map(|o| o.key).collect();
    assert_eq!(
        keys,
        ["dangling", "file", "file-link", "folder-link", "socket"].map(|k| format!("runs/1/{k}"))
    );
    assert_eq!(
        lab.store
            .read(&at("s3://studies/runs/1/file-link"), 9)
            .await
            .unwrap()
            .unwrap()
            .bytes,
        b"mine"
    );
    for nothing in ["dangling", "folder-link", "socket", "empty"] {
        let at = at(&format!("s3://studies/runs/1/{nothing}"));
        assert_eq!(lab.store.read(&at, 9).await.unwrap(), None, "{nothing}");
        assert!(!lab.store.exists(&at).await.unwrap(), "{nothing}");
    }
    let out = tempfile::tempdir().unwrap();
    assert_eq!(lab.store.download_to(&one, out.path()).await.unwrap(), 2);
    lab.store.delete_folder(&one).await.unwrap();
    assert_eq!(fs::read_to_string(outside.path().join("mine")).unwrap(), "mine");
    assert!(folder.join("empty/er").exists());
    lab.server.prune(&one).unwrap();
    assert!(!folder.join("empty").exists() && folder.exists());
    lab.server.remove_folder(&one).unwrap();
    assert!(!folder.exists() && outside.path().join("mine").exists());
    assert!(lab.server.remove_folder(&at("s3://studies")).is_err());
}

#[tokio::test]
async fn a_bucket_is_a_folder_and_nothing_else() {
    let lab = lab().await;
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), lab.dir.path().join("linked")).unwrap();
    fs::write(lab.dir.path().join("journal"), "not a bucket").unwrap();
    for bucket in ["s3://linked", "s3://journal"] {
        assert!(lab.server.path_of(&at(&format!("{bucket}/x"))).is_err());
        assert!(lab.store.list(&at(bucket)).await.is_err());
        assert!(lab.store.put(&at(&format!("{bucket}/x")), vec![], "").await.is_err());
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    let root = lab.dir.path().canonicalize().unwrap();
    assert_eq!(
        lab.server.path_of(&at("s3://studies/runs/1")).unwrap(),
        root.join("studies/runs/1")
    );
    assert_eq!(lab.server.path_of(&at("s3://new-one")).unwrap(), root.join("new-one"));
    lab.store.create_bucket(&at("s3://new-one")).await.unwrap();
    lab.store.create_bucket(&at("s3://new-one")).await.unwrap();
    assert!(root.join("new-one").is_dir());
}

#[tokio::test]
async fn listings_bear_files_that_come_and_go() {
    let lab = lab().await;
    let folder = lab.dir.path().join("studies/runs/1");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("stays"), "").unwrap();
    let over = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let writer = std::thread::spawn({
        let over = over.clone();
        move || {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                for i in 0..20 {
                    let _ = fs::create_dir_all(folder.join(format!("tmp{i}")));
                    let _ = fs::write(folder.join(format!("tmp{i}/f")), "");
                }
                for i in 0..20 {
                    let _ = fs::remove_dir_all(folder.join(format!("tmp{i}")));
                }
            }
        }
    });
    let client = script(&lab);
    for _ in 0..200 {
        let found = client
            .list_objects_v2()
            .bucket("studies")
            .prefix("runs/1/")
            .send()
            .await
            .unwrap();
        assert!(found.contents().iter().any(|o| o.key() == Some("runs/1/stays")));
    }
    over.store(true, std::sync::atomic::Ordering::Relaxed);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_stopped_server_is_gone_and_a_new_one_goes_on() {
    let lab = lab().await;
    lab.store.put(&at("s3://studies/x"), b"x".to_vec(), "").await.unwrap();
    let dir = lab.dir;
    let address = lab.server.endpoint().url.trim_start_matches("http://").to_owned();
    // A client that keeps its connection does not keep the server.
    let start = std::time::Instant::now();
    lab.server.stop().await.unwrap();
    assert!(start.elapsed() < GRACE);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    assert_eq!(everything(dir.path()), ["studies/x"]);
    fs::create_dir_all(dir.path().join(SCRATCH).join("left/by/a/killed/one")).unwrap();
    let server = Server::start(dir.path()).await.unwrap();
    let store = crate::storage::Store::new(server.endpoint(), plain_http());
    assert_eq!(store.read(&at("s3://studies/x"), 9).await.unwrap().unwrap().bytes, b"x");
    drop(server);
    assert_eq!(everything(dir.path()), ["studies/x"]);
}

#[tokio::test]
async fn reading_from_the_disk_gives_what_a_request_gives() {
    let lab = lab().await;
    let bucket = lab.dir.path().join("studies");
    fs::create_dir_all(bucket.join("folder")).unwrap();
    fs::write(bucket.join("empty"), "").unwrap();
    fs::write(bucket.join("full"), "12345").unwrap();
    std::os::unix::fs::symlink("full", bucket.join("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", bucket.join("dangling")).unwrap();
    for name in ["empty", "full", "link", "dangling", "folder", "absent", "full/below"] {
        let location = at(&format!("s3://studies/{name}"));
        let asked = lab.store.read(&location, 5).await.unwrap();
        assert_eq!(lab.server.read(&location, 5).unwrap(), asked, "{name}");
    }
    let too_large = lab.server.read(&at("s3://studies/full"), 4).unwrap_err();
    assert!(
        matches!(too_large, crate::storage::StorageError::TooLarge { max: 4, .. }),
        "{too_large}"
    );
    // Nobody writes to it: reading it would never end.
    let made = std::process::Command::new("mkfifo")
        .arg(bucket.join("pipe"))
        .status()
        .unwrap();
    assert!(made.success());
    assert_eq!(lab.server.read(&at("s3://studies/pipe"), 5).unwrap(), None);
}
