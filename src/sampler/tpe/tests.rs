#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::*;
use crate::{
    api::{Origin, Parameter},
    sampler::Observation,
    space::Slot,
};

fn space(yaml: &str, constraints: &[&str]) -> Space {
    let parameters: Vec<Parameter> = serde_saphyr::from_str(yaml).unwrap();
    let constraints: Vec<String> = constraints.iter().map(|&constraint| constraint.to_owned()).collect();
    Space::compile(&parameters, &constraints).unwrap()
}

const NAME: Name = Name {
    sampler: "tpe",
    stage: None,
};

/// A study: configurations with what came out of them.
#[derive(Default)]
struct Study(Vec<(Config, Outcome, Origin)>);

impl Study {
    fn add(&mut self, config: Config, outcome: Outcome) {
        let index = Some(self.0.len() as u64);
        let origin = Origin {
            sampler: Some("tpe".to_owned()),
            index,
            ..Origin::default()
        };
        self.0.push((config, outcome, origin));
    }

    fn history(&self) -> Vec<Observation<'_>> {
        let numbered = (1..).zip(&self.0);
        numbered
            .map(|(number, (config, outcome, origin))| Observation {
                number,
                config,
                origin,
                outcome: *outcome,
            })
            .collect()
    }

    fn ask(&self, space: &Space, number: u32) -> Option<Config> {
        ask(space, number, &self.history())
    }

    /// Runs `n` trials, one at a time.
    fn run(&mut self, space: &Space, n: usize, outcome: impl Fn(&Config) -> Outcome) {
        for _ in 0..n {
            let config = self.ask(space, self.0.len() as u32 + 1).unwrap();
            let outcome = outcome(&config);
            self.add(config, outcome);
        }
    }
}

fn ask(space: &Space, number: u32, history: &[Observation<'_>]) -> Option<Config> {
    let context = Context {
        space,
        seed: 7,
        duplicates: Duplicates::Avoid,
        parallelism: 1,
        budget: None,
        number,
    };
    match Tpe::new(NAME, None, space).suggest(&context, history) {
        Suggestion::New { config, .. } => {
            assert!(space.is_feasible(&config));
            assert!(history.iter().all(|trial| *trial.config != config));
            Some(config)
        }
        Suggestion::Done => None,
        other => panic!("{other:?}"),
    }
}

fn number(slot: Slot) -> f64 {
    match slot {
        Slot::Double(value) => value,
        Slot::Int(value) => value as f64,
        Slot::Choice(index) => f64::from(index),
        Slot::Inactive | Slot::Constant => panic!("{slot:?}"),
    }
}

fn points(space: &Space, dimensions: &[Dimension], units: &[&[f64]]) -> Vec<Point> {
    let point = |unit: &&[f64]| Point::new(space, dimensions, &space.decode(unit));
    units.iter().map(point).collect()
}

/// Two dimensions without order or with few values, and one of each other kind.
const MIXED: &str = r"
    - {name: c, categorical: {values: [a, b, c, d], weights: [1, 2, 3, 1]}}
    - {name: o, ordinal: {values: [1, 2, 4, 8, 16]}}
    - {name: i, int: {min: 1, max: 20, scale: Log}}
    - {name: s, double: {min: 0, max: 1, step: 0.25}}
";

#[test]
fn densities_over_values_sum_to_1() {
    let space = space(MIXED, &[]);
    let dimensions = Dimension::all(&space);
    let middles = points(&space, &dimensions, &[&[0.0, 0.0, 0.0, 0.0], &[0.4, 0.9, 0.3, 0.6]]);
    let weighted: Vec<_> = middles.iter().map(|middle| (middle, 1.0)).collect();
    for bandwidth in [GOOD, BAD, Bandwidth::Range(3.0)] {
        let parzen = Parzen::new(&dimensions, &weighted, bandwidth);
        let (mut all, mut masses) = (Vec::new(), Vec::new());
        let values = |at: usize| 0..space.count(at).unwrap();
        for (c, o) in values(0).flat_map(|c| values(1).map(move |o| (c, o))) {
            for (i, s) in values(2).flat_map(|i| values(3).map(move |s| (i, s))) {
                let slots: Vec<Slot> = (0..)
                    .zip([c, o, i, s])
                    .map(|(at, value)| space.nth(at, value))
                    .collect();
                let point = Point::new(&space, &dimensions, &space.configuration(&slots));
                let widths = dimensions.iter().zip(&point.places);
                masses.push(
                    widths
                        .map(|(dimension, &place)| dimension.width(place))
                        .product::<f64>(),
                );
                all.push(point);
            }
        }
        let densities = parzen.log_densities(&all);
        let sum: f64 = densities
            .iter()
            .zip(&masses)
            .map(|(density, mass)| density.exp() * mass)
            .sum();
        assert!((sum - 1.0).abs() < 0.02, "{bandwidth:?} {sum}");
    }
}

#[test]
fn a_density_over_numbers_integrates_to_1() {
    let space = space("[{name: x, double: {min: 1, max: 100, scale: Log}}]", &[]);
    let dimensions = Dimension::all(&space);
    let middles = points(&space, &dimensions, &[&[0.0], &[0.01], &[0.5], &[1.0]]);
    let weighted: Vec<_> = middles.iter().map(|middle| (middle, 0.7)).collect();
    for bandwidth in [GOOD, BAD, Bandwidth::Range(3.0)] {
        let parzen = Parzen::new(&dimensions, &weighted, bandwidth);
        let units: Vec<[f64; 1]> = (0..20_000).map(|i| [(f64::from(i) + 0.5) / 20_000.0]).collect();
        let units: Vec<&[f64]> = units.iter().map(|unit| &unit[..]).collect();
        let all = points(&space, &dimensions, &units);
        let mean = parzen
            .log_densities(&all)
            .iter()
            .map(|density| density.exp())
            .sum::<f64>()
            / 20_000.0;
        assert!((mean - 1.0).abs() < 1e-4, "{bandwidth:?} {mean}");
    }
}

#[test]
fn draws_follow_the_density() {
    let space = space(MIXED, &[]);
    let dimensions = Dimension::all(&space);
    let middles = points(&space, &dimensions, &[&[0.0, 0.0, 0.0, 0.0], &[0.4, 0.9, 0.3, 0.6]]);
    let parzen = Parzen::new(&dimensions, &[(&middles[0], 1.0), (&middles[1], 2.0)], GOOD);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut seen = [0.0_f64; 4];
    let mut unit = [0.0; 4];
    for _ in 0..20_000 {
        parzen.draw(&mut rng, &mut unit);
        let Slot::Choice(c) = space.decode(&unit).0[0] else {
            panic!()
        };
        seen[c as usize] += 1.0 / 20_000.0;
    }
    // the prior counts 1 of 4, and 4 of 8 in each kernel; the first point has the first choice, the second the second
    let prior = 1.0 / 4.0 + 3.0 / 4.0 * 4.0 / 8.0;
    let wanted = [
        prior / 7.0 + 0.125,
        prior * 2.0 / 7.0 + 0.25,
        prior * 3.0 / 7.0,
        prior / 7.0,
    ];
    for (seen, wanted) in seen.iter().zip(wanted) {
        assert!((seen - wanted).abs() < 0.02, "{seen} {wanted}");
    }
}

#[test]
fn the_start_is_spread_also_when_trials_run_side_by_side() {
    let space = space(
        "[{name: x, double: {min: 0, max: 1}}, {name: y, double: {min: 0, max: 1}}]",
        &[],
    );
    let mut study = Study::default();
    study.run(&space, 16, |_| Outcome::Pending);
    let mut parts: Vec<u32> = study
        .0
        .iter()
        .map(|(config, ..)| (number(config.0[0]) * 16.0) as u32)
        .collect();
    parts.sort_unstable();
    assert!(parts.into_iter().eq(0..16));
}

#[test]
fn the_good_region_is_searched_but_not_where_trials_are_under_way() {
    let space = space(
        "[{name: x, double: {min: 0, max: 1}}, {name: y, double: {min: 0, max: 1}}]",
        &[],
    );
    let place = |config: &Config| [number(config.0[0]), number(config.0[1])];
    let gap = |one: [f64; 2], other: [f64; 2]| (one[0] - other[0]).hypot(one[1] - other[1]);
    let mut study = Study::default();
    for i in 0..36 {
        let unit = [f64::from(i % 6) / 6.0 + 0.08, f64::from(i / 6) / 6.0 + 0.08];
        study.add(space.decode(&unit), Outcome::Value(gap(unit, [0.3, 0.6])));
    }
    let proposed = |study: &Study, first: u32| -> Vec<Config> {
        let all = first..first + 20;
        all.map(|number| study.ask(&space, number).unwrap()).collect()
    };
    let first = proposed(&study, 100);
    let good = first
        .iter()
        .filter(|config| gap(place(config), [0.3, 0.6]) < 0.25)
        .count();
    assert!(good > 12, "{good}");
    let away = |others: &[Config]| -> f64 {
        let nearest = |config: &Config| {
            first
                .iter()
                .map(|one| gap(place(one), place(config)))
                .fold(1.0, f64::min)
        };
        others.iter().map(nearest).sum()
    };
    let unaware = away(&proposed(&study, 200));
    for config in &first {
        study.add(config.clone(), Outcome::Pending);
    }
    let aware = away(&proposed(&study, 200));
    assert!(aware > 1.3 * unaware, "{aware} {unaware}");
}

#[test]
fn a_region_that_fails_is_left() {
    let space = space(
        "[{name: x, double: {min: 0, max: 1}}, {name: y, double: {min: 0, max: 1}}]",
        &[],
    );
    let mut study = Study::default();
    // better and better towards where it fails
    study.run(&space, 80, |config| match number(config.0[0]) {
        x if x > 0.6 => Outcome::Failed,
        x => Outcome::Value(-x),
    });
    let late = &study.0[40..];
    let failed = late
        .iter()
        .filter(|(_, outcome, _)| *outcome == Outcome::Failed)
        .count();
    assert!(failed < 20, "{failed}");
    let best = late
        .iter()
        .map(|(config, ..)| number(config.0[0]))
        .filter(|x| *x <= 0.6)
        .fold(0.0, f64::max);
    assert!(best > 0.55, "{best}");
    // where everything failed, it goes elsewhere
    let mut study = Study::default();
    for i in 0..20 {
        study.add(space.decode(&[0.02 * f64::from(i), 0.5]), Outcome::Value(f64::INFINITY));
    }
    let proposed: Vec<Config> = (0..20).map(|i| study.ask(&space, 100 + i).unwrap()).collect();
    let near = proposed
        .iter()
        .filter(|c| number(c.0[0]) < 0.4 && (number(c.0[1]) - 0.5).abs() < 0.05);
    assert_eq!(near.count(), 0);
}

#[test]
fn each_branch_is_searched_by_itself() {
    let space = space(
        r#"
        - {name: kind, categorical: {values: [a, b]}}
        - {name: x, double: {min: 0, max: 1}, when: 'parameters.kind == "a"'}
        - {name: y, double: {min: 1e-6, max: 1, scale: Log}, when: 'parameters.kind == "b"'}
        "#,
        &[],
    );
    let value = |config: &Config| match config.0[0] {
        Slot::Choice(0) => 1.0 + (number(config.0[1]) - 0.2).abs(),
        _ => (number(config.0[2]).log10() + 4.0).abs(),
    };
    let mut study = Study::default();
    study.run(&space, 60, |config| Outcome::Value(value(config)));
    let late: Vec<f64> = study.0[40..].iter().map(|(config, ..)| value(config)).collect();
    assert!(late.iter().filter(|value| **value < 0.5).count() >= 12, "{late:?}");
    // a point without the parameter says nothing of it
    let dimensions = Dimension::all(&space);
    let known = points(&space, &dimensions, &[&[0.0, 0.3, 0.0]]);
    let parzen = Parzen::new(&dimensions, &[(&known[0], 1.0)], GOOD);
    let others = parzen.log_densities(&points(&space, &dimensions, &[&[0.9, 0.0, 0.1], &[0.9, 0.0, 0.8]]));
    assert!((others[0] - others[1]).abs() < 1e-12 && others[0] < 0.0, "{others:?}");
}

#[test]
fn neither_order_nor_scale_of_the_history_matters() {
    let space = space(&format!("{MIXED}    - {{name: x, double: {{min: 0, max: 1}}}}\n"), &[]);
    let mut study = Study::default();
    let value = |config: &Config| (number(config.0[4]) * 7.0).floor() + number(config.0[1]);
    study.run(&space, 40, |config| match number(config.0[1]) {
        4.0 => Outcome::Failed,
        _ => Outcome::Value(value(config)),
    });
    let asked = study.ask(&space, 50);
    assert_eq!(asked, study.ask(&space, 50));
    for step in [3, 7, 39] {
        let mut mixed = study.history();
        mixed.rotate_left(step);
        mixed.reverse();
        assert_eq!(ask(&space, 50, &mixed), asked);
    }
    for (factor, shift) in [(1e-12, 0.0), (1e12, 0.0), (1.0, -3.0)] {
        let mut scaled = study.history();
        for trial in &mut scaled {
            if let Outcome::Value(value) = &mut trial.outcome {
                *value = *value * factor + shift;
            }
        }
        assert_eq!(ask(&space, 50, &scaled), asked);
    }
}

#[test]
fn any_history_gives_a_proposal() {
    let wide: Vec<String> = (0..300)
        .map(|i| format!("{{name: x{i}, double: {{min: 0, max: 1}}}}"))
        .collect();
    let huge = "[{name: a, int: {min: 0, max: 9007199254740990}}, {name: b, double: {normal: {mean: 0, stddev: 1}}}]";
    for space in [
        space(&format!("[{}]", wide.join(", ")), &[]),
        space(MIXED, &["parameters.i < 3 || parameters.o > 2"]),
        space(huge, &[]),
    ] {
        let outcomes: [fn(usize) -> Outcome; 6] = [
            |_| Outcome::Failed,
            |_| Outcome::Value(0.0),
            |_| Outcome::Value(f64::NEG_INFINITY),
            |i| Outcome::Value(if i % 2 == 0 { f64::INFINITY } else { f64::MAX }),
            |i| {
                if i == 20 {
                    Outcome::Value(f64::MIN_POSITIVE)
                } else {
                    Outcome::Failed
                }
            },
            |i| Outcome::Value(if i % 3 == 0 { -0.0 } else { 0.0 }),
        ];
        for outcome in outcomes {
            let mut study = Study::default();
            for i in 0..30 {
                // the same again and again, with other values; ends of the range; an earlier study without the parameters
                let place = [0.0, 0.5, 1.0][i % 3];
                let mut config = space.decode(&vec![place; space.dimensions()]);
                if i % 5 == 0 {
                    config.0[0] = Slot::Inactive;
                }
                study.add(config, outcome(i));
            }
            study.run(&space, 3, |_| Outcome::Pending);
        }
    }
}

#[test]
fn finite_spaces_are_used_up() {
    for (yaml, count) in [
        ("[{name: c, constant: 1}]", 1),
        (
            "[{name: a, categorical: {values: [x, y, z]}}, {name: b, int: {min: 1, max: 9}}]",
            27,
        ),
    ] {
        let space = space(yaml, &[]);
        let mut study = Study::default();
        study.run(&space, count, |config| Outcome::Value(config.0.len() as f64));
        assert_eq!(study.ask(&space, 1000), None);
    }
}

#[test]
fn the_best_of_few_values_is_found() {
    let space = space(MIXED, &[]);
    let mut study = Study::default();
    study.run(&space, 100, |config| {
        let [c, o, i, s] = [0, 1, 2, 3].map(|at| number(config.0[at]));
        Outcome::Value(f64::from(c != 3.0) + (o - 1.0).abs() + (i.ln() - 1.9).abs() + (s - 0.75).abs())
    });
    let best = study.0.iter().map(|(_, outcome, _)| match outcome {
        Outcome::Value(value) => *value,
        _ => f64::INFINITY,
    });
    assert!(best.fold(f64::INFINITY, f64::min) < 0.2);
}

#[test]
fn of_many_bad_points_some_stand_for_all() {
    let space = space("[{name: x, double: {min: 0, max: 1}}]", &[]);
    let dimensions = Dimension::all(&space);
    let configs: Vec<Config> = (0..1_000).map(|i| space.decode(&[f64::from(i) / 1_000.0])).collect();
    let origin = Origin::default();
    let history: Vec<Observation<'_>> = (1..)
        .zip(&configs)
        .map(|(number, config)| Observation {
            number,
            config,
            origin: &origin,
            outcome: match number {
                0..900 => Outcome::Value(f64::from(number)),
                900..990 => Outcome::Failed,
                _ => Outcome::Pending,
            },
        })
        .collect();
    let known = Known::new(&space, &dimensions, &history);
    let weight = |points: &[(&Point, f64)]| points.iter().map(|(_, weight)| weight).sum::<f64>();
    let (good, all) = known.split(10_000);
    let (same, some) = known.split(100);
    assert_eq!((good.len(), all.len()), (25, 975));
    // what is under way is all there: each keeps the next proposal away
    assert_eq!((same.len(), some.len()), (25, 111));
    assert!((weight(&all) - 975.0).abs() < 1e-9 && (weight(&some) - 975.0).abs() < 1e-9);
    let (well, failed) = known.failures(50);
    assert_eq!((well.len(), failed.len()), (50, 50));
    assert!((weight(&well) - 899.0).abs() < 1e-9 && (weight(&failed) - 90.0).abs() < 1e-9);
}
