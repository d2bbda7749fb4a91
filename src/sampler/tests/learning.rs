//! Samplers that learn: better than chance by far, and away from where trials fail. Seeds are given, so each test has one outcome.

use rand::RngExt;

use super::{suite::*, *};
use crate::space::Slot;

fn number(slot: Slot) -> f64 {
    match slot {
        Slot::Double(value) => value,
        Slot::Int(value) => value as f64,
        Slot::Choice(index) => f64::from(index),
        Slot::Inactive | Slot::Constant => panic!("{slot:?}"),
    }
}

/// The median over three seeds (one, and fewer trials, for what is costly) of how good the best of so many trials is, by `f`; the sampler is told that and some noise.
fn median(name: &str, space: &Space, trials: u32, noise: f64, f: impl Fn(&Config) -> f64) -> f64 {
    let (seeds, trials) = if is_costly(name) {
        (1, trials.min(36))
    } else {
        (3, trials)
    };
    let mut found: Vec<f64> = (1..=seeds)
        .map(|seed| {
            let mut run = Run::new(&json!({ name: {} }), space, seed);
            run.run(trials, |number, config| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed << 32 | u64::from(number));
                gave(f(config) + noise * (rng.random::<f64>() - 0.5))
            });
            // what the sampler would name the best
            let value = |trial: &&Trial| match trial.outcome {
                Outcome::Value(value) => value,
                _ => f64::INFINITY,
            };
            let best = run.own().min_by(|a, b| value(a).total_cmp(&value(b)));
            f(&best.unwrap().config)
        })
        .collect();
    found.sort_by(f64::total_cmp);
    found[found.len() / 2]
}

/// Asserts that each sampler finds at most that part of what random search does.
fn better(samplers: &[(&str, f64)], space: &Space, trials: u32, noise: f64, f: impl Fn(&Config) -> f64) {
    let random = median("random", space, trials, noise, &f);
    for (name, part) in samplers {
        let found = median(name, space, trials, noise, &f);
        assert!(found < part * random, "{name}: {found} of {random}");
    }
}

fn sphere(config: &Config) -> f64 {
    let slots = config.0.iter().enumerate();
    slots.map(|(at, x)| (number(*x) - 2.1 + 0.8 * at as f64).powi(2)).sum()
}

#[test]
fn a_shifted_sphere() {
    let samplers = [
        ("auto", 0.05),
        ("gaussianProcess", 0.05),
        ("tpe", 0.5),
        ("cmaEs", 0.3),
        ("genetic", 0.8),
        ("localSearch", 0.5),
    ];
    better(&samplers, &doubles(4), 60, 0.0, sphere);
}

/// Where a study's own code reports a penalty in place of failing, however great, what is good is still told apart.
#[test]
fn a_sphere_with_penalties() {
    let f = |config: &Config| match number(config.0[0]) {
        x if x > 3.0 => 1e30,
        x if x < -4.0 => f64::MAX,
        _ => sphere(config),
    };
    let samplers = [("gaussianProcess", 0.5), ("tpe", 0.5), ("cmaEs", 0.5)];
    better(&samplers, &doubles(4), 60, 0.0, f);
}

#[test]
fn a_noisy_sphere() {
    let samplers = [("gaussianProcess", 0.5), ("tpe", 0.7), ("cmaEs", 0.7)];
    better(&samplers, &doubles(4), 60, 4.0, sphere);
}

#[test]
fn a_conditional_space() {
    let space = space(
        r#"
        - {name: kind, categorical: {values: [a, b, c]}}
        - {name: x, double: {min: 0, max: 1}, when: 'parameters.kind == "a"'}
        - {name: lr, double: {min: 1e-6, max: 1, scale: Log}, when: 'parameters.kind == "b"'}
        - {name: n, int: {min: 1, max: 50}, when: 'parameters.kind == "b"'}
        "#,
        &[],
    );
    let f = |config: &Config| match config.0[0] {
        Slot::Choice(0) => 1.0 + (number(config.0[1]) - 0.2).abs(),
        Slot::Choice(1) => {
            0.3 * (number(config.0[2]).log10() + 4.1).powi(2) + 0.003 * (number(config.0[3]) - 33.0).powi(2)
        }
        _ => 1.5,
    };
    let samplers = [("auto", 0.2), ("gaussianProcess", 0.2), ("tpe", 0.5), ("cmaEs", 0.7)];
    better(&samplers, &space, 60, 0.0, f);
}

#[test]
fn a_space_of_many_kinds() {
    let space = mixed();
    let f = |config: &Config| {
        let [lr, dropout, layers, units] = [0, 1, 2, 3].map(|at| number(config.0[at]));
        (lr.log10() + 3.2).powi(2)
            + 4.0 * (dropout - 0.3).powi(2)
            + 0.08 * (layers - 5.0).powi(2)
            + 0.3 * (units.log2() - 7.6).powi(2)
            + 0.2 * number(config.0[4]).abs()
            + 0.6 * f64::from(config.0[5] != Slot::Choice(1))
            + 0.1 * (number(config.0[8]) - 1.0).powi(2)
    };
    let samplers = [("gaussianProcess", 0.7), ("tpe", 0.6), ("cmaEs", 0.8), ("genetic", 0.8)];
    better(&samplers, &space, 60, 0.0, f);
}

#[test]
fn a_space_of_categories_only() {
    let all: Vec<String> = (0..6)
        .map(|i| format!("{{name: c{i}, categorical: {{values: [a, b, c, d, e]}}}}"))
        .collect();
    let space = space(&format!("[{}]", all.join(", ")), &[]);
    let f = |config: &Config| {
        let slots = config.0.iter().enumerate();
        slots
            .map(|(at, choice)| ((number(*choice) + at as f64) % 5.0 + 0.1) * (1.0 + 0.1 * at as f64))
            .sum()
    };
    let samplers = [
        ("gaussianProcess", 0.6),
        ("tpe", 0.7),
        ("genetic", 0.8),
        ("localSearch", 0.6),
    ];
    better(&samplers, &space, 80, 0.0, f);
}

/// In many dimensions a search among few of them still gets on.
#[test]
fn many_dimensions() {
    let space = doubles(20);
    let f = |config: &Config| {
        let slots = config.0.iter().enumerate();
        slots.map(|(at, x)| (number(*x) - 2.0 + (at % 4) as f64).powi(2)).sum()
    };
    let samplers = [("gaussianProcess", 0.6), ("tpe", 0.9), ("cmaEs", 0.9)];
    better(&samplers, &space, 60, 0.0, f);
}

/// Where trials fail (memory runs out, training diverges), models do not go again and again.
#[test]
fn failing_regions_are_left() {
    let space = space(
        "[{name: lr, double: {min: 1e-5, max: 1, scale: Log}}, {name: units, int: {min: 8, max: 4096, scale: Log}}, {name: depth, int: {min: 1, max: 12}}]",
        &[],
    );
    let outcome = |config: &Config| {
        let [lr, units, depth] = [0, 1, 2].map(|at| number(config.0[at]));
        let size = units * depth;
        if size > 6000.0 || lr > 0.1 && depth > 6.0 {
            return Outcome::Failed;
        }
        gave(
            0.6 * (lr.log10() + 2.5).powi(2)
                + 0.15 * (size.log2() - 5000f64.log2()).powi(2)
                + 0.05 * (depth - 4.0).powi(2),
        )
    };
    for (name, seeds, trials) in [("auto", 1, 45), ("gaussianProcess", 1, 55), ("tpe", 3, 80)] {
        let (mut failed, mut all) = (0, 0);
        let mut best = Vec::new();
        for seed in 1..=seeds {
            let mut run = Run::new(&json!({ name: {} }), &space, seed);
            run.run(trials, |_, config| outcome(config));
            let late = run.own().skip(30);
            failed += late.filter(|trial| trial.outcome == Outcome::Failed).count();
            all += trials - 30;
            best.push(run.best());
        }
        assert!(
            failed as f64 / f64::from(all) < 0.15,
            "{name}: {failed} of {all} failed"
        );
        assert!(best.iter().all(|best| *best < 0.1), "{name}: {best:?}");
    }
}
