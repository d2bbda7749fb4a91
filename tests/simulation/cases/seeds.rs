//! Worlds from seeds.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use crate::{
    plot::{Outcome, Plot, play},
    watchdog::note_panics,
};

/// What many worlds came to.
#[derive(Debug, Default)]
pub struct Tally {
    worlds: u64,
    programs: u64,
    calls: u64,
    trials: u64,
    compared: u64,
    faults: BTreeMap<&'static str, u64>,
    failures: Vec<(u64, Vec<String>)>,
}

impl Tally {
    /// What went wrong, by seed.
    pub fn failures(&self) -> &[(u64, Vec<String>)] {
        &self.failures
    }

    fn add(&mut self, seed: u64, outcome: Outcome) {
        self.worlds += 1;
        self.programs += u64::from(outcome.programs);
        self.calls += u64::from(outcome.calls);
        self.trials += outcome.trials as u64;
        for (word, count) in outcome.faults {
            *self.faults.entry(word).or_default() += count;
        }
        if !outcome.wrong.is_empty() {
            self.failures.push((seed, outcome.wrong));
        }
    }
}

/// The world of a seed; compared with an undisturbed one where that can be.
fn one(seed: u64) -> (Outcome, bool) {
    let plot = Plot::draw(seed);
    let mut outcome = play(&plot, false);
    let compared = plot.is_comparable() && outcome.wrong.is_empty();
    if compared {
        let undisturbed = play(&plot.undisturbed(), false);
        for (name, results) in &undisturbed.results {
            if outcome.results.get(name) != Some(results) {
                let found = &outcome.results[name];
                outcome.wrong.push(format!(
                    "6 Results: study {name} ended with {found}, undisturbed with {results}"
                ));
            }
        }
    }
    (outcome, compared)
}

/// Does something in a thread of its own; `Err` where it panicked.
fn in_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> std::thread::Result<T> {
    std::thread::scope(|scope| scope.spawn(work).join())
}

/// Plays the worlds of these seeds, on all processors, each in a thread of its own, so that nothing is left of the one before.
pub fn many(seeds: std::ops::Range<u64>, progress: bool, one: impl Fn(u64) -> (Outcome, bool) + Sync) -> Tally {
    note_panics();
    let (next, tally) = (AtomicU64::new(seeds.start), Mutex::new(Tally::default()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let played = in_a_thread(|| one(seed));
                    let mut tally = tally.lock().unwrap();
                    match played {
                        Ok((outcome, compared)) => {
                            tally.compared += u64::from(compared);
                            if !outcome.wrong.is_empty() {
                                eprintln!("seed {seed}:\n  {}", outcome.wrong.join("\n  "));
                            }
                            tally.add(seed, outcome);
                        }
                        Err(_) => tally
                            .failures
                            .push((seed, vec!["7 Sound: the world itself panicked".to_owned()])),
                    }
                    if progress && tally.worlds % 1000 == 0 {
                        let rate = tally.worlds as f64 / began.elapsed().as_secs_f64();
                        eprintln!(
                            "{} worlds, {rate:.0} a second, {} failures",
                            tally.worlds,
                            tally.failures.len()
                        );
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    eprintln!(
        "{} worlds in {seconds:.1} s ({:.1} a second), {} of them compared with an undisturbed one; {} controllers, {} calls, {} trials",
        tally.worlds,
        tally.worlds as f64 / seconds,
        tally.compared,
        tally.programs,
        tally.calls,
        tally.trials
    );
    for (word, count) in &tally.faults {
        eprintln!("{count:>9}  {word}");
    }
    tally
}

pub fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn worlds_from_seeds() {
    let tally = many(0..variable("HYPERSTUDY_WORLDS").unwrap_or(2000), false, one);
    assert_eq!(tally.failures, [], "make simulate SEED=<seed> shows one");
}

/// `make simulate SEEDS=N`, and `make simulate SEED=n` for one with its trace, `make simulate CALL=n FAULT=...` for a study with a single fault.
#[test]
#[ignore = "make simulate"]
fn simulate() {
    if let Some(call) = variable("HYPERSTUDY_CALL") {
        let fault = std::env::var("HYPERSTUDY_FAULT").unwrap_or_default();
        return super::singles::show(u32::try_from(call).unwrap(), &fault);
    }
    if let Some(seed) = variable("HYPERSTUDY_SEED") {
        note_panics();
        let plot = Plot::draw(seed);
        eprintln!("{plot:#?}");
        let outcome = play(&plot, true);
        eprintln!("{}", outcome.trace.join("\n"));
        eprintln!("{:#}", serde_json::to_value(&outcome.results).unwrap());
        assert_eq!(one(seed).0.wrong, [""; 0], "seed {seed}");
        return;
    }
    let from = variable("HYPERSTUDY_FROM").unwrap_or_else(|| {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        now.as_secs() << 24
    });
    let count = variable("HYPERSTUDY_SEEDS").unwrap_or(10_000);
    eprintln!("seeds from {from}");
    let tally = many(from..from + count, true, one);
    assert_eq!(tally.failures, [], "make simulate SEED=<seed> shows one");
}

/// Whatever thread plays it, and whatever was played before: else a failure could not be looked at.
#[test]
fn a_seed_is_one_sequence_of_calls() {
    let tally = many(0..variable("HYPERSTUDY_WORLDS").unwrap_or(100), false, |seed| {
        let plot = Plot::draw(seed);
        let (mut first, second) = (play(&plot, true), in_a_thread(|| play(&plot, true)).unwrap());
        let differs = first.trace.iter().zip(&second.trace).position(|(a, b)| a != b);
        first.wrong.clear();
        if let Some(at) = differs {
            let around = |trace: &[String]| trace[at.saturating_sub(4)..=at].join("\n    ");
            first.wrong.push(format!(
                "\n    {}\n  and\n    {}",
                around(&first.trace),
                around(&second.trace)
            ));
        }
        (first, true)
    });
    assert_eq!(tally.failures(), []);
}
