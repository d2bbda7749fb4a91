//! What earlier studies found: the best of it first, nothing of it twice.

use super::*;

const PARAMETERS: &str = "[{name: x, int: {min: 0, max: 3}, default: 2}, {name: kind, categorical: {values: [a, b]}, default: a}, \
     {name: m, double: {min: 0, max: 1, step: 0.5}, when: 'parameters.kind == \"b\"', default: 0.5}]";

/// The configuration with these values, others lacking.
fn config(space: &Space, parameters: Value) -> Config {
    let mut slots = vec![crate::space::Slot::Inactive; 3];
    for (name, value) in parameters.as_object().unwrap() {
        let slot = space.slot(name).unwrap();
        slots[slot] = space.value_of(slot, value).unwrap();
    }
    space.configuration(&slots)
}

/// All that a study proposes that knows these results: what proposed it, and its configuration.
fn proposals(spec: Value, constraints: &[&str], earlier: &[(Value, Option<f64>)]) -> Vec<(String, Value)> {
    let space = space(PARAMETERS, constraints);
    let algorithm: crate::api::Algorithm = serde_json::from_value(json!({"sampler": spec})).unwrap();
    let sampler = with_earlier(&algorithm.sampler, compile(&algorithm, &space).unwrap());
    let earlier: Vec<(Config, Outcome)> = earlier
        .iter()
        .map(|(parameters, value)| {
            let outcome = value.map_or(Outcome::Failed, Outcome::Value);
            (config(&space, parameters.clone()), outcome)
        })
        .collect();
    let mut made: Vec<(Config, Origin)> = Vec::new();
    let none = Origin::default();
    loop {
        let past = earlier.iter().map(|(config, outcome)| Observation {
            number: 0,
            config,
            origin: &none,
            outcome: *outcome,
        });
        let own = (1..).zip(&made).map(|(number, (config, origin))| Observation {
            number,
            config,
            origin,
            outcome: Outcome::Pending,
        });
        let history: Vec<Observation<'_>> = past.chain(own).collect();
        let context = Context {
            space: &space,
            seed: 1,
            duplicates: Duplicates::Avoid,
            parallelism: 1,
            budget: None,
            number: made.len() as u32 + 1,
        };
        match sampler.suggest(&context, &history) {
            Suggestion::New { config, origin } => made.push((config, origin)),
            Suggestion::Done => break,
            other => panic!("{other:?}"),
        }
    }
    let written = made
        .iter()
        .map(|(config, origin)| (origin.sampler.clone().unwrap(), json!(space.write(config))));
    written.collect()
}

#[test]
fn the_best_whole_configuration_is_run_once_more_and_nothing_else_twice() {
    let earlier = [
        (json!({"x": 1, "kind": "a"}), Some(0.5)),
        (json!({"x": 3, "kind": "b", "m": 1.0}), Some(0.2)),
        (json!({"x": 0, "kind": "b", "m": 1.0}), Some(0.2)),
        // Better, but lacking or breaking something, or failed.
        (json!({"x": 3, "kind": "b"}), Some(0.1)),
        (json!({"kind": "a"}), Some(0.1)),
        (json!({"x": 0, "kind": "a"}), Some(0.1)),
        (json!({"x": 3, "kind": "a"}), None),
    ];
    let constraint = "parameters.x > 0 || parameters.kind == \"b\"";
    let all = proposals(json!({"random": {}}), &[constraint], &earlier);
    assert_eq!(all[0], ("history".into(), json!({"x": 3, "kind": "b", "m": 1.0})));
    assert_eq!(all[1], ("default".into(), json!({"x": 2, "kind": "a"})));
    assert!(all[2..].iter().all(|(sampler, _)| sampler == "random"));
    // 4 x (1 + 3) less one that breaks the constraint, less three that have a result, and the best once more.
    assert_eq!(all.len(), 13);
    assert_eq!(all[12].1, earlier[6].0, "what failed is left for the end");
    for (run, _) in [&earlier[0], &earlier[2]] {
        assert!(all.iter().all(|(_, config)| config != run), "{run}");
    }
}

#[test]
fn a_grid_and_a_list_repeat_nothing() {
    let earlier = [(json!({"x": 1, "kind": "a"}), Some(0.5))];
    let list = json!({"list": [{"x": 0}, {"x": 1}, {"x": 3}]});
    let grid = json!({"grid": {}});
    let chain = json!({"chain": [{"sampler": list}, {"sampler": {"random": {}}, "trials": 1}]});
    for (spec, first, count) in [(list.clone(), "list", 2), (grid, "grid", 15), (chain, "list", 3)] {
        let all = proposals(spec.clone(), &[], &earlier);
        assert_eq!((all[0].0.as_str(), all.len()), (first, count), "{spec}");
        assert!(all.iter().all(|(_, config)| *config != earlier[0].0), "{spec}");
    }
    let chain = json!({"chain": [{"sampler": {"random": {}}, "trials": 1}, {"sampler": list}]});
    let all = proposals(chain, &[], &earlier);
    let from: Vec<&str> = all.iter().map(|(sampler, _)| sampler.as_str()).collect();
    assert_eq!(from[..3], ["history", "default", "random"]);
}

#[test]
fn without_a_result_that_can_be_run_the_defaults_are_first() {
    for earlier in [
        vec![],
        vec![(json!({"x": 1, "kind": "a"}), None)],
        vec![(json!({"x": 1}), Some(0.1))],
    ] {
        let all = proposals(json!({"random": {}}), &[], &earlier);
        assert_eq!(all[0].0, "default", "{earlier:?}");
    }
    // What an earlier study ran with the defaults is known.
    let all = proposals(
        json!({"random": {}}),
        &[],
        &[
            (json!({"x": 2, "kind": "a"}), Some(0.5)),
            (json!({"x": 1, "kind": "a"}), Some(0.1)),
        ],
    );
    assert_eq!(all[0].0, "history");
    assert_eq!(all[1].0, "random");
}

#[test]
fn a_study_of_what_was_run_already_has_a_trial_of_its_own() {
    let list = || json!({"list": [{"x": 0}, {"x": 1}]});
    let both = |second: Option<f64>| {
        vec![
            (json!({"x": 0, "kind": "a"}), Some(0.5)),
            (json!({"x": 1, "kind": "a"}), second),
        ]
    };
    let best = ("history".to_owned(), json!({"x": 1, "kind": "a"}));
    assert_eq!(proposals(list(), &[], &both(Some(0.25))), [best]);
    // What failed there is run.
    let again = ("list".to_owned(), json!({"x": 1, "kind": "a"}));
    assert_eq!(proposals(list(), &[], &both(None)), [again]);
    // Nothing but failures, in all of the space.
    let constraints = ["parameters.x > 1", "parameters.kind == \"a\""];
    let failed = [2, 3].map(|x| (json!({"x": x, "kind": "a"}), None));
    let all = proposals(json!({"random": {}}), &constraints, &failed);
    assert_eq!(all.len(), 2);
}
