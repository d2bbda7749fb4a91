//! What the tests of single samplers share: trials that one of them proposes, one after another, and what comes out of them.

use serde_json::{Value, json};

use super::*;

/// A trial's number, configuration, origin and outcome.
pub(in crate::sampler) type Trial = (u32, Config, Origin, Outcome);

/// The space of these parameters.
pub(in crate::sampler) fn space(parameters: Value) -> Space {
    let parameters: Vec<Parameter> = serde_json::from_value(parameters).unwrap();
    Space::compile(&parameters, &[]).unwrap()
}

/// A space of so many doubles between two bounds.
pub(in crate::sampler) fn doubles(count: usize, min: f64, max: f64) -> Space {
    let double = |i| json!({"name": format!("x{i}"), "double": {"min": min, "max": max}});
    space((0..count).map(double).collect())
}

/// The sampler that these settings make.
pub(in crate::sampler) fn build(sampler: &'static str, settings: &dyn Settings, space: &Space) -> Box<dyn Sampler> {
    settings.build(Name { sampler, stage: None }, space).unwrap()
}

pub(in crate::sampler) fn context(space: &Space, seed: u64, duplicates: Duplicates, number: u32) -> Context<'_> {
    Context {
        space,
        seed,
        duplicates,
        parallelism: 1,
        budget: None,
        number,
    }
}

/// The trials as samplers see them.
pub(in crate::sampler) fn history(trials: &[Trial]) -> Vec<Observation<'_>> {
    trials
        .iter()
        .map(|(number, config, origin, outcome)| Observation {
            number: *number,
            config,
            origin,
            outcome: *outcome,
        })
        .collect()
}

/// What is proposed, twice the same; `None` where nothing is left.
pub(in crate::sampler) fn ask(
    sampler: &dyn Sampler,
    context: &Context<'_>,
    trials: &[Trial],
) -> Option<(Config, Origin)> {
    let history = history(trials);
    let answer = sampler.suggest(context, &history);
    assert_eq!(answer, sampler.suggest(context, &history));
    match answer {
        Suggestion::New { config, origin } => Some((config, origin)),
        Suggestion::Done => None,
        other => panic!("{other:?}"),
    }
}

/// Up to `count` trials, each with what `f` says of its number and configuration.
pub(in crate::sampler) fn run(
    sampler: &dyn Sampler,
    first: &Context<'_>,
    count: u32,
    f: impl Fn(u32, &Config) -> Outcome,
) -> Vec<Trial> {
    let mut trials: Vec<Trial> = Vec::new();
    for number in 1..=count {
        let Some((config, origin)) = ask(sampler, &Context { number, ..*first }, &trials) else {
            break;
        };
        let outcome = f(number, &config);
        trials.push((number, config, origin, outcome));
    }
    trials
}

/// That a small space with a condition is used up, each configuration once, whatever comes back.
pub(in crate::sampler) fn uses_up_a_small_space(build: impl Fn(&Space) -> Box<dyn Sampler>) {
    let space = space(json!([
        {"name": "c", "categorical": {"values": ["a", "b", "c"]}},
        {"name": "n", "int": {"min": 1, "max": 5}, "when": "parameters.c == 'b'"},
        {"name": "k", "constant": 1},
    ]));
    let outcomes: [fn(u32, &Config) -> Outcome; 4] = [
        |_, _| Outcome::Failed,
        |_, _| Outcome::Pending,
        |_, _| Outcome::Value(f64::INFINITY),
        |number, _| Outcome::Value(f64::from(number) * 1e306),
    ];
    for outcome in outcomes {
        let trials = run(&*build(&space), &context(&space, 7, Duplicates::Avoid, 1), 100, outcome);
        assert_eq!(trials.len(), 7);
        assert!(trials.iter().all(|trial| space.configuration(&trial.1.0) == trial.1));
    }
}
