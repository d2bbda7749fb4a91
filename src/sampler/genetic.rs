//! A genetic algorithm: each child takes each parameter from one of two parents among the best third, or draws it anew, as SHERPA's does
//! (Hertel et al., "Sherpa: Robust Hyperparameter Optimization for Machine Learning", SoftwareX 2020; uniform crossover after Syswerda, ICGA 1989).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    Context, Name, Observation, Outcome, Sampler, Settings, Suggestion, random::Random, sobol, unused::Unused,
};
use crate::{
    api::{Duplicates, FieldErrors, GeneticSampler},
    space::{Config, Slot, Space},
};

/// How many configurations are drawn before the first are crossed, where nothing is said.
const POPULATION: u32 = 15;

/// How likely each parameter is drawn anew, where nothing is said.
const MUTATION: f64 = 0.1;

/// After so many children that may not be proposed, more and more of each is drawn anew: the parents have little left to give.
const PATIENCE: u64 = 50;

/// After so many it is left to chance.
const TRIES: u64 = 500;

/// A genetic algorithm.
#[derive(Debug)]
struct Genetic {
    name: Name,
    population: u64,
    mutation: f64,
}

impl Settings for GeneticSampler {
    fn build(&self, name: Name, _: &Space) -> Result<Box<dyn Sampler>, FieldErrors> {
        let mut errors = FieldErrors::default();
        let population = self.population_size.unwrap_or(POPULATION);
        if !(2..=10_000).contains(&population) {
            errors.push("populationSize", format!("{population} is not between 2 and 10000"));
        }
        let mutation = self.mutation_rate.unwrap_or(MUTATION);
        if !(0.0..=1.0).contains(&mutation) {
            errors.push("mutationRate", format!("{mutation:?} is not between 0 and 1"));
        }
        errors.or_ok(Box::new(Genetic {
            name,
            population: population.into(),
            mutation,
        }))
    }
}

impl Sampler for Genetic {
    /// The first population is a Sobol sequence, which is random but fills the space evenly. Children follow as soon as two trials have given a value, whoever proposed them.
    fn suggest(&self, context: &Context<'_>, history: &[Observation<'_>]) -> Suggestion {
        let index = self.name.next_index(history);
        let parents = best_third(history);
        let mut unused = Unused::new(context, history);
        let mut rng = context.rng(context.number.into());
        for attempt in 0..unused.tries().min(TRIES) {
            let config = if index < self.population || parents.len() < 2 {
                drawn(context, index, attempt, &mut rng)
            } else {
                let more = attempt.saturating_sub(PATIENCE) as f64 / TRIES as f64;
                child(context.space, &parents, self.mutation.max(more), &mut rng)
            };
            if unused.allows(&config) {
                return self.name.proposal(config, index);
            }
        }
        Random(self.name).suggest(context, history)
    }

    fn is_finite(&self, space: &Space, duplicates: Duplicates) -> bool {
        Random(self.name).is_finite(space, duplicates)
    }
}

/// The best third of all trials with a value, at least two of them where there are; those with equal values in their order.
fn best_third<'a>(history: &[Observation<'a>]) -> Vec<&'a Config> {
    let mut ranked: Vec<(f64, &Config)> = history
        .iter()
        .filter_map(|trial| match trial.outcome {
            Outcome::Value(value) if value < f64::INFINITY => Some((value, trial.config)),
            _ => None,
        })
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = ranked.len().div_ceil(3).max(2);
    ranked.into_iter().take(count).map(|(_, config)| config).collect()
}

/// One of the first population: the point of the sequence, or where that one may not be proposed, any.
fn drawn(context: &Context<'_>, index: u64, attempt: u64, rng: &mut ChaCha8Rng) -> Config {
    let mut unit: Vec<f64> = (0..context.space.dimensions()).map(|_| rng.random()).collect();
    if attempt == 0 {
        sobol::point(context, index, &mut unit);
    }
    context.space.decode(&unit)
}

/// A child of two of the parents, of which there are at least two, the best first. One is any of them, the other of the better ones rather (a tournament, without which
/// selection is too weak for so few trials as studies have). What neither has (its condition holds for neither) is drawn anew.
fn child(space: &Space, parents: &[&Config], mutation: f64, rng: &mut ChaCha8Rng) -> Config {
    // the parents are in order, best first: of three draws the best one
    let draws = [0; 3].map(|_| rng.random_range(0..parents.len()));
    let first = draws.into_iter().min().unwrap_or(0);
    // another one
    let second = (first + rng.random_range(1..parents.len())) % parents.len();
    let inherited = |parent: usize, slot: usize| {
        let value = parents.get(parent).and_then(|config| config.0.get(slot));
        value.copied().filter(|value| value.is_active())
    };
    let slots: Vec<Slot> = (0..space.parameters().len())
        .map(|slot| {
            let (one, other) = if rng.random() { (first, second) } else { (second, first) };
            // drawn in any case, so that what one parameter draws does not depend on another's luck
            let (luck, anew) = (rng.random::<f64>(), rng.random::<f64>());
            let value = inherited(one, slot).or_else(|| inherited(other, slot));
            value
                .filter(|_| luck >= mutation)
                .unwrap_or_else(|| space.value_at(slot, anew))
        })
        .collect();
    space.configuration(&slots)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::collections::HashSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::sampler::tests::trials::{self, Trial};

    fn doubles(count: usize) -> Space {
        trials::doubles(count, 0.0, 1.0)
    }

    fn genetic(space: &Space, settings: Value) -> Box<dyn Sampler> {
        let settings: GeneticSampler = serde_json::from_value(settings).unwrap();
        trials::build("genetic", &settings, space)
    }

    fn run(sampler: &dyn Sampler, space: &Space, count: u32, f: impl Fn(u32, &Config) -> Outcome) -> Vec<Trial> {
        trials::run(sampler, &trials::context(space, 3, Duplicates::Avoid, 1), count, f)
    }

    #[test]
    fn children_come_from_the_best_third() {
        let space = doubles(6);
        let sampler = genetic(&space, json!({"populationSize": 12, "mutationRate": 0}));
        // the first four are the best, all children the worst: none of them becomes a parent
        let trials = run(&*sampler, &space, 13, |number, _| Outcome::Value(f64::from(number)));
        let child = &trials[12].1;
        for (slot, value) in child.0.iter().enumerate() {
            assert!(trials[..4].iter().any(|parent| parent.1.0[slot] == *value));
        }
        let parents = |value: &Slot, slot: usize| trials[..4].iter().position(|parent| parent.1.0[slot] == *value);
        let used: HashSet<_> = child
            .0
            .iter()
            .enumerate()
            .map(|(slot, value)| parents(value, slot))
            .collect();
        assert!(used.len() <= 2);
    }

    #[test]
    fn mutation_draws_anew() {
        let space = doubles(10);
        let inherited = |rate: f64| {
            let sampler = genetic(&space, json!({"populationSize": 10, "mutationRate": rate}));
            let trials = run(&*sampler, &space, 60, |number, _| Outcome::Value(f64::from(number)));
            let is_old = |slot: usize, value: &Slot| trials[..10].iter().any(|trial| trial.1.0[slot] == *value);
            let old = trials[10..].iter().flat_map(|trial| trial.1.0.iter().enumerate());
            old.filter(|(slot, value)| is_old(*slot, value)).count() as f64 / 500.0
        };
        assert_eq!(inherited(1.0), 0.0);
        assert!(inherited(0.0) > 0.9);
        assert!((0.6..0.95).contains(&inherited(0.2)));
    }

    #[test]
    fn conditions_are_respected_and_finite_spaces_used_up() {
        trials::uses_up_a_small_space(|space| genetic(space, json!({"populationSize": 3})));
    }

    #[test]
    fn many_in_flight_all_differ() {
        let space = doubles(3);
        let sampler = genetic(&space, json!({"populationSize": 5}));
        let trials = run(&*sampler, &space, 60, |number, _| {
            if number <= 9 {
                Outcome::Value(f64::from(number))
            } else {
                Outcome::Pending
            }
        });
        let different: HashSet<&Config> = trials.iter().map(|trial| &trial.1).collect();
        assert_eq!(different.len(), 60);
    }

    #[test]
    fn wrong_settings_are_refused_at_their_fields() {
        let wrong = GeneticSampler {
            population_size: Some(1),
            mutation_rate: Some(f64::NAN),
        };
        let errors = wrong
            .build(
                Name {
                    sampler: "genetic",
                    stage: None,
                },
                &doubles(1),
            )
            .unwrap_err();
        let paths: Vec<&str> = errors.0.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, ["populationSize", "mutationRate"]);
    }
}
