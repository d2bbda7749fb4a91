//! Any bytes as the table of an earlier study: never a panic, and what comes out is of the space.

use std::sync::LazyLock;

use hyperstudy::{
    report::{Record, results_of},
    study::{Earlier, Identity, Study},
};

const SPEC: &str = r#"{
    "objectives": [{"metric": "loss", "goal": "Minimize"}],
    "parameters": [
        {"name": "lr", "double": {"min": 0.001, "max": 1, "scale": "Log"}},
        {"name": "units", "int": {"min": 8, "max": 64, "step": 8}, "default": 16},
        {"name": "optimizer", "categorical": {"values": ["adam", "sgd", 7, true, null, [1, 2.0]]}},
        {"name": "momentum", "double": {"min": 0, "max": 0.9}, "when": "parameters.optimizer == \"sgd\""},
        {"name": "kind", "constant": "a"}
    ],
    "constraints": ["parameters.lr < 0.9"],
    "budget": {"trials": 1}
}"#;

static STUDY: LazyLock<Study> = LazyLock::new(|| {
    let identity = Identity {
        name: "later".to_owned(),
        namespace: "default".to_owned(),
        uid: String::new(),
        generation: 1,
        created: Default::default(),
        deleting: false,
    };
    let spec = serde_json::from_str(SPEC).expect("a good spec");
    Study::compile(identity, spec, &[]).expect("a good study")
});

pub fn check(bytes: &[u8]) {
    let _ = Record::read(bytes).map(|record| record.earlier(&STUDY).is_ok());
    read(bytes);
    read(&[b"Status,kind,lr,momentum,optimizer,units,Objective,loss\n", bytes].concat());
}

fn read(bytes: &[u8]) {
    let Ok(found) = results_of(&STUDY, bytes) else { return };
    assert!(found.past.iter().all(|past| STUDY.space.is_feasible(&past.config)));
    let earlier = Earlier::new(&STUDY, found.past, found.counts.used, String::new());
    let written = Record::of(&STUDY, &earlier).write();
    let again = Record::read(&written)
        .expect("a record")
        .earlier(&STUDY)
        .expect("of this study");
    assert_eq!(again, earlier);
}
