//! Trials under way: what is proposed beside them is different and elsewhere, and no straggler holds anything up.

use super::{suite::*, *};

/// The least distance of any two, along the dimension where it is the greatest.
fn least_distance(points: &[Vec<f64>]) -> f64 {
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let pairs = points
        .iter()
        .enumerate()
        .flat_map(|(i, a)| points[..i].iter().map(move |b| (a, b)));
    pairs.map(|(a, b)| distance(a, b)).fold(f64::INFINITY, f64::min)
}

/// How far points spread, as the mean over the dimensions of greatest less least.
fn extent(points: &[Vec<f64>]) -> f64 {
    let dimensions = points[0].len();
    let along = |d: usize| {
        let places = || points.iter().map(move |point| point[d]);
        places().fold(0.0, f64::max) - places().fold(1.0, f64::min)
    };
    (0..dimensions).map(along).sum::<f64>() / dimensions as f64
}

/// Ten asked for at once after that many results.
fn ten(spec: &Value, space: &Space, results: usize, seed: u64) -> Vec<Config> {
    let mut run = Run::new(spec, space, seed);
    run.parallelism = 10;
    run.run(results as u32, |_, config| gave(landscape(space, config)));
    let before = run.trials.len();
    run.run(10, |_, _| Outcome::Pending);
    run.trials
        .split_off(before)
        .into_iter()
        .map(|trial| trial.config)
        .collect()
}

/// At once from the start on, or amid a study: `Run` asserts that all differ, and are configurations of the space.
#[test]
fn ten_at_once_differ() {
    for space in [mixed(), doubles(12)] {
        for spec in specs(&space) {
            for results in [0, 12] {
                let ten = ten(&spec, &space, results, 5);
                // what ends, ends: a list, a grid
                let ends = spec.get("list").is_some() || spec.get("grid").is_some();
                assert!(ten.len() == 10 || ends, "{spec}: {}", ten.len());
            }
        }
    }
}

#[test]
fn ten_at_once_are_spread() {
    let space = doubles(3);
    for spec in specs(&space) {
        if spec.get("list").is_some() || spec.get("grid").is_some() {
            continue;
        }
        for (results, apart, wide) in [(0, 0.005, 0.4), (24, 0.0001, 0.05)] {
            let places: Vec<Vec<f64>> = ten(&spec, &space, results, 5)
                .iter()
                .map(|config| place(&space, config))
                .collect();
            let (apart_by, extent) = (least_distance(&places), extent(&places));
            // localSearch changes one parameter of one configuration, whatever is known
            let wide = if spec.get("localSearch").is_some() { 0.02 } else { wide };
            assert!(
                apart_by > apart && extent > wide,
                "{spec} {results}: {apart_by} {extent}"
            );
        }
    }
}

/// What is under way keeps the models' next proposals away: ten asked for one after another without an answer lie farther apart
/// than ten that do not know of each other.
#[test]
fn models_keep_away_from_what_is_under_way() {
    let space = doubles(2);
    for name in ["tpe", "gaussianProcess"] {
        let spec = json!({ name: {} });
        let (mut aware, mut unaware) = (0.0, 0.0);
        for seed in 1..=2 {
            let places = |configs: &[Config]| configs.iter().map(|config| place(&space, config)).collect::<Vec<_>>();
            aware += mean_nearest(&places(&ten(&spec, &space, 20, seed)));
            let mut run = Run::new(&spec, &space, seed);
            run.run(20, |_, config| gave(landscape(&space, config)));
            let alone: Vec<Config> = (21..31)
                .map(|number| {
                    let context = Context {
                        number,
                        parallelism: 10,
                        ..run.context()
                    };
                    match run.sampler.suggest(&context, &run.history()) {
                        Suggestion::New { config, .. } => config,
                        other => panic!("{other:?}"),
                    }
                })
                .collect();
            unaware += mean_nearest(&places(&alone));
        }
        assert!(aware > 1.2 * unaware, "{name}: {aware} {unaware}");
    }
}

/// The mean distance of each point to the nearest other one.
fn mean_nearest(points: &[Vec<f64>]) -> f64 {
    let nearest = |i: usize| {
        let others = points.iter().enumerate().filter(|(j, _)| *j != i);
        let distance = |b: &[f64]| {
            points[i]
                .iter()
                .zip(b)
                .map(|(a, b)| (a - b).powi(2))
                .sum::<f64>()
                .sqrt()
        };
        others.map(|(_, b)| distance(b)).fold(f64::INFINITY, f64::min)
    };
    (0..points.len()).map(nearest).sum::<f64>() / points.len() as f64
}

/// Five that never end, from the first on: the others go on, and get better.
#[test]
fn stragglers_hold_nothing_up() {
    let space = doubles(2);
    for name in LEARNERS {
        let mut run = Run::new(&json!({ name: {} }), &space, 1);
        run.parallelism = 6;
        run.run(5, |_, _| Outcome::Pending);
        run.run(30, |_, config| gave(landscape(&space, config)));
        assert_eq!(run.trials.len(), 35, "{name}");
        let values: Vec<f64> = run
            .own()
            .skip(5)
            .map(|trial| landscape(&space, &trial.config))
            .collect();
        let best = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(best(&values) < best(&values[..3]), "{name}: {values:?}");
    }
}

/// Ten in flight, answers out of order: the models still beat chance.
#[test]
fn ten_in_flight_still_learn() {
    let space = doubles(5);
    let found = |name: &str, seed: u64| {
        let mut run = Run::new(&json!({ name: {} }), &space, seed);
        run.parallelism = 10;
        let mut flying: Vec<usize> = Vec::new();
        let asked = if is_costly(name) { 50 } else { 80 };
        for turn in 0..asked {
            flying.extend(run.ask());
            if flying.len() == 10 {
                let ended = flying.swap_remove((turn * 7) % 10);
                run.trials[ended].outcome = gave(landscape(&space, &run.trials[ended].config));
            }
        }
        run.best()
    };
    let median = |name: &str| {
        let seeds = if is_costly(name) { 1 } else { 3 };
        let mut found: Vec<f64> = (1..=seeds).map(|seed| found(name, seed)).collect();
        found.sort_by(f64::total_cmp);
        found[found.len() / 2]
    };
    let random = median("random");
    for name in ["tpe", "gaussianProcess", "localSearch"] {
        let found = median(name);
        assert!(found < 0.5 * random, "{name}: {found} {random}");
    }
}
