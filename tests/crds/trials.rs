//! Good and bad trials.

use serde_json::{Value, json};

use crate::cases::Case;

/// A good trial.
pub fn trial() -> Value {
    json!({
        "apiVersion": "hyperstudy.dev/v1alpha1",
        "kind": "HyperparameterTrial",
        "metadata": {"name": "tune-a-17", "namespace": "default"},
        "spec": {
            "studyRef": {"name": "tune-a"},
            "number": 17,
            "parameters": {"lr": 0.01, "optimizer": "adam"},
            "origin": {"sampler": "random", "index": 12}
        }
    })
}

/// Changes after which the trial is still good.
pub fn good() -> Vec<Value> {
    vec![
        json!({}),
        json!({"/spec/continues": 9, "/spec/stop": true, "/spec/origin/stage": 0}),
        json!({"/spec/origin": {"request": {"name": "tune-a-x7k2p", "uid": "0f0e0d0c-0000-4000-8000-000000000000"}}}),
        json!({"/spec/parameters": {"any": {"json": [1, 2.5, null]}, "none": null}}),
        json!({"/metadata/name": "tune-a-4294967295", "/spec/number": 4_294_967_295_u32}),
        // Requests.
        json!({"/metadata/name": null, "/metadata/generateName": "tune-a-request-", "/spec/number": null, "/spec/origin": null}),
        json!({"/metadata/name": "mine", "/spec/number": null, "/spec/parameters": null}),
        json!({"/metadata/name": "tune-a-17x", "/spec/number": null}),
        json!({"/metadata/name": "tune-b-17", "/spec/number": null}),
        json!({"/metadata/name": "tune-a", "/spec/number": null}),
    ]
}

/// Changes after which it is not.
pub fn bad() -> Vec<Case> {
    [
        (
            json!({"/metadata/name": "tune-a-18"}),
            "metadata.name",
            "is named `<study>-<number>`",
        ),
        (
            json!({"/metadata/name": "tune-a-017"}),
            "metadata.name",
            "is named `<study>-<number>`",
        ),
        (
            json!({"/metadata/name": "tune-17"}),
            "metadata.name",
            "is named `<study>-<number>`",
        ),
        (
            json!({"/metadata/name": "tune-a-"}),
            "metadata.name",
            "is named `<study>-<number>`",
        ),
        (
            json!({"/metadata/name": "tune-a-99999999999999999999"}),
            "metadata.name",
            "is named `<study>-<number>`",
        ),
        (
            json!({"/spec/number": null}),
            "metadata.name",
            "belong to the trials that the study itself creates",
        ),
        (
            json!({"/spec/number": null, "/metadata/name": "tune-a-99999999999999999999"}),
            "metadata.name",
            "belong to the trials",
        ),
        (json!({"/spec/number": 0}), "spec.number", "at least 1"),
        (json!({"/spec/number": "17"}), "spec.number", "without quotes"),
        (json!({"/spec/studyRef": null}), "spec.studyRef", "is missing"),
        (
            json!({"/spec/studyRef/name": "Tune"}),
            "spec.studyRef.name",
            "a study's name has",
        ),
        (json!({"/spec/continues": 0}), "spec.continues", "at least 1"),
        (json!({"/spec/origin/index": -1}), "spec.origin.index", "at least 0"),
        (
            json!({"/spec/parameters": [1]}),
            "spec.parameters",
            "has to be an object",
        ),
        (json!({"/spec/stop": "yes"}), "spec.stop", "write true or false"),
    ]
    .into_iter()
    .map(|(change, path, says)| {
        let mut case = Case::new(change, path, says);
        // Two causes: what is no number is in no name, and what is no study's name is not in this one.
        if path == "spec.number" && says == "at least 1" || path == "spec.studyRef.name" {
            case.says
                .push(("metadata.name".to_owned(), "is named `<study>-<number>`".to_owned()));
        }
        case
    })
    .collect()
}

/// What may not be done to a trial that is there.
pub fn unchangeable() -> Vec<Value> {
    vec![
        json!({"/spec/parameters/lr": 0.02}),
        json!({"/spec/parameters": {"lr": 0.01, "optimiser": "adam"}}),
        json!({"/spec/parameters": null}),
        json!({"/spec/origin/index": 13}),
        json!({"/spec/origin": null}),
        json!({"/spec/continues": 3}),
        json!({"/spec/continues": 3, "/spec/stop": true}),
        json!({"/spec/origin/sampler": "sobol", "/spec/stop": true}),
    ]
}
