//! Objectives of any scale and with any gaps, and what earlier studies found.

use super::{suite::*, *};
use crate::space::Slot;

/// What becomes of the trial with that number and that value of the function.
type Odd = fn(u32, f64) -> Outcome;

/// Objectives that no sampler may stumble over.
const ODD: [(&str, Odd); 15] = [
    ("tiny", |_, value| gave(1e-12 * value)),
    ("huge", |_, value| gave(1e12 * value)),
    ("at the end of numbers", |_, value| gave((value - 0.5) * 1e308)),
    ("subnormal", |_, value| gave(value * 1e-310)),
    ("far from 0", |_, value| gave(1e15 + value)),
    ("constant", |_, _| gave(7.0)),
    ("both zeros", |number, _| gave(if number % 2 == 0 { 0.0 } else { -0.0 })),
    ("infinite", |_, _| gave(f64::INFINITY)),
    ("infinitely good", |_, _| gave(f64::NEG_INFINITY)),
    ("some infinite", |number, value| {
        gave(match number % 5 {
            1 => f64::INFINITY,
            3 => f64::NEG_INFINITY,
            _ => value,
        })
    }),
    ("some missing", |number, value| match number % 3 {
        1 => Outcome::Failed,
        2 => Outcome::Pending,
        _ => gave(value),
    }),
    ("all failed", |_, _| Outcome::Failed),
    ("all pending", |_, _| Outcome::Pending),
    ("a single one", |number, value| match number {
        4 => gave(value),
        _ => Outcome::Failed,
    }),
    ("two values", |number, _| gave(f64::from(number % 2))),
];

#[test]
fn objectives_of_any_scale_and_with_any_gaps() {
    for space in [mixed(), doubles(2), doubles(12)] {
        for spec in specs(&space) {
            for (_, odd) in ODD {
                let mut run = Run::new(&spec, &space, 2);
                // a start, given, so that models are asked soon
                let mut rng = ChaCha8Rng::seed_from_u64(6);
                for number in 1..=14 {
                    let config = anywhere(&space, &mut rng);
                    let outcome = odd(number, landscape(&space, &config));
                    run.add(config, Origin::default(), outcome);
                }
                run.run(2, |number, config| odd(number, landscape(&space, config)));
                assert_eq!(run.trials.len(), 16, "{spec}");
            }
        }
    }
}

/// Many equal values where parameters are inactive here and there: whatever sorts them must not mind.
#[test]
fn many_equal_values_in_a_space_with_conditions() {
    for space in spaces()
        .into_iter()
        .filter(|space| space.parameters().iter().any(|one| one.when.is_some()))
    {
        for spec in specs(&space) {
            let mut run = with_history(&spec, &space, 80, false);
            for trial in &mut run.trials {
                trial.outcome = gave(1.0);
            }
            let left = space.cardinality().is_none_or(|count| count > 1_000);
            let ends = spec.get("list").is_some() || spec.get("grid").is_some();
            assert!(run.ask().is_some() || !left || ends, "{spec}");
        }
    }
}

/// The same configuration again and again, with the same value, with others, and failing at times.
#[test]
fn the_same_point_with_the_same_and_with_different_values() {
    let outcomes: [fn(u32) -> Outcome; 3] = [
        |_| gave(1.5),
        |number| gave(f64::from(number * 7 % 13)),
        |number| if number % 2 == 0 { Outcome::Failed } else { gave(1.0) },
    ];
    for space in [mixed(), doubles(2)] {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let points: Vec<Config> = (0..3).map(|_| anywhere(&space, &mut rng)).collect();
        for spec in specs(&space) {
            for outcome in outcomes {
                let mut run = Run::new(&spec, &space, 2);
                for number in 1..=30 {
                    let at = if number < 25 { 0 } else { number as usize % 3 };
                    run.add(points[at].clone(), Origin::default(), outcome(number));
                }
                run.run(2, |number, _| outcome(number));
                assert_eq!(run.trials.len(), 32, "{spec}");
            }
        }
    }
}

/// By a power of two, which leaves rounding as it is, the same configurations are proposed.
#[test]
fn the_scale_of_the_objective_changes_nothing() {
    for space in [mixed(), doubles(12)] {
        for spec in specs(&space) {
            let proposed = |factor: f64| {
                let mut run = Run::new(&spec, &space, 4);
                run.run(14, |_, config| gave(factor * landscape(&space, config)));
                run.trials
                    .into_iter()
                    .map(|trial| trial.config)
                    .collect::<Vec<Config>>()
            };
            let plain = proposed(1.0);
            for factor in [2f64.powi(40), 2f64.powi(-40)] {
                assert_eq!(plain, proposed(factor), "{spec} {factor:e}");
            }
        }
    }
}

/// A sphere in [-5, 5] whose best is nowhere in particular.
fn sphere(config: &Config) -> f64 {
    let terms = config.0.iter().enumerate().map(|(slot, value)| match value {
        Slot::Double(x) => (x - 1.7 + 0.9 * slot as f64).powi(2),
        other => panic!("{other:?}"),
    });
    terms.sum()
}

/// By any factor and with any shift, the search gets as far.
#[test]
fn scale_and_shift_of_the_objective_change_nothing_material() {
    let space = doubles(2);
    // auto is one of the others
    for name in LEARNERS.into_iter().filter(|name| *name != "auto") {
        let found = |factor: f64, shift: f64| {
            let (seeds, trials) = if is_costly(name) { (1, 20) } else { (3, 30) };
            let mut found: Vec<f64> = (1..=seeds)
                .map(|seed| {
                    let mut run = Run::new(&json!({ name: {} }), &space, seed);
                    run.run(trials, |_, config| gave(factor * sphere(config) + shift));
                    run.own()
                        .map(|trial| sphere(&trial.config))
                        .fold(f64::INFINITY, f64::min)
                })
                .collect();
            found.sort_by(f64::total_cmp);
            found[found.len() / 2]
        };
        let plain = found(1.0, 0.0);
        for (factor, shift) in [(1e12, 0.0), (1e-12, 0.0), (3.0, 1e6), (1e-3, -1e5)] {
            let other = found(factor, shift);
            assert!(
                other < 3.0 * plain + 0.2,
                "{name} {factor:e} {shift:e}: {other} {plain}"
            );
        }
    }
}

/// Trials of earlier studies, of which some lack parameters that this space has, and some are against its constraints.
#[test]
fn what_earlier_studies_found_breaks_nothing() {
    for space in spaces() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        for (lacking, outcome) in [
            (0, None),
            (1, None),
            (9, None),
            (1, Some(gave(2.0))),
            (1, Some(Outcome::Failed)),
        ] {
            let earlier: Vec<(Config, Outcome)> = (0..30)
                .map(|i| {
                    let mut config = anywhere(&space, &mut rng);
                    let slots = config.0.len();
                    for slot in 0..lacking.min(slots) {
                        config.0[(i + slot) % slots] = Slot::Inactive;
                    }
                    let usual = if i % 6 == 5 {
                        Outcome::Failed
                    } else {
                        gave((i as f64 * 0.7).sin())
                    };
                    (config, outcome.unwrap_or(usual))
                })
                .collect();
            for spec in specs(&space) {
                let mut run = Run::new(&spec, &space, 3).with_earlier(&earlier);
                run.run(1, |_, config| gave(landscape(&space, config)));
                let algorithm: crate::api::Algorithm = serde_json::from_value(json!({ "sampler": spec })).unwrap();
                let mut wrapped = Run::new(&spec, &space, 3).with_earlier(&earlier);
                wrapped.sampler = with_earlier(&algorithm.sampler, compile(&algorithm, &space).unwrap());
                let Suggestion::New { config, .. } = wrapped.suggest() else {
                    continue;
                };
                check(&space, &config, &spec.to_string());
            }
        }
    }
}

/// What earlier studies found is worth more than a start of one's own.
#[test]
fn what_earlier_studies_found_helps() {
    let space = doubles(4);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    // a quarter of the range around the best, never nearer than a tenth of it
    let mut near = Vec::new();
    while near.len() < 40 {
        let config = anywhere(&space, &mut rng);
        if (1.0..9.0).contains(&sphere(&config)) {
            near.push((config.clone(), gave(sphere(&config))));
        }
    }
    for name in ["auto", "tpe", "gaussianProcess"] {
        let found = |earlier: &[(Config, Outcome)]| {
            let mut found: Vec<f64> = (1..=if is_costly(name) { 1 } else { 5 })
                .map(|seed| {
                    let mut run = Run::new(&json!({ name: {} }), &space, seed).with_earlier(earlier);
                    run.run(10, |_, config| gave(sphere(config)));
                    run.best()
                })
                .collect();
            found.sort_by(f64::total_cmp);
            found[found.len() / 2]
        };
        let (with, without) = (found(&near), found(&[]));
        assert!(with < 0.5 * without, "{name}: {with} {without}");
        // also where they lack a parameter that the study has now
        let mut lacking = near.clone();
        lacking.iter_mut().for_each(|(config, _)| config.0[3] = Slot::Inactive);
        let with = found(&lacking);
        assert!(with < 0.9 * without, "{name}, one lacking: {with} {without}");
    }
}
