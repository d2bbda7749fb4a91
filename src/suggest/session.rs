//! One study's session: all its trials, in memory.

use serde_json::{Map, Value, json};

use crate::{
    api::{
        Duplicates, FieldError, FieldErrors, Goal, Origin, ParameterMap, StudySpec,
        check::{Requirements, check_study},
        sentence,
    },
    sampler::{self, Context, Observation, Outcome, Sampler, Suggestion},
    space::{Config, Space},
};

/// A trial that was asked for or observed.
struct Trial {
    config: Config,
    origin: Origin,
    outcome: Outcome,
}

/// A study's session.
pub(super) struct Session {
    space: Space,
    sampler: Box<dyn Sampler>,
    seed: u64,
    duplicates: Duplicates,
    parallelism: u32,
    goal: Goal,
    /// How many trials may be asked for.
    budget: Option<u32>,
    /// What somebody else evaluated.
    observed: Vec<Trial>,
    /// What was asked for: trial 1 first.
    asked: Vec<Trial>,
}

impl Session {
    /// Begins a study of that spec.
    ///
    /// # Errors
    /// Everything that is wrong with it, on one line.
    pub(super) fn new(spec: Value) -> Result<Self, String> {
        let Value::Object(mut spec) = spec else {
            return Err("spec: has to be an object".to_owned());
        };
        spec.entry("objectives")
            .or_insert_with(|| json!([{"metric": "value", "goal": "Minimize"}]));
        let is_limited = spec.get("budget").is_some_and(|budget| budget.get("trials").is_some());
        let (spec, mut errors) = read(spec)?;
        if spec.history.is_some() {
            errors.push(
                "history",
                "is not read here: tell what earlier studies found with `observe`",
            );
        }
        let compiled = compile(&spec).map_err(|wrong| {
            // What the schema has complained about is not said twice.
            let new: Vec<FieldError> = wrong.0.into_iter().filter(|error| !errors.covers(error)).collect();
            errors.0.extend(new);
        });
        let (Ok((space, sampler)), true) = (compiled, errors.0.is_empty()) else {
            return Err(one_line(&errors));
        };
        Ok(Self {
            space,
            sampler,
            seed: sampler::seed(spec.algorithm.seed, ""),
            duplicates: spec.algorithm.duplicates,
            parallelism: spec.parallelism,
            goal: spec
                .objectives
                .first()
                .map(|objective| objective.goal)
                .unwrap_or_default(),
            budget: spec.budget.trials.filter(|_| is_limited),
            observed: Vec::new(),
            asked: Vec::new(),
        })
    }

    /// Up to `n` further trials.
    pub(super) fn ask(&mut self, n: u32) -> Value {
        let mut trials = Vec::new();
        let mut state = None;
        while trials.len() < n as usize {
            let Some(number) = self.next_number() else {
                state = Some("done");
                break;
            };
            match self.suggest(number) {
                Suggestion::New { config, origin } => {
                    trials.push(json!({"number": number, "parameters": self.space.write(&config)}));
                    self.asked.push(Trial {
                        config,
                        origin,
                        outcome: Outcome::Pending,
                    });
                }
                // To go on from a trial's files is for schedules, which this protocol has no word for.
                Suggestion::Wait | Suggestion::Continue { .. } => {
                    state = Some("wait");
                    break;
                }
                Suggestion::Done => {
                    state = Some("done");
                    break;
                }
            }
        }
        match state {
            Some(state) => json!({"trials": trials, "state": state}),
            None => json!({ "trials": trials }),
        }
    }

    /// The next trial's number; `None` where there shall be no more.
    fn next_number(&self) -> Option<u32> {
        let number = u32::try_from(self.asked.len()).ok()?.checked_add(1)?;
        (number <= self.budget.unwrap_or(u32::MAX)).then_some(number)
    }

    fn suggest(&self, number: u32) -> Suggestion {
        let context = Context {
            space: &self.space,
            seed: self.seed,
            duplicates: self.duplicates,
            parallelism: self.parallelism,
            budget: self.budget,
            number,
        };
        // what was observed has no number of its own
        let numbered = std::iter::repeat_n(0, self.observed.len()).chain(1..);
        let history: Vec<Observation<'_>> = numbered
            .zip(self.observed.iter().chain(&self.asked))
            .map(|(number, trial)| Observation {
                number,
                config: &trial.config,
                origin: &trial.origin,
                outcome: trial.outcome,
            })
            .collect();
        self.sampler.suggest(&context, &history)
    }

    /// Records how a trial that was asked for ended.
    ///
    /// # Errors
    /// There is no such trial, or it has ended already.
    pub(super) fn tell(&mut self, number: u32, value: Option<f64>) -> Result<Value, String> {
        let outcome = self.outcome(value);
        let place = (number as usize).checked_sub(1);
        let Some(trial) = place.and_then(|place| self.asked.get_mut(place)) else {
            return Err(format!(
                "there is no trial {number}: {} were asked for, from 1 on",
                self.asked.len()
            ));
        };
        if trial.outcome != Outcome::Pending {
            return Err(format!("trial {number} has ended already: each is told once"));
        }
        trial.outcome = outcome;
        Ok(json!({ "ok": true }))
    }

    /// Records what somebody else evaluated.
    ///
    /// # Errors
    /// The configuration is not one of the space.
    pub(super) fn observe(&mut self, parameters: &ParameterMap, value: Option<f64>) -> Result<Value, String> {
        let config = self.space.read(parameters).map_err(|wrong| {
            let mut errors = FieldErrors::default();
            errors.extend_below("parameters", wrong);
            one_line(&errors)
        })?;
        let outcome = self.outcome(value);
        self.observed.push(Trial {
            config,
            origin: Origin::default(),
            outcome,
        });
        Ok(json!({ "ok": true }))
    }

    fn outcome(&self, value: Option<f64>) -> Outcome {
        match (value, self.goal) {
            (None, _) => Outcome::Failed,
            (Some(value), Goal::Minimize) => Outcome::Value(value),
            (Some(value), Goal::Maximize) => Outcome::Value(-value),
        }
    }
}

/// The space and what searches it.
fn compile(spec: &StudySpec) -> Result<(Space, Box<dyn Sampler>), FieldErrors> {
    let space = Space::compile(&spec.parameters, &spec.constraints)?;
    let sampler = sampler::compile(&spec.algorithm, &space).map_err(|wrong| {
        let mut errors = FieldErrors::default();
        errors.extend_below("algorithm", wrong);
        errors
    })?;
    Ok((space, sampler))
}

/// The spec, and what is wrong with it as a study's; paths of errors start below `spec`.
///
/// # Errors
/// What is wrong, where it is no spec at all.
fn read(mut spec: Map<String, Value>) -> Result<(StudySpec, FieldErrors), String> {
    // A study needs a limit, a session does not: who asks decides how often.
    if let Value::Object(budget) = spec.entry("budget").or_insert_with(|| json!({})) {
        budget.entry("trials").or_insert_with(|| json!(1));
    }
    let study = json!({
        "apiVersion": "hyperstudy.dev/v1alpha1",
        "kind": "HyperparameterStudy",
        "metadata": {"name": "suggest"},
        "spec": spec,
    });
    let mut errors = check_study(&study, Requirements::Local);
    for error in &mut errors.0 {
        if let Some(path) = error.path.strip_prefix("spec.") {
            error.path = path.to_owned();
        }
    }
    let spec = study.get("spec").cloned().unwrap_or_default();
    match serde_json::from_value(spec) {
        Ok(spec) => Ok((spec, errors)),
        Err(error) if errors.0.is_empty() => Err(sentence(&format!("spec: {error}")).into_owned()),
        Err(_) => Err(one_line(&errors)),
    }
}

fn one_line(errors: &FieldErrors) -> String {
    errors.to_string().replace('\n', "; ")
}
