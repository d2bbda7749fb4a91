//! A study of six trials: every fault at every call, one at a time, each ending as if nothing had happened.

use serde_json::{Value, json};

use super::seeds::{Tally, many, variable};
use crate::{
    controller::Leasing,
    faults::Trouble,
    plot::{Outcome, Plot, play, troubles},
};

/// How many events of a watch are lost, one at a time: more than there are.
const EVENTS: usize = 40;

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
    plot.calm = std::time::Duration::from_secs(30);
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

/// Every fault at every call, and every event of every watch lost: `calls` are the calls of the undisturbed run, as its trace has them.
fn singles(calls: &[String]) -> Vec<(u32, Trouble)> {
    let numbered = || (0..).zip(calls);
    let events = numbered()
        .filter(|(_, line)| line.contains(" Watch "))
        .flat_map(|(call, _)| (1..=EVENTS).map(move |after| (call, Trouble::Lose { after })));
    let troubles = numbered().flat_map(|(call, _)| troubles().into_iter().map(move |t| (call, t)));
    troubles.chain(events).collect()
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
    let singles = singles(&calls);
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
    assert_eq!(
        tally.failures(),
        [],
        "of {} calls and {} faults",
        undisturbed.calls,
        troubles().len()
    );
}
