//! What fuzzing has collected, and the hand-made files that it starts from, through the same checks; `fuzz/README.md` says what they check.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    fs,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
};

#[path = "../fuzz/targets/history.rs"]
mod history;
#[path = "../fuzz/targets/journal.rs"]
mod journal;
#[path = "../fuzz/targets/metrics.rs"]
mod metrics;
#[path = "../fuzz/targets/study.rs"]
mod study;
#[path = "../fuzz/targets/suggest.rs"]
mod suggest;
#[path = "../fuzz/targets/templates.rs"]
mod templates;

/// Passes every file of a target to its check, and says which ones do not pass.
fn pass(target: &str, check: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut wrong = Vec::new();
    for kind in ["seeds", "corpus"] {
        let folder = fuzz.join(kind).join(target);
        let files: Vec<PathBuf> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in files {
            let bytes = fs::read(&file).unwrap();
            if panic::catch_unwind(AssertUnwindSafe(|| check(&bytes))).is_err() {
                wrong.push(file.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "these do not pass:\n{}", wrong.join("\n"));
}

#[test]
fn history() {
    pass("history", history::check);
}

#[test]
fn journal() {
    pass("journal", journal::check);
}

#[test]
fn metrics() {
    pass("metrics", metrics::check);
}

#[test]
fn study() {
    pass("study", study::check);
}

#[test]
fn suggest() {
    pass("suggest", suggest::check);
}

#[test]
fn templates() {
    pass("templates", templates::check);
}
