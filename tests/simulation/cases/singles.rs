//! A study of six trials: every fault at every call, one at a time, each ending as if nothing had happened.

use std::time::Duration;

use serde_json::{Value, json};

use super::seeds::{Tally, many, variable};
use crate::{
    controller::Leasing,
    faults::Trouble,
    plot::{Outcome, Plot, play, troubles},
};

/// Until when calls go wrong: the study is over long before, and a lease has been renewed.
const CALM: Duration = Duration::from_secs(90);

/// How many calls the undisturbed run may make for each trial, all in all.
const CALLS_A_TRIAL: u32 = 20;
/// How many times as many a single fault may cost, with what a new controller asks at its start.
const TIMES: u32 = 2;

/// The study: six trials, two at a time, of which the best stays.
fn plot() -> Plot {
    let mut plot = Plot::draw(6);
    let mut study = super::study("s");
    study["spec"]["budget"] = json!({"trials": 6});
    study["spec"]["parallelism"] = 2.into();
    study["spec"]["retries"] = json!({"limit": 1});
    study["spec"]["storage"] = plot.studies[0]["spec"]["storage"].clone();
    study["spec"]["storage"]["strategy"] = "Best".into();
    plot.studies = vec![study];
    plot.roughness = 0.0;
    plot.calm = CALM;
    Plot {
        leasing: Leasing::Seldom,
        ..plot.undisturbed()
    }
}

/// One world: `trouble` at the call of that number.
fn with(call: u32, trouble: &Trouble) -> Plot {
    Plot {
        calls: vec![(call, trouble.clone())],
        ..plot()
    }
}

/// Every fault at every call that it can concern: `calls` are the calls of the undisturbed run, as its trace has them. Lost events are apart.
fn singles(calls: &[String]) -> Vec<(u32, Trouble)> {
    let struck = (0..).zip(calls).filter(|(_, line)| moment(line) < CALM);
    let concerned = |(call, line): (u32, &String)| {
        let line = line.clone();
        let concerns = move |trouble: &Trouble| concerns(trouble, &line);
        troubles()
            .into_iter()
            .filter(concerns)
            .map(move |trouble| (call, trouble))
    };
    struck.flat_map(concerned).collect()
}

/// When a call was made.
fn moment(line: &str) -> Duration {
    let seconds = line.split('s').next().and_then(|s| s.trim().parse().ok());
    Duration::from_secs_f64(seconds.expect("a line of a trace begins with its moment"))
}

/// Whether a fault does anything to a call, and nothing that another one does to it as well.
fn concerns(trouble: &Trouble, line: &str) -> bool {
    let is_one = |words: &[&str]| words.iter().any(|word| line.contains(word));
    let is_of_s3 = line.contains(" s3 ");
    match trouble {
        Trouble::Lose { .. } => false,
        Trouble::Cut { .. } => line.contains(" Watch "),
        Trouble::Stale(_) => is_one(&[" Get ", " List "]) || line.contains(" s3 get ") && line.contains("metrics.json"),
        // To S3, one is as the other: all of them are errors of the server, or that it is busy.
        Trouble::Refuse(404 | 410 | 422) | Trouble::Later(_) => !is_of_s3,
        // What only reads has no effect that could take place.
        Trouble::Silence { done: true } | Trouble::Reset { done: true } | Trouble::Kill { done: true } => {
            !is_one(&[" Get ", " List ", " Watch ", " s3 get ", " s3 list "])
        }
        _ => true,
    }
}

/// The calls of a run, as its trace has them.
fn calls(outcome: &Outcome) -> Vec<String> {
    let calls = outcome.trace.iter().filter(|line| !line.contains("   = "));
    let calls: Vec<String> = calls.filter(|line| !line.contains("s world ")).cloned().collect();
    assert_eq!(calls.len(), usize::try_from(outcome.calls).unwrap());
    calls
}

/// Whether the study may end otherwise for it: a Workflow that is invalid fails its trial, metrics that are invalid are left out.
fn alters(trouble: &Trouble, line: &str) -> bool {
    let writes = line.contains(" Create workflows") || line.contains("/status");
    *trouble == Trouble::Refuse(422) && writes
}

/// `make simulate CALL=n FAULT=...`: one of those worlds, with its trace. The fault as a failure names it.
pub fn show(call: u32, fault: &str) {
    let undisturbed = play(&plot(), true);
    let calls = calls(&undisturbed);
    let named = |(at, trouble): &&(u32, Trouble)| *at == call && format!("{trouble:?}") == fault;
    let lost = (0..).zip(&calls).filter(|(_, line)| line.contains(" Watch "));
    let lost = lost.flat_map(|(call, _)| (0..1000).map(move |after| (call, Trouble::Lose { after })));
    let singles: Vec<(u32, Trouble)> = singles(&calls).into_iter().chain(lost).collect();
    let Some((_, trouble)) = singles.iter().find(named) else {
        let known: Vec<String> = troubles().iter().map(|t| format!("{t:?}")).collect();
        panic!("there are calls 0 to {}, and the faults {known:#?}", calls.len() - 1);
    };
    eprintln!("{trouble:?} at call {call}: {}", calls[call as usize]);
    let outcome = play(&with(call, trouble), true);
    eprintln!("{}", outcome.trace.join("\n"));
    eprintln!("{:#}", serde_json::to_value(&outcome.results).unwrap());
    let outcome = judged(outcome, trouble, &calls[call as usize], &undisturbed);
    assert_eq!(outcome.wrong, [""; 0]);
}

fn judged(mut outcome: Outcome, trouble: &Trouble, line: &str, good: &Outcome) -> Outcome {
    if outcome.faults.get(trouble.word()) != Some(&1) {
        outcome.wrong.push(format!("it did not happen: {:?}", outcome.faults));
    }
    if outcome.calls > TIMES * good.calls {
        outcome
            .wrong
            .push(format!("7 Sound: {} calls, undisturbed {}", outcome.calls, good.calls));
    }
    match alters(trouble, line) {
        true => outcome,
        false => compared(outcome, &good.results),
    }
}

fn compared(mut outcome: Outcome, good: &std::collections::BTreeMap<String, Value>) -> Outcome {
    if outcome.wrong.is_empty() && outcome.results != *good {
        outcome.wrong.push(format!(
            "6 Results: it ended with {:?}, undisturbed with {good:?}",
            outcome.results
        ));
    }
    outcome
}

#[test]
fn every_fault_at_every_call() {
    let undisturbed = play(&plot(), true);
    assert_eq!(undisturbed.wrong, [""; 0]);
    let table = undisturbed.results["s"]["table"].as_str().unwrap_or_default();
    assert_eq!(table.lines().count(), 7, "{table}");
    let calls = calls(&undisturbed);
    assert!(undisturbed.calls <= 6 * CALLS_A_TRIAL, "{} calls", undisturbed.calls);
    // A sample of them: one fault for each call, another one for the next.
    let every = variable("HYPERSTUDY_EVERY").map_or(1, |n| u32::try_from(n).unwrap_or(1));
    let worlds: Vec<(u32, Trouble)> = singles(&calls)
        .into_iter()
        .enumerate()
        .filter(|(place, _)| (*place as u32 + *place as u32 / 90).is_multiple_of(every))
        .map(|(_, world)| world)
        .collect();
    let tally: Tally = many(0..worlds.len() as u64, false, |place| {
        let (call, trouble) = &worlds[usize::try_from(place).unwrap_or_default()];
        let line = &calls[*call as usize];
        let outcome = play(&with(*call, trouble), false);
        let mut outcome = judged(outcome, trouble, line, &undisturbed);
        if !outcome.wrong.is_empty() {
            let shown = format!("make simulate CALL={call} FAULT='{trouble:?}' shows this one: {line}");
            outcome.wrong.insert(0, shown);
        }
        (outcome, true)
    });
    eprintln!("{} single faults at {} calls", worlds.len(), undisturbed.calls);
    assert_eq!(tally.failures(), []);
}

#[test]
fn every_event_lost_once() {
    let undisturbed = play(&plot(), true);
    let calls = calls(&undisturbed);
    let mut lost = 0;
    for (call, line) in (0..).zip(&calls).filter(|(_, line)| line.contains(" Watch ")) {
        for after in 0.. {
            let trouble = Trouble::Lose { after };
            let outcome = play(&with(call, &trouble), false);
            if !outcome.faults.contains_key(trouble.word()) {
                break;
            }
            lost += 1;
            let outcome = judged(outcome, &trouble, line, &undisturbed);
            let shown = format!("make simulate CALL={call} FAULT='{trouble:?}' shows this one: {line}");
            assert_eq!(outcome.wrong, [""; 0], "{shown}");
        }
    }
    eprintln!("{lost} lost events");
    assert!(lost > 50, "{lost} events");
}
