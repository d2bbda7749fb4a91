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
    let calls: Vec<&String> = undisturbed
        .trace
        .iter()
        .filter(|line| !line.contains("   = "))
        .collect();
    let calls: Vec<&String> = calls.into_iter().filter(|line| !line.contains("s world ")).collect();
    assert_eq!(calls.len(), usize::try_from(undisturbed.calls).unwrap());
    let troubles = troubles();
    // A sample of them: one fault for each call, another one for the next.
    let every = variable("HYPERSTUDY_EVERY").map_or(1, |n| u32::try_from(n).unwrap_or(1));
    // Of a watch, each of its first events is lost once.
    let events = (0..undisturbed.calls)
        .filter(|call| calls[*call as usize].contains(" Watch "))
        .flat_map(|call| (1..=EVENTS).map(move |after| (call, Trouble::Lose { after })));
    let worlds: Vec<(u32, Trouble)> = (0..undisturbed.calls)
        .flat_map(|call| troubles.iter().map(move |t| (call, t.clone())))
        .chain(events)
        .enumerate()
        .filter(|(place, _)| (*place as u32 + *place as u32 / 90).is_multiple_of(every))
        .map(|(_, world)| world)
        .collect();
    let tally: Tally = many(0..worlds.len() as u64, false, |place| {
        let (call, trouble) = &worlds[usize::try_from(place).unwrap_or_default()];
        let line = calls[*call as usize];
        let outcome = play(&with(*call, trouble), false);
        let mut outcome = compared(outcome, &undisturbed.results);
        if !outcome.wrong.is_empty() {
            outcome.wrong.insert(0, format!("{trouble:?} at call {call}: {line}"));
        }
        (outcome, true)
    });
    assert_eq!(
        tally.failures(),
        [],
        "of {} calls and {} faults",
        undisturbed.calls,
        troubles.len()
    );
}
