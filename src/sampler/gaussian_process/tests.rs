//! The parts of the Gaussian process, each against what it has to be: derivatives against differences, the posterior against what was observed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    fit::evidence,
    kernel::Hyper,
    search::{from_angle, hill, to_angle},
    *,
};
use crate::{
    api::{Origin, Parameter},
    space::Slot,
};

/// A number that is always active, one that depends on the category, a category and an order.
const CONDITIONAL: &str = r#"
- {name: x, double: {min: 0, max: 1}}
- {name: kind, categorical: {values: [a, b, c]}}
- {name: y, double: {min: 0, max: 1}, when: 'parameters.kind == "a"'}
- {name: o, ordinal: {values: [1, 2, 3, 4]}}
"#;

fn space(yaml: &str) -> Space {
    let parameters: Vec<Parameter> = serde_saphyr::from_str(yaml).unwrap();
    Space::compile(&parameters, &[]).unwrap()
}

fn plane() -> Space {
    space("[{name: x, double: {min: 0, max: 1}}, {name: y, double: {min: 0, max: 1}}]")
}

/// Points at random places of a space, as the models see them.
fn random_points(space: &Space, features: &Features, count: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    let mut point = || {
        let unit: Vec<f64> = (0..space.dimensions()).map(|_| rng.random()).collect();
        features.encode(space, &space.decode(&unit))
    };
    (0..count).map(|_| point()).collect()
}

fn points_of(features: &Features, points: &[Vec<f64>]) -> Points {
    Points::new(features, points.iter().map(|point| &point[..]))
}

/// A smooth function of what is active.
fn wavy(point: &[f64]) -> f64 {
    let terms = point.iter().enumerate().filter(|(_, x)| !x.is_nan());
    terms.map(|(d, x)| libm::sin(3.0 * x + d as f64)).sum()
}

/// A kernel with these lengths along every dimension.
fn kernel(dimensions: usize, length: f64, noise: f64) -> Kernel {
    let mut logs = vec![libm::log(length); 2 * dimensions];
    logs.extend([libm::log(1.0), libm::log(0.5), libm::log(noise)]);
    Kernel::new(&Hyper(logs), dimensions)
}

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

#[test]
fn the_evidence_rises_as_its_gradient_says() {
    let space = space(CONDITIONAL);
    let features = Features::new(&space);
    let mut rng = rng(1);
    let points = random_points(&space, &features, 14, &mut rng);
    let values = DVector::from_iterator(14, points.iter().map(|point| wavy(point)));
    let points = points_of(&features, &points);
    for shape in [Shape::Product, Shape::ProductAndSum] {
        let look = evidence(&points, &values, shape);
        let at: Vec<f64> = (0..11).map(|_| rng.random_range(-1.5..0.5)).collect();
        let mut gradient = vec![0.0; at.len()];
        look(&at, &mut gradient);
        for (d, slope) in gradient.iter().enumerate() {
            let h = 1e-5;
            let moved = |by: f64| {
                let mut moved = at.clone();
                moved[d] += by;
                look(&moved, &mut vec![0.0; at.len()])
            };
            let difference = (moved(h) - moved(-h)) / (2.0 * h);
            assert!(
                (difference - slope).abs() < 1e-5 * (1.0 + slope.abs()),
                "{shape:?} {d}: {difference} {slope}"
            );
        }
    }
}

#[test]
fn what_overflows_in_the_evidence_counts_as_very_bad() {
    let features = Features::new(&plane());
    let points = points_of(&features, &[vec![0.1, 0.2], vec![0.7, 0.3]]);
    let values = DVector::from_vec(vec![1.0, -1.0]);
    let look = evidence(&points, &values, Shape::Product);
    for far in [40.0, -40.0, f64::NAN, f64::INFINITY] {
        let mut at = vec![0.0; 7];
        at[1] = far;
        assert!(look(&at, &mut [0.0; 7]).is_nan());
    }
}

/// The derivatives of the mean, the deviation and the whole acquisition, failures and fantasies among it.
#[test]
fn the_acquisition_rises_as_its_slope_says() {
    let space = space(CONDITIONAL);
    let features = Features::new(&space);
    let mut rng = rng(2);
    let points = random_points(&space, &features, 20, &mut rng);
    let values = DVector::from_iterator(16, points[..16].iter().map(|point| wavy(point)));
    let objective = Posterior::new(
        kernel(4, 0.4, 1e-4),
        points_of(&features, &points),
        &values,
        4,
        &mut rng,
    )
    .unwrap();
    let labels = DVector::from_iterator(16, (0..16).map(|i| if i % 3 == 0 { -1.3 } else { 0.7 }));
    let model = Posterior::new(
        kernel(4, 0.6, 1e-2),
        points_of(&features, &points[..16]),
        &labels,
        1,
        &mut rng,
    );
    let feasibility = Feasibility {
        model: model.unwrap(),
        usual: 0.3,
    };
    for feasibility in [None, Some(&feasibility)] {
        let acquisition = Acquisition {
            best: objective.means_at_points().iter().map(DVector::min).collect(),
            objective: &objective,
            feasibility,
        };
        for point in random_points(&space, &features, 12, &mut rng) {
            let mut slope = vec![0.0; 4];
            let value = acquisition.value_with_slope(&point, &mut slope);
            assert!((value - acquisition.value(&point)).abs() < 1e-9);
            for d in [0, 2] {
                let h = 1e-6;
                let moved = |by: f64| {
                    let mut moved = point.clone();
                    moved[d] += by;
                    acquisition.value(&moved)
                };
                let difference = if point[d].is_nan() {
                    0.0
                } else {
                    (moved(h) - moved(-h)) / (2.0 * h)
                };
                assert!(
                    (difference - slope[d]).abs() < 1e-4 * (1.0 + slope[d].abs()),
                    "{d} of {point:?}: {difference} {}",
                    slope[d]
                );
            }
        }
    }
}

#[test]
fn without_noise_the_posterior_goes_through_what_was_observed() {
    let features = Features::new(&plane());
    let mut rng = rng(3);
    let known = random_points(&plane(), &features, 15, &mut rng);
    let values = DVector::from_iterator(15, known.iter().map(|point| wavy(point)));
    let posterior = Posterior::new(
        kernel(2, 0.4, 1e-12),
        points_of(&features, &known),
        &values,
        8,
        &mut rng,
    )
    .unwrap();
    for (point, value) in known.iter().zip(values.iter()) {
        let prediction = posterior.predict(point);
        // nothing is pending, so there is nothing to imagine
        assert_eq!(prediction.means.len(), 1);
        assert!((prediction.means[0] - value).abs() < 1e-4, "{prediction:?} {value}");
        assert!(prediction.deviation < 1e-3, "{prediction:?}");
    }
    for (mean, value) in posterior.means_at_points()[0].iter().zip(values.iter()) {
        assert!((mean - value).abs() < 1e-4);
    }
    // far from everything it knows nothing but the prior
    let far = posterior.predict(&[40.0, 40.0]);
    assert!(
        far.means[0].abs() < 1e-6 && (far.deviation - 1.5f64.sqrt()).abs() < 1e-6,
        "{far:?}"
    );
}

#[test]
fn noise_is_not_followed() {
    let features = Features::new(&plane());
    let same = vec![vec![0.5, 0.5]; 16];
    let values = DVector::from_iterator(16, (0..16).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }));
    let posterior = Posterior::new(
        kernel(2, 0.4, 1.0),
        points_of(&features, &same),
        &values,
        1,
        &mut rng(1),
    )
    .unwrap();
    let prediction = posterior.predict(&[0.5, 0.5]);
    assert!(
        prediction.means[0].abs() < 1e-9 && prediction.deviation < 0.3,
        "{prediction:?}"
    );
}

#[test]
fn what_is_pending_is_imagined_and_lowers_the_deviation_there() {
    let features = Features::new(&plane());
    let mut rng = rng(4);
    let known = random_points(&plane(), &features, 6, &mut rng);
    let values = DVector::from_iterator(6, known.iter().map(|point| wavy(point)));
    let pending = vec![0.93, 0.04];
    let alone = Posterior::new(
        kernel(2, 0.3, 1e-6),
        points_of(&features, &known),
        &values,
        64,
        &mut rng,
    )
    .unwrap();
    let all: Vec<Vec<f64>> = known.iter().cloned().chain([pending.clone()]).collect();
    let aware = Posterior::new(kernel(2, 0.3, 1e-6), points_of(&features, &all), &values, 64, &mut rng).unwrap();
    let (before, after) = (alone.predict(&pending), aware.predict(&pending));
    assert!(after.deviation < 0.01 * before.deviation, "{before:?} {after:?}");
    // the fantasies are drawn from what was believed before
    let count = after.means.len() as f64;
    let mean = after.means.iter().sum::<f64>() / count;
    let deviation = (after.means.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / count).sqrt();
    assert_eq!(count, 64.0);
    assert!(
        (mean - before.means[0]).abs() < 0.5 * before.deviation,
        "{mean} {before:?}"
    );
    assert!(
        (0.7..1.3).contains(&(deviation / before.deviation)),
        "{deviation} {before:?}"
    );
    // and at what is known they all agree
    let there = aware.predict(&known[0]);
    assert!(
        there.means.iter().all(|mean| (mean - values[0]).abs() < 1e-2),
        "{there:?}"
    );
}

#[test]
fn the_fit_tells_noise_from_what_matters_and_what_does_not() {
    let features = Features::new(&plane());
    let mut rng = rng(5);
    let known = random_points(&plane(), &features, 40, &mut rng);
    let points = points_of(&features, &known);
    let along_x = DVector::from_iterator(40, known.iter().map(|point| libm::sin(6.0 * point[0])));
    let (hyper, _) = fit(&points, &along_x, 60, Shape::Product);
    let smooth = Kernel::new(&hyper, 2);
    // one by the squared length: y hardly matters
    assert!(smooth.product[0] > 5.0 * smooth.product[1], "{smooth:?}");
    // each point twice, with values that have nothing to do with each other
    let twice: Vec<Vec<f64>> = known
        .iter()
        .take(20)
        .flat_map(|point| [point.clone(), point.clone()])
        .collect();
    let points = points_of(&features, &twice);
    let noise = DVector::from_iterator(40, (0..40).map(|_| rng.random_range(-1.7..1.7)));
    let (hyper, _) = fit(&points, &noise, 60, Shape::Product);
    let noisy = Kernel::new(&hyper, 2);
    assert!(
        noisy.noise > 100.0 * smooth.noise && noisy.noise > 0.1,
        "{noisy:?} {smooth:?}"
    );
}

fn deviation_and_mean(values: &DVector<f64>) -> (f64, f64) {
    let mean = values.mean();
    (
        (values.add_scalar(-mean).norm_squared() / values.len() as f64).sqrt(),
        mean,
    )
}

#[test]
fn the_model_sees_values_of_any_scale_alike_and_very_bad_ones_cut() {
    let features = Features::new(&plane());
    let known = random_points(&plane(), &features, 20, &mut rng(6));
    let points = points_of(&features, &known);
    let plain: Vec<f64> = (0..20).map(f64::from).collect();
    let seen = response(&plain, &points, Shape::Product);
    let (deviation, mean) = deviation_and_mean(&seen);
    assert!((deviation - 1.0).abs() < 1e-9 && mean.abs() < 1e-9);
    for (factor, shift) in [(1e-12, 0.0), (1e12, 0.0), (1e306, 0.0), (1.0, 1e6), (1e-300, 0.0)] {
        let scaled: Vec<f64> = plain.iter().map(|value| factor * value + shift).collect();
        let other = response(&scaled, &points, Shape::Product);
        assert!((&other - &seen).amax() < 1e-6, "{factor} {shift}");
    }
    // however bad the worst is, the others stay apart
    let mut worse = plain.clone();
    worse[19] = 1e200;
    let mut worst = plain;
    worst[19] = 1e300;
    let (worse, worst) = (
        response(&worse, &points, Shape::Product),
        response(&worst, &points, Shape::Product),
    );
    assert!(worse[1] - worse[0] > 0.0 && worst[1] - worst[0] > 0.0, "{worst}");
    assert!(worst.iter().all(|value| value.is_finite()));
    // none of them differs
    assert_eq!(response(&[3.0; 20], &points, Shape::Product), DVector::zeros(20));
    assert_eq!(response(&[0.0; 20], &points, Shape::Product), DVector::zeros(20));
    assert_eq!(
        response(&[-f64::MAX, f64::MAX], &points.some(&[0, 1]), Shape::Product).len(),
        2
    );
}

#[test]
fn logarithms_are_taken_where_the_objective_is_one_of_orders_of_magnitude() {
    let features = Features::new(&plane());
    let mut known = random_points(&plane(), &features, 40, &mut rng(7));
    // 1e-4 to 1e4, and the same without the exponent
    known.sort_by(|a, b| a[0].total_cmp(&b[0]));
    let steep: Vec<f64> = known.iter().map(|point| libm::exp(18.0 * point[0])).collect();
    let flat: Vec<f64> = known.iter().map(|point| point[0]).collect();
    let points = points_of(&features, &known);
    let lowest_third = |raw: &[f64]| {
        let seen = response(raw, &points, Shape::Product);
        (seen[13] - seen[0]) / (seen[39] - seen[0])
    };
    // as numbers the first third is next to nothing of the whole
    assert!((steep[13] - steep[0]) / (steep[39] - steep[0]) < 0.01);
    assert!(lowest_third(&steep) > 10.0 * (steep[13] - steep[0]) / (steep[39] - steep[0]));
    assert!((lowest_third(&flat) - (flat[13] - flat[0]) / (flat[39] - flat[0])).abs() < 1e-9);
}

#[test]
fn of_many_points_the_best_and_some_of_all_are_seen() {
    assert_eq!(nearer_the_best(4, 10), [0, 1, 2, 3]);
    assert_eq!(nearer_the_best(10, 10).len(), 10);
    let some = nearer_the_best(1_000, 10);
    assert_eq!(some[..5], [0, 1, 2, 3, 4]);
    assert_eq!((some.len(), some[5], some[9]), (10, 5, 999));
    assert!(some.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(evenly(3, 5), [0, 1, 2]);
    assert_eq!(evenly(101, 5), [0, 25, 50, 75, 100]);
    assert_eq!(evenly(7, 1), [0]);
    assert!(evenly(0, 5).is_empty() && nearer_the_best(0, 5).is_empty());
    for (count, most) in [(11, 10), (12, 3), (1_000, 7)] {
        let some = nearer_the_best(count, most);
        assert!(
            some.len() == most && some.windows(2).all(|pair| pair[0] < pair[1]),
            "{some:?}"
        );
    }
}

#[test]
fn what_is_inactive_is_alike_and_somewhat_unlike_what_is_active() {
    let space = space(CONDITIONAL);
    let features = Features::new(&space);
    let encode = |slots: [Slot; 4]| features.encode(&space, &space.configuration(&slots));
    let a = encode([Slot::Double(0.2), Slot::Choice(0), Slot::Double(0.7), Slot::Choice(3)]);
    let b = encode([Slot::Double(0.2), Slot::Choice(1), Slot::Double(0.7), Slot::Choice(0)]);
    let c = encode([Slot::Double(0.9), Slot::Choice(2), Slot::Double(0.7), Slot::Choice(3)]);
    assert!(a[2] == 0.7 && b[2].is_nan() && c[2].is_nan());
    assert_eq!((a[1], b[1], c[1]), (0.0, 1.0, 2.0));
    let points = points_of(&features, &[a.clone(), b.clone(), c]);
    let squares = |d: usize, x: f64| {
        let mut squares = [0.0; 3];
        points.squares(d, x, &mut squares);
        squares
    };
    assert_eq!(squares(2, 0.7), [0.0, features::UNLIKE, features::UNLIKE]);
    assert_eq!(squares(2, f64::NAN), [features::UNLIKE, 0.0, 0.0]);
    // of categories none is nearer than another, not even where some point lacks it
    assert_eq!(squares(1, 0.0), [0.0, 1.0, 1.0]);
    let lacking = points_of(&features, &[a, vec![0.1, f64::NAN, f64::NAN, 0.5]]);
    let mut some = [0.0; 2];
    lacking.squares(1, 2.0, &mut some);
    assert_eq!(some, [1.0, features::UNLIKE]);
    // what lacks a coordinate has no slope along it
    let kernel = kernel(4, 0.5, 1e-3);
    let mut room = points::Room::default();
    points.gradients(&kernel, &b, &mut room);
    assert!(room.slopes.iter().all(|slope| slope.is_finite()));
    assert!(room.slopes[2 * 3..3 * 3].iter().all(|slope| *slope == 0.0));
    assert!(
        room.slopes[3..2 * 3].iter().all(|slope| *slope == 0.0),
        "a category has none"
    );
}

#[test]
fn coordinates_as_angles_stay_within_their_range() {
    for range in [(0.0, 1.0), (0.2, 0.3), (0.5, 0.5)] {
        for part in [0.0, 0.1, 0.5, 0.99, 1.0] {
            let x = range.0 + part * (range.1 - range.0);
            let back = from_angle(to_angle(x, range), range);
            // the ends are left a little, where the slope would be nothing
            assert!((back - x).abs() < 3e-4, "{x} {back}");
            assert!(to_angle(x, range).sin() > 0.02);
        }
        for angle in [-7.0, 0.4, 3.2, 100.0] {
            assert!((range.0..=range.1).contains(&from_angle(angle, range)));
        }
    }
}

#[test]
fn the_hill_rises_as_its_slope_says() {
    let features = Features::new(&plane());
    let mut rng = rng(8);
    let known = random_points(&plane(), &features, 10, &mut rng);
    let values = DVector::from_iterator(10, known.iter().map(|point| wavy(point)));
    let objective = Posterior::new(kernel(2, 0.4, 1e-4), points_of(&features, &known), &values, 1, &mut rng).unwrap();
    let acquisition = Acquisition {
        best: vec![values.min()],
        objective: &objective,
        feasibility: None,
    };
    let look = hill(&acquisition, &[0.3, 0.8], vec![(0, (0.1, 0.6)), (1, (0.0, 1.0))]);
    for at in [[0.4, 1.0], [2.0, 2.9], [-1.0, 4.0]] {
        let mut slope = vec![0.0; 2];
        look(&at, &mut slope);
        for d in 0..2 {
            let moved = |by: f64| {
                let mut moved = at;
                moved[d] += by;
                look(&moved, &mut [0.0; 2])
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!(
                (difference - slope[d]).abs() < 1e-4 * (1.0 + slope[d].abs()),
                "{difference} {slope:?}"
            );
        }
    }
}

fn process(space: &Space) -> GaussianProcess {
    let name = Name {
        sampler: "gaussianProcess",
        stage: None,
    };
    GaussianProcess {
        name,
        startup: 1,
        begin: Sobol::new(name, space).unwrap(),
        features: Features::new(space),
    }
}

/// Trials with values where x is below one half, others fail.
#[test]
fn where_trials_fail_is_known_from_those_that_did() {
    let space = plane();
    let process = process(&space);
    let mut rng = rng(9);
    let configs: Vec<Config> = (0..40).map(|_| space.decode(&[rng.random(), rng.random()])).collect();
    let origin = Origin::default();
    let history: Vec<Observation<'_>> = (1..)
        .zip(&configs)
        .map(|(number, config)| {
            let outcome = match config.0[0] {
                Slot::Double(x) if x < 0.5 => Outcome::Value(x),
                _ if number % 2 == 0 => Outcome::Value(f64::INFINITY),
                _ => Outcome::Failed,
            };
            Observation {
                number,
                config,
                origin: &origin,
                outcome,
            }
        })
        .collect();
    let seen = process.seen(&space, &history);
    let feasibility = process.feasibility(&seen.known, &seen.failed).unwrap();
    let surely = |x: f64, y: f64| {
        let prediction = feasibility.model.predict(&[x, y]);
        (prediction.means[0] + feasibility.usual) / prediction.deviation
    };
    for y in [0.1, 0.5, 0.9] {
        assert!(
            surely(0.2, y) > 1.0 && surely(0.8, y) < -1.0,
            "{y}: {} {}",
            surely(0.2, y),
            surely(0.8, y)
        );
    }
    assert!(process.feasibility(&seen.known, &[]).is_none());
}

/// Earlier studies' results are no successes and failures of this one's search.
#[test]
fn only_own_trials_have_an_order() {
    let config = plane().decode(&[0.5, 0.5]);
    let known = [(0, 1.0), (3, 2.0), (0, 3.0), (1, 4.0), (2, 5.0)].map(|(number, value)| Known {
        point: vec![0.5, 0.5],
        value,
        config: &config,
        number,
    });
    assert_eq!(in_order(&known), [4.0, 5.0, 2.0]);
}

#[test]
fn the_history_is_seen_in_an_order_of_its_own() {
    let space = space(CONDITIONAL);
    let process = process(&space);
    let mut rng = rng(10);
    let configs: Vec<Config> = (0..60)
        .map(|_| space.decode(&[rng.random(), rng.random(), rng.random(), rng.random()]))
        .collect();
    let origin = Origin::default();
    let mut history: Vec<Observation<'_>> = (1..)
        .zip(&configs)
        .map(|(number, config)| Observation {
            number,
            config,
            origin: &origin,
            outcome: match number % 4 {
                0 => Outcome::Pending,
                1 => Outcome::Failed,
                // few that differ
                _ => Outcome::Value(f64::from(number % 3)),
            },
        })
        .collect();
    // a bit pattern for each coordinate, as NaN is not equal to itself
    let bits = |points: &[Vec<f64>]| -> Vec<u64> { points.iter().flatten().map(|x| x.to_bits()).collect() };
    let seen = |history: &[Observation<'_>]| {
        let seen = process.seen(&space, history);
        let known: Vec<Vec<f64>> = seen.known.iter().map(|known| known.point.clone()).collect();
        (bits(&known), bits(&seen.failed), bits(&seen.pending))
    };
    let first = seen(&history);
    for turn in [7, 19, 31] {
        history.rotate_left(turn);
        history.reverse();
        assert_eq!(first, seen(&history));
    }
}
