#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::json;

use super::*;
use crate::report::{
    history::tests::{parameters, study},
    results_of,
};

#[test]
fn a_record_says_what_was_taken_over_and_reads_back_the_same() {
    let study = study(parameters(), json!({"metric": "error", "goal": "Minimize"}), &[]);
    let table = b"Status,lr,momentum,optimizer,new,units,Objective\n\
        COMPLETED,0.1,0.30000000000000004,sgd,0.5,8,0.1\nFAILED,0.2,,null,,16,\nCOMPLETED,0.25,,\"[1,2.0]\",1e-300,64,2\n";
    let found = results_of(&study, table).unwrap();
    let earlier = Earlier::new(&study, found.past, found.counts.used, "a note".to_owned());
    let mut record = Record::of(&study, &earlier);
    let bytes = record.write();
    let said: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(said["note"], "a note");
    assert_eq!(
        said["results"][0],
        json!({"objective": 0.1, "parameters": {
            "Status": 32, "loss": "mse", "lr": 0.1, "momentum": 0.30000000000000004, "new": 0.5, "optimizer": "sgd", "units": 8
        }})
    );
    // A value that is null is not one that is lacking.
    assert_eq!(
        said["results"][1],
        json!({"parameters": {"Status": 32, "loss": "mse", "lr": 0.2, "optimizer": null, "units": 16}})
    );
    let again = Record::read(&bytes).unwrap();
    assert_eq!(again.generation, 1);
    assert_eq!(again.earlier(&study).unwrap(), earlier);
}

#[test]
fn a_record_of_something_else_is_refused() {
    let study = study(parameters(), json!({"metric": "error", "goal": "Minimize"}), &[]);
    for text in [
        "",
        "[]",
        "{}",
        "{\"generation\": 1, \"note\": \"\", \"results\": [1]}",
        "\u{0}",
    ] {
        assert!(Record::read(text.as_bytes()).is_err(), "{text}");
    }
    for parameters in [json!({"other": 1}), json!({"lr": 7}), json!({"lr": null})] {
        let text =
            json!({"generation": 1, "note": "", "results": [{"parameters": {"lr": 0.5}}, {"parameters": parameters}]});
        let record = Record::read(text.to_string().as_bytes()).unwrap();
        let error = record.earlier(&study).unwrap_err().to_string();
        assert_eq!(error, "its result 2 does not fit the study's parameters");
    }
}
