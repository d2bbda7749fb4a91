//! The controller through whole studies while things go wrong that a real cluster cannot be brought to show.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::lab::*;
use crate::{
    cluster::{Cluster, Echo},
    controller::Controller,
    faults::{Fault, Storm, Trouble},
    world::{NAMESPACE, World},
};

const KINDS: [&str; 5] = [
    "hyperparameterstudies",
    "hyperparametertrials",
    "workflows",
    "workflowtemplates",
    "secrets",
];

#[test]
fn an_undisturbed_study_ends_well() {
    let ended = Scene::Smooth.undisturbed();
    assert_eq!(ended.table.lines().count(), TRIALS + 1, "{}", ended.table);
    assert_eq!(ended.workflows.len(), TRIALS);
    let counts = json!({"total": TRIALS, "running": 0, "succeeded": TRIALS, "failed": 0, "stopped": 0});
    assert_eq!(ended.counts, counts);
    let number = ended.best["number"].as_u64().unwrap();
    let kept: Vec<_> = ended.files.iter().filter(|f| f.ends_with("metrics.json")).collect();
    assert_eq!(kept, [&format!("runs/s/{number}/metrics.json")]);

    let ended = Scene::Rough.undisturbed();
    let counts = json!({"total": TRIALS, "running": 0, "succeeded": TRIALS - 2, "failed": 2, "stopped": 0});
    assert_eq!(ended.counts, counts, "{}", ended.table);
    let again: Vec<_> = ended.workflows.iter().filter(|w| w.ends_with("-2")).collect();
    assert_eq!(again, ["s-2-2", "s-4-2", "s-7-2", "s-8-2"]);
}

#[test]
fn what_is_done_and_what_fails_is_counted() {
    let text = Scene::Smooth.simulate(0, async |world| {
        let refusal = |kind, code| Fault::next(1, &["patch"], kind, Trouble::Refuse(code));
        world.cluster.faults().push(refusal("hyperparameterstudies", 503));
        world.cluster.faults().push(refusal("hyperparametertrials", 500));
        let controller = Controller::start(&world);
        world.cluster.create(NAMESPACE, Scene::Smooth.study()).unwrap();
        ended(&world).await.unwrap();
        let text = controller.telemetry.encode().unwrap();
        controller.kill();
        text
    });
    let value = |line: &str| {
        let found = text
            .lines()
            .find_map(|l| l.strip_prefix(&format!("hyperstudy_{line} ")));
        found
            .unwrap_or_else(|| panic!("{line} is not in\n{text}"))
            .parse::<u64>()
            .unwrap()
    };
    for kind in ["study", "trial", "results"] {
        assert!(value(&format!("reconcile_duration_seconds_count{{kind=\"{kind}\"}}")) > 0);
    }
    // The write of a study's status belongs to its pass.
    for kind in ["study", "trial"] {
        let line = format!("reconcile_errors_total{{kind=\"{kind}\",reason=\"Unavailable\"}}");
        assert_eq!(value(&line), 1, "{line}");
    }
    for operation in ["claim_folder", "read_results"] {
        let line = format!("storage_operations_total{{operation=\"{operation}\",outcome=\"Done\"}}");
        assert_eq!(value(&line), 1, "{line}");
    }
}

/// Verbs of the API, one by one and together.
const VERBS: [&[&str]; 5] = [&["get"], &["list"], &["watch"], &["create"], &["patch"]];

#[test]
fn refusals_of_every_sort() {
    let mut cases: Vec<(String, Mischief)> = Vec::new();
    for code in [403, 404, 409, 410, 422, 429, 500, 503] {
        for verbs in VERBS {
            // Only what lists and watches can be too old.
            if code == 410 && !matches!(verbs, ["list" | "watch"]) {
                continue;
            }
            let mischief = move |world: &World| {
                for kind in KINDS {
                    // A Workflow that is refused as invalid is invalid.
                    if (code, verbs, kind) != (422, &["create"], "workflows") {
                        for skip in [0, 5] {
                            world
                                .cluster
                                .faults()
                                .push(Fault::next(2, verbs, kind, Trouble::Refuse(code)).after(skip));
                        }
                    }
                }
            };
            cases.push((format!("{code} for {verbs:?}"), Box::new(mischief)));
        }
    }
    Scene::Smooth.compare(cases);
}

#[test]
fn answers_that_get_lost() {
    let mut cases: Vec<(String, Mischief)> = Vec::new();
    for trouble in [
        Trouble::Silence { done: true },
        Trouble::Silence { done: false },
        Trouble::Reset { done: true },
        Trouble::Reset { done: false },
        Trouble::Garble,
        Trouble::Later(5),
        Trouble::Slow(Duration::from_secs(15)),
    ] {
        for kinds in [&KINDS[..2], &KINDS[2..]] {
            let named = format!("{trouble:?} for {kinds:?}");
            let trouble = trouble.clone();
            let mischief = move |world: &World| {
                for kind in kinds {
                    for skip in [0, 7] {
                        let verbs = &["get", "list", "create", "patch"];
                        world
                            .cluster
                            .faults()
                            .push(Fault::next(2, verbs, kind, trouble.clone()).after(skip));
                    }
                }
            };
            cases.push((named, Box::new(mischief)));
        }
    }
    Scene::Smooth.compare(cases);
}

/// Its creation took effect, and what is asked again is refused: the Workflow is there, so the trial runs.
#[test]
fn a_workflow_that_was_created_is_not_refused() {
    let mischief = |world: &World| {
        let lag = Duration::from_secs(20);
        world.cluster.set_lag("workflows", lag..2 * lag);
        for trouble in [Trouble::Reset { done: true }, Trouble::Refuse(422)] {
            let fault = Fault::next(1, &["create"], "workflows", trouble).named("s-3-1");
            world.cluster.faults().push(fault);
        }
    };
    Scene::Smooth.compare(vec![("created, then refused".to_owned(), Box::new(mischief))]);
}

#[test]
fn watches_that_break_lag_and_repeat_themselves() {
    let mut cases: Vec<(String, Mischief)> = Vec::new();
    for (after, clean) in [(0, true), (1, false), (5, false)] {
        let mischief = move |world: &World| {
            for kind in &KINDS[..3] {
                world
                    .cluster
                    .faults()
                    .push(Fault::next(20, &["watch"], kind, Trouble::Cut { after, clean }));
            }
        };
        cases.push((format!("watches end after {after}, clean {clean}"), Box::new(mischief)));
    }
    for kind in &KINDS[..3] {
        for lag in [1, 10, 60] {
            let mischief = move |world: &World| {
                world.cluster.set_lag(kind, Duration::ZERO..Duration::from_secs(lag));
            };
            cases.push((format!("{kind}: lags up to {lag} s"), Box::new(mischief)));
        }
    }
    let everything = |world: &World| {
        for (kind, lag) in KINDS.into_iter().zip([3, 20, 7]) {
            world.cluster.set_lag(kind, Duration::ZERO..Duration::from_secs(lag));
        }
        world.cluster.set_echo(Echo {
            twice: 0.3,
            again: 0.3,
            after: Duration::ZERO..Duration::from_secs(30),
        });
    };
    cases.push(("everything lags and repeats itself".to_owned(), Box::new(everything)));
    let compacted = |world: &World| {
        let world = world.clone();
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(3)).await;
                world.cluster.compact();
                world.cluster.cut_watches(false);
            }
        });
    };
    cases.push(("the past is forgotten every 3 s".to_owned(), Box::new(compacted)));
    Scene::Smooth.compare(cases);
}

/// A listing whose connection is dead shows nothing, not even that: a controller that starts does not wait for minutes.
#[test]
fn a_listing_that_says_nothing_is_begun_anew() {
    for kind in &KINDS[..3] {
        let begins = Scene::Smooth.simulate(1, async |world| {
            let silence = Trouble::Silence { done: false };
            world.cluster.faults().push(Fault::next(1, &["list"], kind, silence));
            let controller = Controller::start(&world);
            world.cluster.create(NAMESPACE, Scene::Smooth.study()).unwrap();
            let started = |c: &Cluster| !c.history("workflows").is_empty();
            let begins = timeout(Duration::from_secs(90), world.cluster.until(started)).await;
            controller.kill();
            begins.is_ok()
        });
        assert!(begins, "{kind}");
    }
}

/// Each of the first events of each kind, one at a time, is never sent, and nobody tells: the next full listing makes up for it.
#[test]
fn events_that_get_lost() {
    let mut cases: Vec<(String, Mischief)> = Vec::new();
    for kind in &KINDS[..3] {
        for after in 0..30 {
            let mischief = move |world: &World| {
                let lost = Fault::next(1, &["watch"], kind, Trouble::Lose { after });
                world.cluster.faults().push(lost);
            };
            cases.push((format!("{kind}: event {after} is lost"), Box::new(mischief)));
        }
    }
    Scene::Smooth.compare(cases);
}

#[test]
fn storage_that_fails() {
    let mut cases: Vec<(String, Mischief)> = Vec::new();
    for trouble in [
        Trouble::Refuse(403),
        Trouble::Refuse(500),
        Trouble::Later(1),
        Trouble::Silence { done: true },
        Trouble::Silence { done: false },
        Trouble::Reset { done: true },
        Trouble::Garble,
        Trouble::Cut { after: 0, clean: false },
    ] {
        for times in [1, 12] {
            let named = format!("{trouble:?} {times} times");
            let trouble = trouble.clone();
            let mischief = move |world: &World| {
                for verb in [
                    &["get"] as &'static [&'static str],
                    &["put"],
                    &["list"],
                    &["delete"],
                    &["delete-many"],
                ] {
                    world
                        .buckets
                        .faults()
                        .push(Fault::next(times, verb, "", trouble.clone()).after(1));
                }
            };
            cases.push((named, Box::new(mischief)));
        }
    }
    Scene::Smooth.compare(cases);
}

/// Everything at once, for a while.
pub fn storm(world: &World, rate: f64) {
    let during = Duration::ZERO..Duration::from_secs(300);
    let troubles = vec![
        Trouble::Refuse(409),
        Trouble::Refuse(429),
        Trouble::Refuse(500),
        Trouble::Refuse(503),
        Trouble::Refuse(403),
        Trouble::Later(3),
        Trouble::Silence { done: true },
        Trouble::Silence { done: false },
        Trouble::Reset { done: true },
        Trouble::Reset { done: false },
        Trouble::Garble,
        Trouble::Slow(Duration::from_secs(2)),
    ];
    let storm = Storm {
        during: during.clone(),
        rate,
        verbs: &["get", "list", "create", "patch", "delete"],
        of: "",
        troubles: troubles.clone(),
    };
    world.cluster.faults().storm(storm);
    let cuts = vec![
        Trouble::Cut { after: 0, clean: true },
        Trouble::Cut { after: 2, clean: false },
        Trouble::Refuse(410),
        Trouble::Refuse(500),
        Trouble::Reset { done: false },
    ];
    world.cluster.faults().storm(Storm {
        during: during.clone(),
        rate,
        verbs: &["watch"],
        of: "",
        troubles: cuts,
    });
    world.buckets.faults().storm(Storm {
        during,
        rate,
        verbs: &[],
        of: "",
        troubles,
    });
    for kind in &KINDS[..3] {
        world.cluster.set_lag(kind, Duration::ZERO..Duration::from_secs(5));
    }
    world.cluster.set_echo(Echo {
        twice: 0.1,
        again: 0.1,
        after: Duration::ZERO..Duration::from_secs(10),
    });
}

/// That many seeds, or as many as `HYPERSTUDY_WORLDS` says.
pub fn seeds(from: u64, usual: u64) -> std::ops::Range<u64> {
    let count = std::env::var("HYPERSTUDY_WORLDS").ok().and_then(|n| n.parse().ok());
    from..from + count.unwrap_or(usual)
}

#[test]
fn everything_at_once_from_many_seeds() {
    for scene in [Scene::Smooth, Scene::Rough] {
        let studies = seeds(0, 8).map(|seed| {
            (
                format!("seed {seed}"),
                scene.study_with(seed, |world| storm(world, 0.25)),
            )
        });
        scene.alike(studies);
    }
}

/// The controller killed at random moments, and started again, half of the time while everything goes wrong.
#[test]
fn killed_again_and_again() {
    for scene in [Scene::Smooth, Scene::Rough] {
        scene.alike(seeds(100, 5).map(|seed| {
            let run = async |world: World| {
                if seed % 2 == 0 {
                    storm(&world, 0.15);
                }
                world.cluster.create(NAMESPACE, scene.study()).unwrap();
                for _ in 0..30 {
                    let controller = Controller::start(&world);
                    sleep(world.dice.within(&(Duration::ZERO..Duration::from_secs(6)))).await;
                    controller.kill();
                }
                let controller = Controller::start(&world);
                let ended = ended(&world).await;
                controller.kill();
                ended
            };
            (format!("{scene:?}, seed {seed}"), scene.simulate(seed, run))
        }));
    }
}

/// Two controllers that both believe to be the only one, which the lease is there to prevent, do no harm.
#[test]
fn two_at_once() {
    for scene in [Scene::Smooth, Scene::Rough] {
        scene.alike(seeds(200, 4).map(|seed| {
            let run = async |world: World| {
                if seed % 2 == 0 {
                    storm(&world, 0.15);
                }
                world.cluster.create(NAMESPACE, scene.study()).unwrap();
                let both = [Controller::beside(&world), Controller::beside(&world)];
                let ended = ended(&world).await;
                both.into_iter().for_each(Controller::kill);
                ended
            };
            (format!("{scene:?}, seed {seed}"), scene.simulate(seed, run))
        }));
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    let told = |seed| {
        Scene::Rough.simulate(seed, async |world| {
            storm(&world, 0.2);
            let controller = Controller::start(&world);
            world.cluster.create(NAMESPACE, Scene::Rough.study()).unwrap();
            ended(&world).await.unwrap();
            controller.kill();
            world.told()
        })
    };
    let (first, second) = (told(3), told(3));
    let differs = first.iter().zip(&second).position(|(a, b)| a != b);
    assert_eq!(differs.map(|at| (&first[at], &second[at])), None);
    assert_eq!(first.len(), second.len());
    assert_ne!(first, told(4));
}
