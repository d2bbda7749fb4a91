#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Artifacts against the S3 server inside the program.

use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::storage::tests::{Lab, at, lab};

/// A lab, and a scratch folder on the same disk.
async fn setup() -> (Lab, tempfile::TempDir) {
    (lab().await, tempfile::tempdir().unwrap())
}

fn input(path: &Path, key: &str) -> Input {
    Input {
        name: "data".into(),
        path: path.to_owned(),
        source: InputSource::S3 {
            bucket: None,
            key: key.into(),
        },
        optional: false,
        unpack: true,
    }
}

fn output(path: &Path, key: &str, archive: Archive) -> Output {
    Output {
        name: "model".into(),
        path: path.to_owned(),
        bucket: None,
        key: key.into(),
        archive,
        optional: false,
    }
}

fn invocation(inputs: Vec<Input>, outputs: Vec<Output>) -> Invocation {
    Invocation {
        argv: vec!["true".into()],
        script: None,
        env: vec![],
        working_dir: None,
        inputs,
        outputs,
    }
}

/// What `tar` writes for these; a content of `-> x` is a link.
fn tgz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        // Past the checks of the library, as an attacker would.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if let Some(target) = content.strip_prefix("-> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_cksum();
            tar.append(&header, std::io::empty()).unwrap();
        } else {
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append(&header, content.as_bytes()).unwrap();
        }
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn in_bucket(lab: &Lab, key: &str, content: &[u8]) {
    let path = lab.dir.path().join("studies").join(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

#[tokio::test]
async fn inputs_are_where_the_template_says() {
    let (lab, scratch) = setup().await;
    let root = scratch.path().join("root");
    in_bucket(&lab, "in/x.csv", b"1");
    in_bucket(&lab, "in/sub/y.csv", b"2");
    in_bucket(&lab, "one.tgz", &tgz(&[("x.csv", "3")]));
    in_bucket(&lab, "many.tgz", &tgz(&[("x.csv", "4"), ("sub/y.csv", "5")]));
    in_bucket(&lab, "notes.gz", &{
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&[b'n'; 1000]).unwrap();
        gzip.finish().unwrap()
    });
    let raw = Input {
        source: InputSource::Raw("hello".into()),
        ..input(&root.join("etc/raw"), "")
    };
    let packed = Input {
        unpack: false,
        ..input(&root.join("packed"), "one.tgz")
    };
    let absent = Input {
        optional: true,
        ..input(&root.join("absent"), "absent")
    };
    let mut invocation = invocation(
        vec![
            // Inside the folder that comes after it.
            input(&root.join("data/in/one"), "one.tgz"),
            input(&root.join("data"), "in"),
            input(&root.join("file"), "in/x.csv"),
            input(&root.join("many"), "many.tgz"),
            input(&root.join("notes"), "notes.gz"),
            raw,
            packed,
            absent,
        ],
        vec![output(&root.join("out/deep/model"), "o", Archive::None)],
    );
    invocation.script = Some((scratch.path().join("script"), "echo".into()));
    prepare(&lab.store, "studies", &invocation, scratch.path())
        .await
        .unwrap();
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    for (path, content) in [
        ("data/x.csv", "1"),
        ("data/sub/y.csv", "2"),
        ("data/in/one", "3"),
        ("file", "1"),
        ("many/x.csv", "4"),
        ("many/sub/y.csv", "5"),
        ("etc/raw", "hello"),
        ("../script", "echo"),
    ] {
        assert_eq!(read(path), content, "{path}");
    }
    assert_eq!(fs::read(root.join("packed")).unwrap()[..2], [0x1f, 0x8b]);
    assert_eq!(fs::read(root.join("notes")).unwrap()[..2], [0x1f, 0x8b]);
    assert!(!root.join("absent").exists());
    assert!(root.join("out/deep").is_dir() && !root.join("out/deep/model").exists());
}

#[tokio::test]
async fn an_input_that_is_not_there_is_named() {
    let (lab, scratch) = setup().await;
    let error = |input: Input| {
        let (store, scratch) = (lab.store.clone(), scratch.path().to_owned());
        async move {
            let prepared = prepare(&store, "studies", &invocation(vec![input], vec![]), &scratch).await;
            prepared.unwrap_err().to_string()
        }
    };
    let to = scratch.path().join("root/a");
    assert_eq!(
        error(input(&to, "no/such")).await,
        "the input artifact `data` is not there: s3://studies/no/such does not exist"
    );
    assert!(
        error(input(&to, "../x"))
            .await
            .starts_with("the artifact `data`: the path `../x` cannot be used")
    );
    let elsewhere = Input {
        source: InputSource::S3 {
            bucket: Some("nowhere".into()),
            key: "x".into(),
        },
        ..input(&to, "")
    };
    assert!(error(elsewhere).await.contains("the bucket `nowhere` does not exist"));
}

#[tokio::test]
async fn an_archive_writes_nothing_outside() {
    let (lab, scratch) = setup().await;
    let outside = scratch.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let link = format!("-> {}", outside.display());
    for files in [
        [("../outside/evil", "x"), ("a", "1")],
        [("link", link.as_str()), ("link/evil", "x")],
    ] {
        in_bucket(&lab, "evil.tgz", &tgz(&files));
        let invocation = invocation(vec![input(&scratch.path().join("root/a"), "evil.tgz")], vec![]);
        let error = prepare(&lab.store, "studies", &invocation, scratch.path())
            .await
            .unwrap_err();
        assert!(matches!(error, ArtifactError::Unpack { .. }), "{error}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        fs::remove_dir_all(scratch.path().join(TRANSFER)).unwrap();
    }
    let mut torn = tgz(&[("a", &"1".repeat(1000)), ("b", "2")]);
    torn.truncate(torn.len() - 10);
    in_bucket(&lab, "torn.tgz", &torn);
    let invocation = invocation(vec![input(&scratch.path().join("root/b"), "torn.tgz")], vec![]);
    assert!(
        prepare(&lab.store, "studies", &invocation, scratch.path())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn outputs_are_kept_and_come_back_as_inputs() {
    let (lab, scratch) = setup().await;
    let root = scratch.path().join("root");
    fs::create_dir_all(root.join("model/sub")).unwrap();
    fs::write(root.join("model/w"), "weights").unwrap();
    fs::write(root.join("model/sub/v"), "more").unwrap();
    symlink("w", root.join("model/link")).unwrap();
    fs::write(root.join("metrics.json"), "{}").unwrap();
    let optional = Output {
        optional: true,
        ..output(&root.join("absent"), "absent", Archive::Tar)
    };
    let kept = invocation(
        vec![],
        vec![
            output(&root.join("metrics.json"), "3/metrics.json", Archive::None),
            output(&root.join("metrics.json"), "3/metrics.tgz", Archive::Tar),
            output(&root.join("model"), "3/model", Archive::None),
            output(&root.join("model"), "3/model.tgz", Archive::Tar),
            optional,
        ],
    );
    keep(&lab.store, "studies", &kept, scratch.path()).await.unwrap();
    let keys: Vec<_> = lab
        .store
        .list(&at("s3://studies/3"))
        .await
        .unwrap()
        .into_iter()
        .map(|o| o.key)
        .collect();
    assert_eq!(
        keys,
        [
            "3/metrics.json",
            "3/metrics.tgz",
            "3/model.tgz",
            "3/model/link",
            "3/model/sub/v",
            "3/model/w"
        ]
    );
    let back = invocation(
        vec![
            input(&root.join("back"), "3/model.tgz"),
            input(&root.join("back.json"), "3/metrics.tgz"),
        ],
        vec![],
    );
    prepare(&lab.store, "studies", &back, scratch.path()).await.unwrap();
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    assert_eq!(
        (read("back/w"), read("back/sub/v"), read("back/link")),
        ("weights".into(), "more".into(), "weights".into())
    );
    assert_eq!(read("back.json"), "{}");

    let missing = invocation(vec![], vec![output(&root.join("absent"), "x", Archive::Tar)]);
    let error = keep(&lab.store, "studies", &missing, scratch.path()).await.unwrap_err();
    assert!(error.to_string().contains("the process did not write"), "{error}");
}
