//! The same question has the same answer, whoever is asked, and however often; other seeds have others.

use rand::{RngExt, seq::SliceRandom};

use super::{suite::*, *};

/// Nothing is kept between calls, neither in the sampler nor anywhere else.
#[test]
fn the_same_question_has_the_same_answer() {
    for space in [mixed(), doubles(3)] {
        for spec in specs(&space) {
            for length in [0, 5, 20] {
                let run = with_history(&spec, &space, length, true);
                let answer = run.suggest();
                assert_eq!(answer, run.suggest(), "{spec}");
                // a sampler that was never asked, and one that was asked about other studies in between
                let fresh = Run::new(&spec, &space, 3).sampler;
                assert_eq!(answer, fresh.suggest(&run.context(), &run.history()), "{spec}");
                let other = with_history(&spec, &space, 20, false);
                fresh.suggest(&other.context(), &other.history());
                run.sampler.suggest(&other.context(), &other.history());
                assert_eq!(answer, fresh.suggest(&run.context(), &run.history()), "{spec}");
                assert_eq!(answer, run.suggest(), "{spec}");
                // also in another thread, at another place in memory
                let copy = Run {
                    trials: run.trials.clone(),
                    ..Run::new(&spec, &space, 3)
                };
                let elsewhere = std::thread::scope(|scope| scope.spawn(|| copy.suggest()).join().unwrap());
                assert_eq!(answer, elsewhere, "{spec}");
            }
        }
    }
}

#[test]
fn another_seed_gives_other_configurations() {
    let space = mixed();
    for spec in specs(&space) {
        let proposed = |seed: u64| {
            let mut run = Run::new(&spec, &space, seed);
            run.run(16, |_, config| gave(landscape(&space, config)));
            run.trials
                .into_iter()
                .map(|trial| trial.config)
                .collect::<Vec<Config>>()
        };
        let (one, again, other) = (proposed(1), proposed(1), proposed(2));
        assert_eq!(one, again, "{spec}");
        // nothing is left to chance in those
        let has_no_chance = spec.get("grid").is_some() || spec.get("list").is_some();
        assert_eq!(one == other, has_no_chance, "{spec}");
    }
}

/// The next trial's number alone gives fresh numbers, so that two trials asked for with the same history are not the same.
#[test]
fn another_number_gives_another_proposal() {
    let space = doubles(3);
    for name in ["auto", "random", "tpe", "gaussianProcess", "genetic"] {
        let run = with_history(&json!({ name: {} }), &space, 30, true);
        let next = Context {
            number: run.number() + 1,
            ..run.context()
        };
        assert_ne!(run.suggest(), run.sampler.suggest(&next, &run.history()), "{name}");
    }
}

/// No sampler but localSearch, which looks at what was better than what was before it, asks in what order the history comes.
#[test]
fn the_order_of_the_history_does_not_matter() {
    for space in [mixed(), doubles(3)] {
        for spec in specs(&space) {
            if spec.get("localSearch").is_some() {
                continue;
            }
            let mut run = with_history(&spec, &space, 40, true);
            for trial in run.trials.iter_mut().take(6) {
                trial.number = 0;
            }
            let (context, sampler) = (run.context(), &run.sampler);
            let answer = sampler.suggest(&context, &run.history());
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            for _ in 0..3 {
                let mut mixed = run.history();
                mixed.shuffle(&mut rng);
                assert_eq!(answer, sampler.suggest(&context, &mixed), "{spec}");
            }
        }
    }
}

/// What was read back from JSON is what was written: a study goes on after a restart as if nothing had been.
#[test]
fn a_study_goes_on_as_before_after_it_was_stored() {
    let space = mixed();
    for spec in specs(&space) {
        let mut run = Run::new(&spec, &space, 9);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..14 {
            let value = rng.random();
            run.run(1, |_, _| gave(value));
        }
        let answer = run.suggest();
        for trial in &mut run.trials {
            let text = serde_json::to_string(&space.write(&trial.config)).unwrap();
            trial.config = space.parse(&serde_json::from_str(&text).unwrap()).unwrap();
            let text = serde_json::to_string(&trial.origin).unwrap();
            trial.origin = serde_json::from_str(&text).unwrap();
        }
        assert_eq!(answer, run.suggest(), "{spec}");
    }
}
