#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::StudySpec,
    study::{Earlier, Identity, Source},
};

/// A study over `parameters` whose objective is `objective`.
pub(in crate::report) fn study(parameters: Value, objective: Value, constraints: &[&str]) -> Study {
    let spec: StudySpec = serde_json::from_value(json!({
        "objectives": [objective],
        "parameters": parameters,
        "constraints": constraints,
        "budget": {"trials": 10},
        "history": {"from": ["s3://data/runs/earlier"]},
    }))
    .unwrap();
    let identity = Identity {
        name: "later".into(),
        namespace: "default".into(),
        uid: "u".into(),
        generation: 1,
        created: jiff::Timestamp::UNIX_EPOCH,
        deleting: false,
    };
    Study::compile(identity, spec, &[]).unwrap_or_else(|e| panic!("{e}"))
}

/// Parameters of all kinds.
pub(in crate::report) fn parameters() -> Value {
    json!([
        {"name": "lr", "double": {"min": 0.001, "max": 1, "scale": "Log"}},
        {"name": "units", "int": {"min": 8, "max": 64, "step": 8}, "default": 16},
        {"name": "optimizer", "categorical": {"values": ["adam", "sgd", 7, true, null, [1, 2.0]]}, "default": "adam"},
        {"name": "momentum", "double": {"min": 0, "max": 0.9}, "when": "parameters.optimizer == \"sgd\""},
        {"name": "Status", "ordinal": {"values": [16, 32]}, "default": 32},
        {"name": "loss", "constant": "mse"},
        {"name": "new", "double": {"min": 0, "max": 1}},
    ])
}

fn plain() -> Study {
    study(
        parameters(),
        json!({"metric": "error", "goal": "Minimize"}),
        &["parameters.lr < 0.9"],
    )
}

/// The same, made once.
fn shared() -> &'static Study {
    static STUDY: std::sync::OnceLock<Study> = std::sync::OnceLock::new();
    STUDY.get_or_init(plain)
}

fn tell(study: &Study, table: &str) -> String {
    let found = results_of(study, table.as_bytes()).unwrap_or_else(|e| panic!("{table}: {e}"));
    found.counts.tell(&Source::Study("earlier".into()))
}

/// The results as they are written: the objective, then the parameters.
fn results(study: &Study, table: &str) -> Vec<(Option<f64>, Value)> {
    let found = results_of(study, table.as_bytes()).unwrap_or_else(|e| panic!("{table}: {e}"));
    let write = |past: &Past| (past.objective, json!(study.space.write(&past.config)));
    found.past.iter().map(write).collect()
}

#[test]
fn a_table_of_another_study_gives_what_fits() {
    let study = plain();
    let table = "Trial-ID,Status,Iteration,gone,lr,momentum,optimizer,units,Objective,error\n\
                 1,INTERMEDIATE,1,x,0.1,,adam,16,3,3\n\
                 1,COMPLETED,2,x,0.1,,adam,16,2,2\n\
                 2,STOPPED,1,x,0.2,0.5,sgd,64,1,1\n\
                 3,STOPPED,,x,0.2,0.5,sgd,64,,\n\
                 4,FAILED,,x,0.3,,7,8,,\n\
                 5,COMPLETED,1,x,2,,adam,8,1,1\n\
                 6,COMPLETED,1,x,0.1,,rmsprop,8,1,1\n\
                 7,COMPLETED,1,x,0.1,,adam,9,1,1\n\
                 8,COMPLETED,1,x,0.95,,adam,8,1,1\n\
                 9,COMPLETED,1,x,0.1,0.99,adam,8.0,1,1\n\
                 10,COMPLETED,1,x,0.1,0.99,sgd,8,1,1\n\
                 11,COMPLETED,1,x,,,True,,1,1\n\
                 12,COMPLETED,1,x,,,,,1,1\n";
    let active = |more: Value| {
        let mut all = json!({"Status": 32, "loss": "mse"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    assert_eq!(
        results(&study, table),
        [
            (Some(2.0), active(json!({"lr": 0.1, "optimizer": "adam", "units": 16}))),
            (
                Some(1.0),
                active(json!({"lr": 0.2, "optimizer": "sgd", "momentum": 0.5, "units": 64}))
            ),
            (None, active(json!({"lr": 0.3, "optimizer": 7, "units": 8}))),
            // What is inactive here may have had any value there.
            (Some(1.0), active(json!({"lr": 0.1, "optimizer": "adam", "units": 8}))),
            // A default stands for what is empty; without one, it is lacking.
            (Some(1.0), active(json!({"optimizer": true, "units": 16}))),
        ]
    );
    assert_eq!(
        tell(&study, table),
        "5 of 12 trials from the study `earlier` (5 lie outside the space, 1 has no value of the objective, 1 has none of the parameters)"
    );
    let lacking = results_of(&study, table.as_bytes()).unwrap();
    assert!(lacking.past.iter().all(|past| !study.space.is_complete(&past.config)));
}

#[test]
fn our_own_metric_goes_before_what_was_the_objective_there() {
    let parameters = || json!([{"name": "x", "double": {"min": 0, "max": 1}}]);
    let maximize = |metric: &str| study(parameters(), json!({"metric": metric, "goal": "Maximize"}), &[]);
    let header = "Trial-ID,Status,Iteration,x,Objective,accuracy,loss,metric.x\n";
    let table = format!("{header}1,COMPLETED,1,0.5,0.1,0.9,0.1,7\n2,COMPLETED,1,0.6,0.2,,0.2,8\n");
    let objectives = |study: &Study, table: &str| -> Vec<Option<f64>> {
        results(study, table)
            .into_iter()
            .map(|(objective, _)| objective)
            .collect()
    };
    assert_eq!(objectives(&maximize("accuracy"), &table), [Some(0.9)]);
    assert_eq!(objectives(&maximize("f1"), &table), [Some(0.1), Some(0.2)]);
    // A metric that has a parameter's name.
    assert_eq!(objectives(&maximize("x"), &table), [Some(7.0), Some(8.0)]);
    let value = json!({"value": "metrics.accuracy - metrics.loss", "goal": "Maximize"});
    assert_eq!(objectives(&study(parameters(), value, &[]), &table), [Some(0.8)]);
    // The column is there, but nothing is in it.
    let empty = format!("{header}1,COMPLETED,1,0.5,0.1,,,\n");
    assert_eq!(objectives(&maximize("accuracy"), &empty), [Some(0.1)]);
}

#[test]
fn what_is_no_table_is_named_and_what_to_do() {
    let study = plain();
    let no_column = |name| Err(TableError::NoColumn(name));
    let twice = |name: &str| Err(TableError::Twice(name.to_owned()));
    for (bytes, says) in [
        (&b""[..], Err(TableError::Empty)),
        (b"\xef\xbb\xbf", Err(TableError::Empty)),
        (b"\n\n\n", Err(TableError::Empty)),
        (b"\xff\xfeT\0r\0i\0a\0l\0", Err(TableError::NotText)),
        (b"hello", no_column("Objective")),
        (b"<!DOCTYPE html>\n<p>Status,Objective", no_column("Objective")),
        (b"Trial-ID;Status;Iteration;lr;Objective\n", no_column("Objective")),
        (b"Trial-ID,lr,Objective\n1,0.1,2\n", no_column("Status")),
        (b"lr,Objective,Status\n0.1,1,COMPLETED\n", no_column("Status")),
        (b"Status,lr,Objective,Objective\n", twice("Objective")),
        (b"Status,lr,Status,Objective\n", twice("Status")),
        (b"Status,lr,lr,Objective\n", twice("lr")),
        (b"Status,lr,Objective,error,error\n", twice("error")),
        // What does not count may be there twice.
        (b"Status,a,a,lr,Objective,b,b\n", Ok(0)),
        (b"Status,lr,Objective", Ok(0)),
        (b"\xef\xbb\xbfStatus,lr,Objective\r\nCOMPLETED,0.1,1\r\n", Ok(1)),
        (b"Status,lr,Objective\nCOMPLETED,0.1,1", Ok(1)),
        (b"\"Status\",\"lr\",\"Objective\"\n\"COMPLETED\",\"0.1\",\"1\"\n", Ok(1)),
    ] {
        let found = results_of(&study, bytes).map(|found| found.counts.used);
        assert_eq!(found, says, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn rows_that_make_no_sense_are_left_out_and_the_first_is_named() {
    let study = plain();
    let head = "Status,lr,units,Objective\nCOMPLETED,0.1,8,1\n";
    for (row, says) in [
        ("COMPLETED,0.1,8", "1 cannot be read; look at line 3"),
        ("COMPLETED,0.1,8,1,1", "1 cannot be read; look at line 3"),
        ("DONE,0.1,8,1", "1 cannot be read; look at line 3"),
        ("COMPLETED,fast,8,1", "1 cannot be read; look at line 3"),
        ("COMPLETED,1e999,8,1", "1 cannot be read; look at line 3"),
        ("COMPLETED,NaN,8,1", "1 cannot be read; look at line 3"),
        ("COMPLETED,0.1,8.5,1", "1 lies outside the space"),
        ("COMPLETED,0.1,99999999999999999999,1", "1 lies outside the space"),
        ("COMPLETED,0.1,8,NaN", "1 has no value of the objective"),
        ("COMPLETED,0.1,8,1e999", "1 has no value of the objective"),
        ("COMPLETED,0.1,8,-inf", "1 has no value of the objective"),
        ("COMPLETED,0.1,8,good", "1 has no value of the objective"),
        ("COMPLETED,0.1,8,", "1 has no value of the objective"),
    ] {
        let (why, look) = says.split_once(';').unwrap_or((says, ""));
        let look = if look.is_empty() {
            String::new()
        } else {
            format!(";{look}")
        };
        let told = format!("1 of 2 trials from the study `earlier` ({why}){look}");
        assert_eq!(tell(&study, &format!("{head}{row}\n")), told, "{row}");
    }
    // An open quote takes the rest of the file along.
    let open = format!("{head}COMPLETED,\"0.1,8,1\nCOMPLETED,0.1,8,1\n");
    assert!(
        tell(&study, &open).starts_with("1 of 2 trials"),
        "{}",
        tell(&study, &open)
    );
    let mut bytes = format!("{head}COMPLETED,0.1,").into_bytes();
    bytes.extend(b"\xff,1\n");
    let counts = results_of(&study, &bytes).unwrap().counts;
    assert_eq!((counts.used, counts.unreadable, counts.first_line), (1, 1, 3));
    let huge = format!("{head}COMPLETED,{},8,1\n", "9".repeat(1 << 20));
    assert_eq!(results_of(&study, huge.as_bytes()).unwrap().counts.unreadable, 1);
}

#[test]
fn of_many_results_the_best_and_the_newest_are_kept() {
    let parameters = json!([{"name": "x", "double": {"min": 0, "max": 1}}]);
    let study = study(parameters, json!({"metric": "error", "goal": "Maximize"}), &[]);
    let mut table = "Status,x,Objective\n".to_owned();
    // The first rows are the best; between them and the last ones lies what goes.
    let all = 6 * MOST_EARLIER;
    for row in 0..all {
        writeln!(table, "COMPLETED,0.5,{}", all - row).unwrap();
    }
    let found = results_of(&study, table.as_bytes()).unwrap();
    assert_eq!((found.counts.used, found.past.len()), (all, MOST_EARLIER));
    let earlier = Earlier::new(&study, found.past, found.counts.used, "note".into());
    let objective = |at: usize| earlier.past[at].objective.unwrap();
    let half = MOST_EARLIER / 2;
    assert_eq!((objective(0), objective(half - 1)), (60_000.0, 55_001.0));
    assert_eq!((objective(half), objective(MOST_EARLIER - 1)), (5_000.0, 1.0));
    assert_eq!(
        earlier.note,
        "note; of these 60000 the best 5000 and the newest 5000 others are used"
    );
}

/// A table of cells that are right, nearly right and wrong.
fn any_table() -> impl Strategy<Value = Vec<u8>> {
    let cell = prop_oneof![
        prop::sample::select(vec![
            "",
            "0.1",
            "8",
            "16.0",
            "adam",
            "sgd",
            "NaN",
            "1e999",
            "-inf",
            "\"",
            "\"a,b\"",
            "null",
            "true",
            "[1,2]",
            "[1,2.0]",
            "COMPLETED",
            "FAILED",
            "STOPPED",
            "INTERMEDIATE",
            "mse",
            "7",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
        any::<f64>().prop_map(|number| number.to_string()),
    ];
    let header = prop::sample::select(vec![
        "Trial-ID,Status,Iteration,loss,lr,momentum,new,optimizer,parameter.Status,units,Objective,error",
        "Status,lr,Objective",
        "Status,optimizer,momentum,Objective,metric.lr",
        "\u{feff}Status,parameter.Status,new,Objective,error",
    ]);
    let width = prop_oneof![8 => Just(0usize), 1 => 0usize..4];
    let rows = prop::collection::vec((prop::collection::vec(cell, 12), width), 0..12);
    (header, rows).prop_map(|(header, rows)| {
        let columns = header.split(',').count();
        let mut table = header.to_owned();
        for (cells, off) in rows {
            let width = if off == 0 { columns } else { off };
            table.push('\n');
            let mut cells = cells;
            if let Some(status) = cells.get_mut(usize::from(columns == 12)) {
                *status = "COMPLETED".to_owned();
            }
            table.push_str(&cells[..width.min(cells.len())].join(","));
        }
        table.into_bytes()
    })
}

/// What holds of whatever a file holds.
fn check(study: &Study, bytes: &[u8]) {
    let Ok(found) = results_of(study, bytes) else { return };
    let counts = found.counts;
    let all = counts.used + counts.outside + counts.without + counts.unreadable + counts.foreign;
    assert_eq!(all, counts.trials);
    assert_eq!(counts.used, found.past.len());
    for past in &found.past {
        assert!(past.objective.is_none_or(f64::is_finite));
        assert!(study.space.is_feasible(&past.config));
        // Everything in it is of the space.
        for (name, value) in study.space.write(&past.config) {
            let slot = study.space.slot(&name).unwrap();
            assert!(study.space.value_of(slot, &value).is_some());
        }
        if study.space.is_complete(&past.config) {
            let written = study.space.write(&past.config);
            assert_eq!(study.space.parse(&written).as_ref(), Some(&past.config));
        }
    }
    // What is recorded is read back the same.
    let earlier = Earlier::new(study, found.past, counts.used, counts.tell(&Source::Study("a".into())));
    let mut record = crate::report::Record::of(study, &earlier);
    let again = crate::report::Record::read(&record.write()).unwrap();
    assert_eq!(again.earlier(study).unwrap(), earlier);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let study = shared();
        check(study, &bytes);
        let _ = crate::report::Record::read(&bytes);
        check(study, &[b"Status,lr,units,Objective\n", &bytes[..]].concat());
    }

    #[test]
    fn tables_of_any_cells_never_panic(table in any_table()) {
        check(shared(), &table);
    }

    #[test]
    fn damaged_tables_never_panic(table in any_table(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), end in any::<prop::sample::Index>()) {
        let mut table = table;
        for (at, byte) in changes {
            let at = at.index(table.len());
            table[at] = byte;
        }
        table.truncate(end.index(table.len()) + 1);
        check(shared(), &table);
    }
}
