//! Any bytes as a study's journal: it is read or the line that is wrong is named, what was read survives being written again, and the study goes on.

use std::{fs, sync::LazyLock};

use hyperstudy::{
    local::{Ledger, entry::Entry, journal::JournalError},
    study::{Folder, Identity, Study, plan},
};

const SPEC: &str = r#"{
    "objectives": [{"metric": "loss", "goal": "Minimize"}],
    "parameters": [
        {"name": "x", "double": {"min": 0, "max": 1}},
        {"name": "n", "int": {"min": 1, "max": 8}},
        {"name": "c", "categorical": {"values": ["a", "b", null]}},
        {"name": "m", "double": {"min": 0, "max": 0.9}, "when": "parameters.c == \"b\""}
    ],
    "algorithm": {"sampler": {"random": {}}, "seed": 1},
    "parallelism": 2,
    "budget": {"trials": 8, "failedTrials": 3, "duration": "1h"},
    "retries": {"limit": 2},
    "storage": {"strategy": "Best", "keepTop": 2}
}"#;

static STUDY: LazyLock<Study> = LazyLock::new(|| {
    let identity = Identity {
        name: "s".to_owned(),
        namespace: "default".to_owned(),
        uid: "u".to_owned(),
        generation: 1,
        created: Default::default(),
        deleting: false,
    };
    let spec = serde_json::from_str(SPEC).expect("a good spec");
    Study::compile(identity, spec, &["outputDir"]).expect("a good study")
});

pub fn check(bytes: &[u8]) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("journal");
    let space = &STUDY.space;
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("a file");
        let ledger = Ledger::open(&path, space);
        let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1);
        assert!(
            fs::read(&path).expect("a file") == bytes[..end],
            "only a torn last line goes"
        );
        ledger
    };
    let ends = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'\n')
        .map(|(at, _)| at + 1);
    let ends: Vec<usize> = std::iter::once(0).chain(ends).collect();
    let ledger = match open(bytes) {
        Ok(ledger) => ledger,
        Err(JournalError::Corrupt { line, message, .. }) => {
            assert!(
                !message.is_empty() && message.len() < 4000 && !message.contains('\n'),
                "{message}"
            );
            let wrong = &bytes[..ends[line]];
            let again = open(wrong).expect_err("a wrong line");
            assert!(matches!(again, JournalError::Corrupt { line: same, .. } if same == line));
            assert!(
                open(&wrong[..ends[line - 1]]).is_ok(),
                "what stands before the first wrong line is fine"
            );
            return;
        }
        Err(error) => panic!("{error}"),
    };

    // Line by line into another journal, and read from there.
    let copy = dir.path().join("copy");
    let mut written = Ledger::open(&copy, space).expect("a new journal");
    for line in ends.windows(2).map(|ends| &bytes[ends[0]..ends[1]]) {
        let entry: Entry = serde_json::from_slice(line).expect("an entry");
        let text = serde_json::to_string(&entry).expect("JSON");
        let again: Entry = serde_json::from_str(&text).expect("what was written");
        assert_eq!(serde_json::to_string(&again).expect("JSON"), text);
        written.record(entry, space).expect("the same entry");
    }
    let read = Ledger::open(&copy, space).expect("what was written");
    for other in [&written, &read] {
        assert_eq!(format!("{:?}", other.snapshot()), format!("{:?}", ledger.snapshot()));
        assert_eq!(other.study(), ledger.study());
        assert!(other.running().eq(ledger.running()));
    }

    // Whatever was recorded, there is something to do next.
    let mut snapshot = read.snapshot().clone();
    assert!(snapshot.trials.windows(2).all(|two| two[0].number < two[1].number));
    for folder in [Folder::Unclaimed, Folder::Claimed] {
        snapshot.folder = folder;
        for now in ["1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "9999-12-01T00:00:00Z"] {
            let planned = plan(&STUDY, &snapshot, now.parse().expect("a time"));
            let status = serde_json::to_string(&planned.status).expect("JSON");
            serde_json::from_str::<hyperstudy::api::StudyStatus>(&status).expect("what was written");
        }
    }
}
