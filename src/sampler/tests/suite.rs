//! What the tests of the samplers' contract share: all samplers, spaces of all kinds, and studies that one sampler proposes for.

use super::*;
use crate::{api, space::Slot};

/// All samplers over `space`, as a study names them; each of them is in every test of the contract. `list` has some configurations of the space.
pub(super) fn specs(space: &Space) -> Vec<Value> {
    let mut all: Vec<Value> = [
        "auto",
        "random",
        "sobol",
        "tpe",
        "gaussianProcess",
        "cmaEs",
        "genetic",
        "localSearch",
    ]
    .iter()
    .map(|name| json!({ *name: {} }))
    .collect();
    let grids = [
        json!({}),
        json!({"pointsPerParameter": 3}),
        json!({"pointsPerParameter": 2}),
    ];
    let grid = grids.into_iter().map(|settings| json!({"grid": settings}));
    all.extend(grid.into_iter().find(|spec| sampler(spec.clone(), space).is_ok()));
    all.push(json!({"list": listed(space)}));
    all.push(json!({"chain": [
        {"sampler": {"sobol": {}}, "trials": 4},
        {"sampler": {"genetic": {"populationSize": 2}}, "trials": 4},
        {"sampler": {"localSearch": {}}, "trials": 4},
        {"sampler": {"tpe": {"startupTrials": 1}}},
    ]}));
    all
}

/// Whether a sampler fits a Gaussian process: without optimisation by the compiler that takes a blink for each proposal, so it has fewer of them in tests.
pub(super) fn is_costly(name: &str) -> bool {
    ["auto", "gaussianProcess"].contains(&name)
}

/// Those that learn from what trials gave, and are to be better than chance.
pub(super) const LEARNERS: [&str; 6] = ["auto", "tpe", "gaussianProcess", "cmaEs", "genetic", "localSearch"];

/// Some feasible configurations, as users write them.
fn listed(space: &Space) -> Vec<Value> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut listed = Vec::new();
    for _ in 0..400 {
        let config = anywhere(space, &mut rng);
        let mut written = space.write(&config);
        written.retain(|name, _| space.parameters()[space.slot(name).unwrap()].constant.is_none());
        if space.is_feasible(&config) {
            listed.push(json!(written));
        }
        if listed.len() == 40 {
            break;
        }
    }
    listed
}

/// A configuration from anywhere in the space.
pub(super) fn anywhere(space: &Space, rng: &mut ChaCha8Rng) -> Config {
    use rand::RngExt;
    let unit: Vec<f64> = (0..space.dimensions()).map(|_| rng.random()).collect();
    space.decode(&unit)
}

/// As many parameters without steps as that.
pub(super) fn doubles(count: usize) -> Space {
    let all: Vec<String> = (0..count)
        .map(|i| format!("{{name: x{i}, double: {{min: -5, max: 5}}}}"))
        .collect();
    space(&format!("[{}]", all.join(", ")), &[])
}

/// Every kind of parameter, with conditions and a constraint.
pub(super) fn mixed() -> Space {
    space(
        r#"
        - {name: lr, double: {min: 1e-6, max: 0.1, scale: Log}}
        - {name: dropout, double: {min: 0, max: 0.9, step: 0.05}}
        - {name: layers, int: {min: 1, max: 12}}
        - {name: units, int: {min: 16, max: 2048, step: 16}}
        - {name: noise, double: {normal: {mean: 1, stddev: 2}}}
        - {name: optimizer, categorical: {values: [sgd, adam, lion], weights: [1, 2, 1]}}
        - {name: momentum, double: {min: 0, max: 1}, when: 'parameters.optimizer == "sgd"'}
        - {name: nesterov, categorical: {values: [true, false]}, when: 'parameters.momentum > 0.5'}
        - {name: batch, ordinal: {values: [16, 32, 64, 128]}}
        - {name: data, constant: digits}
        "#,
        &["parameters.units * parameters.layers <= 12000"],
    )
}

/// Spaces of all kinds.
pub(super) fn spaces() -> Vec<Space> {
    vec![
        mixed(),
        doubles(2),
        space(
            "[{name: a, categorical: {values: [a, b, c, d, e, f, g, h]}}, {name: b, categorical: {values: [true, false]}}, {name: c, categorical: {values: [1, 2, x]}}]",
            &[],
        ),
        space("[{name: a, constant: 1}, {name: b, constant: x}]", &[]),
        space(
            "[{name: a, int: {min: 0, max: 9007199254740990}}, {name: b, int: {min: 1, max: 1000000000, scale: Log}}]",
            &[],
        ),
        space(
            "[{name: o, ordinal: {values: [small, middle, large]}}, {name: x, double: {min: -1, max: 1}}, {name: k, constant: 4}]",
            &["parameters.x < 0.9"],
        ),
        // whole groups that depend on each other, and a parameter before the one it depends on
        space(
            r#"
            - {name: depth, int: {min: 1, max: 9}, when: 'parameters.model == "forest"'}
            - {name: model, categorical: {values: [forest, svm, net]}}
            - {name: c, double: {min: 1e-3, max: 1e3, scale: Log}, when: 'parameters.model == "svm"'}
            - {name: kernel, categorical: {values: [linear, rbf]}, when: 'parameters.model == "svm"'}
            - {name: gamma, double: {min: 1e-6, max: 1, scale: Log}, when: 'parameters.kernel == "rbf"'}
            "#,
            &[],
        ),
    ]
}

/// Asserts that `config` is one of the space's, by its declaration alone.
pub(super) fn check(space: &Space, config: &Config, whose: &str) {
    assert_eq!(config.0.len(), space.parameters().len(), "{whose}");
    for (slot, (parameter, value)) in space.parameters().iter().zip(&config.0).enumerate() {
        let fits = match *value {
            Slot::Inactive => parameter.when.is_some(),
            Slot::Constant => parameter.constant.is_some(),
            Slot::Choice(index) => {
                let is_of_choices = parameter.categorical.is_some() || parameter.ordinal.is_some();
                is_of_choices && u64::from(index) < space.count(slot).unwrap()
            }
            Slot::Int(value) => {
                let int = parameter.int.as_ref().unwrap();
                (int.min..=int.max).contains(&value) && (value - int.min) % int.step.unwrap_or(1) == 0
            }
            Slot::Double(value) => is_of_double(parameter.double.as_ref().unwrap(), value),
        };
        assert!(fits, "{whose}: `{}` is {value:?}", parameter.name);
    }
    assert!(space.is_complete(config), "{whose}: lacks something: {config:?}");
    let active = space.configuration(&config.0);
    assert_eq!(active, *config, "{whose}: something inactive has a value");
    assert!(space.is_feasible(config), "{whose}: against a constraint: {config:?}");
    let text = serde_json::to_string(&space.write(config)).unwrap();
    let read = space.parse(&serde_json::from_str(&text).unwrap());
    assert_eq!(read.as_ref(), Some(config), "{whose}: {text}");
}

fn is_of_double(double: &api::Double, value: f64) -> bool {
    let is_on_step = double.step.is_none_or(|step| {
        let steps = (value - double.min.unwrap_or(0.0)) / step;
        (steps - steps.round()).abs() < 1e-9
    });
    let (min, max) = (double.min.unwrap_or(-f64::MAX), double.max.unwrap_or(f64::MAX));
    value.is_finite() && (min..=max).contains(&value) && is_on_step
}

/// What came out of a trial that ended.
pub(super) fn gave(value: f64) -> Outcome {
    Outcome::Value(value)
}

/// One trial of a run.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) number: u32,
    pub(super) config: Config,
    pub(super) origin: Origin,
    pub(super) outcome: Outcome,
}

/// A study that one sampler proposes for.
pub(super) struct Run<'a> {
    pub(super) space: &'a Space,
    pub(super) spec: Value,
    pub(super) sampler: Box<dyn Sampler>,
    pub(super) seed: u64,
    pub(super) parallelism: u32,
    pub(super) trials: Vec<Trial>,
}

impl<'a> Run<'a> {
    pub(super) fn new(spec: &Value, space: &'a Space, seed: u64) -> Self {
        Self {
            space,
            spec: spec.clone(),
            sampler: sampler(spec.clone(), space).unwrap_or_else(|e| panic!("{spec}: {e}")),
            seed,
            parallelism: 1,
            trials: Vec::new(),
        }
    }

    /// As trials whose number is 0: earlier studies' (also where a configuration lacks parameters).
    pub(super) fn with_earlier(mut self, earlier: &[(Config, Outcome)]) -> Self {
        self.trials.extend(earlier.iter().map(|(config, outcome)| Trial {
            number: 0,
            config: config.clone(),
            origin: Origin::default(),
            outcome: *outcome,
        }));
        self
    }

    pub(super) fn history(&self) -> Vec<Observation<'_>> {
        self.trials.iter().map(Trial::observation).collect()
    }

    /// The number of the next trial.
    pub(super) fn number(&self) -> u32 {
        self.trials.last().map_or(1, |trial| trial.number + 1)
    }

    pub(super) fn context(&self) -> Context<'a> {
        Context {
            space: self.space,
            seed: self.seed,
            duplicates: Duplicates::Avoid,
            parallelism: self.parallelism,
            budget: None,
            number: self.number(),
        }
    }

    pub(super) fn suggest(&self) -> Suggestion {
        self.sampler.suggest(&self.context(), &self.history())
    }

    /// Asks for the next trial, which is pending then: its place among the trials; none where the sampler has no more.
    pub(super) fn ask(&mut self) -> Option<usize> {
        match self.suggest() {
            Suggestion::New { config, origin } => {
                let whose = self.spec.to_string();
                check(self.space, &config, &whose);
                assert!(
                    origin.sampler.is_some() && origin.index.is_some(),
                    "{whose}: {origin:?}"
                );
                let is_new = self.trials.iter().all(|trial| trial.config != config);
                assert!(is_new, "{whose}: twice: {config:?}");
                self.add(config, origin, Outcome::Pending);
                Some(self.trials.len() - 1)
            }
            Suggestion::Done => None,
            other => panic!("{}: {other:?}", self.spec),
        }
    }

    pub(super) fn add(&mut self, config: Config, origin: Origin, outcome: Outcome) {
        let number = self.number();
        self.trials.push(Trial {
            number,
            config,
            origin,
            outcome,
        });
    }

    /// Runs up to `count` trials, one after the other.
    pub(super) fn run(&mut self, count: u32, outcome: impl Fn(u32, &Config) -> Outcome) {
        for _ in 0..count {
            let Some(place) = self.ask() else { break };
            let Trial { number, ref config, .. } = self.trials[place];
            self.trials[place].outcome = outcome(number, config);
        }
    }

    /// Its own trials.
    pub(super) fn own(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| trial.number > 0)
    }

    /// The least value that its own trials gave.
    pub(super) fn best(&self) -> f64 {
        let values = self.own().filter_map(|trial| match trial.outcome {
            Outcome::Value(value) => Some(value),
            _ => None,
        });
        values.fold(f64::INFINITY, f64::min)
    }
}

impl Trial {
    pub(super) fn observation(&self) -> Observation<'_> {
        Observation {
            number: self.number,
            config: &self.config,
            origin: &self.origin,
            outcome: self.outcome,
        }
    }
}

/// A value that depends on all that is active; no two configurations of note have the same.
pub(super) fn landscape(space: &Space, config: &Config) -> f64 {
    let slots = config.0.iter().enumerate();
    let terms = slots.map(|(slot, value)| match value {
        Slot::Inactive => 0.2,
        Slot::Constant => 0.0,
        value => (space.unit(slot, *value) - 0.1 - 0.07 * slot as f64).powi(2),
    });
    terms.sum()
}

/// The place in the unit cube.
pub(super) fn place(space: &Space, config: &Config) -> Vec<f64> {
    let mut unit = vec![0.5; space.dimensions()];
    space.encode(config, &mut unit);
    unit
}

/// A study of that length whose trials somebody asked for at random places, or the sampler itself proposed as far as its origin is concerned.
pub(super) fn with_history<'a>(spec: &Value, space: &'a Space, length: usize, is_own: bool) -> Run<'a> {
    let mut run = Run::new(spec, space, 3);
    let mut rng = ChaCha8Rng::seed_from_u64(length as u64);
    for index in 0..length as u64 {
        let config = anywhere(space, &mut rng);
        let name = spec.as_object().unwrap().keys().next().cloned();
        let origin = Origin {
            sampler: name.filter(|_| is_own),
            index: is_own.then_some(index),
            ..Origin::default()
        };
        let value = landscape(space, &config);
        let outcome = match index % 10 {
            3 => Outcome::Failed,
            9 if index + 30 > length as u64 => Outcome::Pending,
            _ => gave(value),
        };
        run.add(config, origin, outcome);
    }
    run
}
