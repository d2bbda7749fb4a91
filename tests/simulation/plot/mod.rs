//! What happens in a world, drawn from a seed: studies, what becomes of their Workflows, what goes wrong, what persons do.

mod acts;
mod draw;
mod stage;

use std::{ops::Range, time::Duration};

use serde_json::{Value, json};

pub use acts::Act;
pub use draw::troubles;
pub use stage::{Outcome, play};

use crate::{
    argo::{Attempt, End, Part},
    controller::Leasing,
    dice::Dice,
    faults::{Fault, Storm, Trouble},
    world::BUCKET,
};

/// A second controller that starts while the first still runs, which the lease is there to prevent, and is killed later.
pub type Double = Range<Duration>;

/// What happens in a world.
#[derive(Clone, Debug)]
pub struct Plot {
    /// The seed of all of it.
    pub seed: u64,
    /// The studies, as they are applied at the beginning.
    pub studies: Vec<Value>,
    /// How rough the trials' fates are: the share of attempts that do not simply succeed.
    pub roughness: f64,
    /// When everything that goes wrong is over.
    pub calm: Duration,
    /// How controllers keep apart.
    pub leasing: Leasing,
    /// How many controllers contend at a time.
    pub contenders: usize,
    /// What goes wrong with chosen calls, by their number.
    pub calls: Vec<(u32, Trouble)>,
    /// What goes wrong with chosen requests to the cluster, and to S3.
    pub faults: (Vec<Fault>, Vec<Fault>),
    /// What goes wrong by chance: to the cluster, to S3.
    pub storms: (Vec<Storm>, Vec<Storm>),
    /// How late watches are until then, by kind.
    pub lags: Vec<(&'static str, Duration)>,
    /// How probably an event comes twice, and again later.
    pub echoes: (f64, f64),
    /// How probably an event never comes.
    pub losses: f64,
    /// The most items that a page of a list has, where that is less than was asked for.
    pub page: Option<usize>,
    /// When the past is forgotten and all watches are cut.
    pub compactions: Vec<Duration>,
    /// When controllers are killed.
    pub kills: Vec<Duration>,
    /// Second controllers.
    pub doubles: Vec<Double>,
    /// What persons do.
    pub acts: Vec<(Duration, Act)>,
}

impl Plot {
    /// Nothing but the studies: nothing goes wrong, and nobody does anything.
    pub fn undisturbed(&self) -> Self {
        Self {
            contenders: 1,
            leasing: Leasing::Seldom,
            calls: Vec::new(),
            faults: (Vec::new(), Vec::new()),
            storms: (Vec::new(), Vec::new()),
            lags: Vec::new(),
            echoes: (0.0, 0.0),
            losses: 0.0,
            page: None,
            compactions: Vec::new(),
            kills: Vec::new(),
            doubles: Vec::new(),
            acts: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether the results have to be those of an undisturbed run: what goes wrong has nothing to do with the trials then.
    pub fn is_comparable(&self) -> bool {
        let alters = |t: &Trouble| matches!(t, Trouble::Refuse(422));
        // Beside others, what is proposed depends on what has ended by then.
        let alone = |s: &Value| s["spec"]["parallelism"] == 1 || s["spec"]["algorithm"]["sampler"]["tpe"].is_null();
        let alone = self.studies.iter().all(alone);
        // What ends a study early does so by the clock, or by what came first.
        let by_time = |s: &Value| {
            let spec = &s["spec"];
            let target = !spec["objectives"][0]["target"].is_null() && spec["parallelism"] != 1;
            target || ["duration"].iter().any(|f| !spec["budget"][f].is_null()) || !spec["startDeadline"].is_null()
        };
        let by_time = self.studies.iter().any(by_time);
        // An attempt that vanishes may do so before anybody knows of it; one that is too late is late by the clock.
        self.acts.is_empty()
            && !self.hides_files()
            && self.doubles.is_empty()
            && alone
            && !by_time
            && self.roughness == 0.0
            && !self.calls.iter().any(|(_, t)| alters(t))
    }

    /// Whether files may not be there when they are looked for.
    pub fn hides_files(&self) -> bool {
        let hides = |t: &Trouble| matches!(t, Trouble::Stale(_));
        let storms = self.storms.1.iter().flat_map(|s| &s.troubles);
        self.calls.iter().map(|(_, t)| t).chain(storms).any(hides)
    }

    /// What becomes of an attempt: always the same in the same plot.
    pub fn part(&self, attempt: &Attempt) -> Part {
        let name = attempt.name.bytes().fold(self.seed, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3).rotate_left(29)
        });
        let dice = Dice::new(name);
        let runs = dice.within(&(Duration::from_millis(300)..Duration::from_secs(6)));
        let file = |text: String| {
            vec![
                ("metrics.json".to_owned(), text.into_bytes()),
                ("model.bin".to_owned(), attempt.name.clone().into_bytes()),
            ]
        };
        let metrics = metrics(attempt).to_string();
        let good = End::Succeeded(file(metrics.clone()));
        let end = match dice.chance(self.roughness) {
            false => good,
            true => match dice.below(9) {
                0 => End::Failed("exit code 1"),
                1 => End::Error("pod deleted"),
                2 => End::Vanished(Vec::new()),
                3 => End::Vanished(file(metrics)),
                4 if self.studies.iter().all(|s| s["spec"]["trial"]["timeout"].is_string()) => End::Never,
                5 => End::Succeeded(file("{\"loss\": ".to_owned())),
                6 => End::Succeeded(Vec::new()),
                7 => End::Succeeded(file("{\"loss\": NaN}".to_owned())),
                _ => good,
            },
        };
        let may_win = !matches!(end, End::Never);
        Part {
            pending: dice.within(&(Duration::ZERO..Duration::from_millis(500))),
            wins: may_win && dice.chance(0.3),
            ..Part::new(runs, end)
        }
    }
}

/// What an attempt's program writes.
pub fn metrics(attempt: &Attempt) -> Value {
    let lr = attempt
        .arguments
        .get("lr")
        .and_then(|lr| lr.parse::<f64>().ok())
        .unwrap_or_default();
    json!({"loss": (lr - 0.3).abs(), "attempt": attempt.attempt})
}

/// Files of others in the bucket, with names like ours: they stay.
pub fn foreign() -> Vec<String> {
    let keys = [
        "runs/s-2/metrics.json",
        "runs/s2/1/model.bin",
        "runs/1/metrics.json",
        "runs-s/1/metrics.json",
        "s/1/metrics.json",
        "other/data.csv",
    ];
    keys.map(str::to_owned).into()
}

/// Of which bucket keys are.
pub const PLACE: &str = BUCKET;
