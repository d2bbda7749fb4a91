//! The contract that every sampler keeps, written once: what holds of each proposal, whatever the space and the history.

use super::{suite::*, *};

/// Every type, every bound, step, scale, condition and constraint, whatever the trials give.
#[test]
fn every_proposal_is_a_configuration_of_the_space() {
    for space in spaces() {
        for spec in specs(&space) {
            let mut run = Run::new(&spec, &space, 11);
            run.run(15, |number, config| match number % 7 {
                3 => Outcome::Failed,
                5 => Outcome::Pending,
                _ => gave(landscape(&space, config)),
            });
            let least = space.cardinality().map_or(22, |count| count.min(15)) as usize;
            let is_endless = !run.sampler.is_finite(&space, Duplicates::Avoid);
            assert!(!is_endless || run.trials.len() == 15, "{spec}: {}", run.trials.len());
            assert!(run.trials.len() >= least.min(5), "{spec}: {}", run.trials.len());
        }
    }
}

#[test]
fn any_number_of_dimensions() {
    for count in [1, 2, 5, 11, 30, 60] {
        let space = doubles(count);
        for spec in specs(&space) {
            let mut run = with_history(&spec, &space, 24, true);
            // localSearch, a grid and a list may have gone through all that they had
            run.run(2, |_, config| gave(landscape(&space, config)));
        }
    }
}

#[test]
fn any_length_of_history() {
    let spaces = [(doubles(3), 1_000), (mixed(), 10_000)];
    for (space, longest) in &spaces {
        for length in [0, 1, 2, 3, 30, *longest] {
            for spec in specs(space) {
                // what others proposed, and what it proposed itself
                for is_own in [false, true] {
                    if length == *longest && is_own == (length == 1_000) {
                        continue;
                    }
                    let mut run = with_history(&spec, space, length, is_own);
                    let ends = spec.get("list").is_some() || spec.get("grid").is_some();
                    assert!(run.ask().is_some() || ends, "{spec} {length}");
                }
            }
        }
    }
}

/// Constants leave one configuration, which is run once.
#[test]
fn a_space_of_one_configuration() {
    for yaml in [
        "[{name: a, constant: 1}]",
        "[{name: a, constant: x}, {name: b, constant: {deep: [1, 2]}}]",
    ] {
        let space = space(yaml, &[]);
        for spec in specs(&space) {
            for outcome in [Outcome::Failed, Outcome::Pending, gave(0.0)] {
                let mut run = Run::new(&spec, &space, 1);
                run.run(3, |_, _| outcome);
                assert_eq!(run.trials.len(), 1, "{yaml} {spec}");
                assert_eq!(run.suggest(), Suggestion::Done, "{yaml} {spec}");
            }
        }
    }
}

/// Duplicates allowed, a space of two configurations goes on as long as anybody asks (but a grid and a list end).
#[test]
fn where_duplicates_are_allowed_a_small_space_goes_on() {
    let space = space("[{name: a, categorical: {values: [x, y]}}]", &[]);
    for spec in specs(&space) {
        let mut run = Run::new(&spec, &space, 1);
        let sampler = sampler(spec.clone(), &space).unwrap();
        for number in 1..=30 {
            let context = Context {
                duplicates: Duplicates::Allow,
                ..run.context()
            };
            match sampler.suggest(&context, &run.history()) {
                Suggestion::New { config, origin } => {
                    check(&space, &config, &spec.to_string());
                    run.add(config, origin, gave(f64::from(number % 3)));
                }
                Suggestion::Done => break,
                other => panic!("{spec}: {other:?}"),
            }
        }
        let is_finite = sampler.is_finite(&space, Duplicates::Allow);
        assert_eq!(run.trials.len() < 30, is_finite && spec.get("list").is_none(), "{spec}");
    }
}
