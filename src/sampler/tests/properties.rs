//! What holds for every sampler.

use std::collections::HashSet;

use proptest::prelude::*;

use super::{suite::specs, *};

/// Four spaces with conditions and constraints, each with the number of its feasible configurations.
fn finite(which: usize) -> (Space, usize) {
    match which {
        0 => (
            space("[{name: a, int: {min: 1, max: 12}}, {name: c, constant: x}]", &[]),
            12,
        ),
        1 => (
            space(
                "[{name: a, int: {min: 1, max: 5}}, {name: b, double: {min: 0, max: 1, step: 0.25}}]",
                &["parameters.a > 2 || parameters.b < 0.5"],
            ),
            2 * 2 + 3 * 5,
        ),
        2 => (
            space(
                "[{name: k, categorical: {values: [a, b, c], weights: [100, 1, 1]}}, {name: m, ordinal: {values: [1, 2, 3, 4]}, when: 'parameters.k == \"b\"'}, {name: n, int: {min: 0, max: 1}, when: 'parameters.m > 2'}]",
                &[],
            ),
            1 + (2 + 2 * 2) + 1,
        ),
        _ => (
            space(
                "[{name: a, int: {min: 1, max: 1000, scale: Log}}]",
                &["parameters.a % 100 == 7"],
            ),
            10,
        ),
    }
}

proptest! {
    // each goes through all samplers
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// A finite space is used up exactly: every feasible configuration once, whatever was queued in between, and whatever the trials give.
    #[test]
    fn finite_spaces_are_used_up_exactly(which in 0usize..4, seed in any::<u64>(), queue in 0usize..6, luck in any::<Option<u64>>()) {
        let (space, count) = finite(which);
        // a list has what it has
        for spec in specs(&space).into_iter().filter(|spec| spec.get("list").is_none()) {
            let sampler = sampler(spec.clone(), &space).unwrap();
            prop_assert!(sampler.is_finite(&space, Duplicates::Avoid));
            let mut study = Study { luck, ..Study::default() };
            study.run(&*sampler, &space, seed, Duplicates::Avoid, queue);
            let last = space.decode(&vec![1.0; space.dimensions()]);
            if space.is_feasible(&last) && !study.trials.iter().any(|(config, _)| *config == last) {
                study.request(&space, json!(space.write(&last)));
            }
            prop_assert!(study.run(&*sampler, &space, seed, Duplicates::Avoid, 2 * count), "{}", spec);
            let different: HashSet<&Config> = study.trials.iter().map(|(config, _)| config).collect();
            prop_assert_eq!((study.trials.len(), different.len()), (count, count), "{}", spec);
        }
    }

    /// The same history gives the same answer, also when it went through JSON in between.
    #[test]
    fn the_same_history_gives_the_same_answer(seed in any::<u64>(), n in 0usize..20, luck in any::<Option<u64>>()) {
        let space = space("[{name: a, double: {min: 1e-5, max: 1, scale: Log}}, {name: b, int: {min: 1, max: 9}}, {name: c, double: {normal: {mean: 0, stddev: 1}}}]", &["double(parameters.b) > parameters.c"]);
        for spec in specs(&space) {
            let sampler = sampler(spec.clone(), &space).unwrap();
            let mut study = Study { luck, ..Study::default() };
            study.run(&*sampler, &space, seed, Duplicates::Avoid, n);
            let mut resumed = study.clone();
            for (config, _) in &mut resumed.trials {
                let text = serde_json::to_string(&space.write(config)).unwrap();
                let map: ParameterMap = serde_json::from_str(&text).unwrap();
                *config = space.parse(&map).unwrap();
            }
            let (answer, again) = (
                study.ask(&*sampler, &space, seed, Duplicates::Avoid),
                resumed.ask(&*sampler, &space, seed, Duplicates::Avoid),
            );
            prop_assert_eq!(answer, again, "{}", spec);
        }
    }
}
