//! Chance: from a seed to a plot.

use std::{ops::Range, time::Duration};

use serde_json::{Value, json};

use super::{Act, Plot};
use crate::{
    controller::Leasing,
    dice::Dice,
    faults::{Storm, Trouble},
    world::BUCKET,
};

const SECOND: Duration = Duration::from_secs(1);
const KINDS: [&str; 3] = ["hyperparameterstudies", "hyperparametertrials", "workflows"];

impl Plot {
    /// The plot of a seed.
    pub fn draw(seed: u64) -> Self {
        let dice = Dice::new(seed);
        let calm = SECOND * u32::try_from(20 + dice.below(80)).unwrap_or(20);
        let count = [1, 1, 1, 1, 2, 3][dice.below(6)];
        let names = ["s", "s-1", "s1"];
        let roughness = [0.0, 0.0, 0.15, 0.4][dice.below(4)];
        let studies: Vec<Value> = names[..count].iter().map(|name| study(&dice, name)).collect();
        let moment = |dice: &Dice| dice.within(&(Duration::ZERO..calm));
        let several = |dice: &Dice, most: usize| (0..dice.below(most + 1)).map(|_| moment(dice)).collect::<Vec<_>>();
        let mut plot = Self {
            seed,
            studies,
            roughness,
            calm,
            leasing: [Leasing::Seldom, Leasing::Seldom, Leasing::Seldom, Leasing::Usual][dice.below(4)].clone(),
            contenders: 1,
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
        };
        if plot.leasing == Leasing::Usual {
            plot.contenders = 1 + dice.below(2);
        }
        if dice.chance(0.6) {
            plot.calls = calls(&dice);
        }
        if dice.chance(0.6) {
            plot.storms = storms(&dice, calm);
        }
        if dice.chance(0.5) {
            plot.lags = KINDS
                .iter()
                .map(|kind| (*kind, dice.within(&(Duration::ZERO..15 * SECOND))))
                .collect();
        }
        if dice.chance(0.4) {
            plot.echoes = (0.3, 0.3);
        }
        if dice.chance(0.3) {
            plot.page = Some(1 + dice.below(3));
        }
        if dice.chance(0.3) {
            plot.compactions = several(&dice, 6);
        }
        if dice.chance(0.5) {
            plot.kills = several(&dice, 12);
        }
        if dice.chance(0.3) {
            plot.doubles = several(&dice, 3)
                .into_iter()
                .map(|at| at..at + dice.within(&(SECOND..30 * SECOND)))
                .collect();
        }
        if dice.chance(0.5) {
            let mut acts: Vec<(Duration, Act)> = several(&dice, 5)
                .into_iter()
                .map(|at| (at, Act::draw(&dice, count)))
                .collect();
            acts.sort_by_key(|(at, _)| *at);
            plot.acts = acts;
        }
        if dice.chance(0.15) {
            let which = dice.below(count);
            // What is left of a study of that name, where nobody could know of it, is taken over.
            let takes_over = plot.studies[which]["spec"]["storage"]["onDelete"] == "Retain"
                || plot.acts.iter().any(|(_, act)| act.may_leave_files())
                || !plot.doubles.is_empty();
            let again = Act::Recreate {
                which,
                takes_over: takes_over || dice.chance(0.3),
                wait: [Duration::ZERO, dice.within(&(Duration::ZERO..10 * SECOND))][dice.below(2)],
            };
            plot.acts.push((moment(&dice), again));
        }
        if dice.chance(0.3) {
            plot.losses = [0.02, 0.1, 0.3][dice.below(3)];
        }
        plot
    }
}

fn study(dice: &Dice, name: &str) -> Value {
    let mut study = crate::cases::study(name);
    let spec = &mut study["spec"];
    spec["budget"] = json!({"trials": 2 + dice.below(6)});
    spec["parallelism"] = [1, 1, 2, 3, 5][dice.below(5)].into();
    let samplers = [
        json!({"random": {}}),
        json!({"random": {}}),
        json!({"sobol": {}}),
        json!({"tpe": {"startupTrials": 2}}),
    ];
    let sampler = samplers[dice.below(4)].clone();
    spec["algorithm"] = json!({"sampler": sampler, "seed": dice.below(1000)});
    let strategy = ["Best", "Best", "Best", "Keep", "Delete"][dice.below(5)];
    let on_delete = ["Retain", "Delete"][dice.below(2)];
    spec["storage"] = json!({"outputPath": format!("s3://{BUCKET}/runs"),
        "strategy": strategy,
        "onDelete": on_delete,
        "s3": {"endpoint": "s3.simulated",
            "accessKeySecret": {"name": "s3", "key": "access"}, "secretKeySecret": {"name": "s3", "key": "secret"}}});
    if spec["storage"]["strategy"] == "Best" {
        spec["storage"]["keepTop"] = (1 + dice.below(2)).into();
    }
    if dice.chance(0.5) {
        spec["retries"] = json!({"limit": 1 + dice.below(2)});
    }
    if dice.chance(0.5) {
        spec["trial"]["timeout"] = "20s".into();
    }
    if dice.chance(0.3) {
        spec["trial"]["workflowTTL"] = ["0s", "2s", "30s"][dice.below(3)].into();
    }
    if dice.chance(0.1) {
        spec["objectives"][0]["target"] = json!(0.01 * (1 + dice.below(40)) as f64);
    }
    if dice.chance(0.1) {
        spec["budget"]["failedTrials"] = (1 + dice.below(2)).into();
    }
    if dice.chance(0.1) {
        spec["budget"]["duration"] = ["5s", "20s", "60s"][dice.below(3)].into();
    }
    if dice.chance(0.1) {
        spec["ttlAfterFinished"] = ["0s", "5s", "60s"][dice.below(3)].into();
    }
    if dice.chance(0.1) {
        spec["startDeadline"] = "30s".into();
    }
    study
}

/// What may go wrong with a call of any sort.
pub fn troubles() -> Vec<Trouble> {
    vec![
        Trouble::Refuse(403),
        Trouble::Refuse(404),
        Trouble::Refuse(409),
        Trouble::Refuse(410),
        Trouble::Refuse(422),
        Trouble::Refuse(429),
        Trouble::Refuse(500),
        Trouble::Refuse(503),
        Trouble::Later(3),
        Trouble::Silence { done: true },
        Trouble::Silence { done: false },
        Trouble::Reset { done: true },
        Trouble::Reset { done: false },
        Trouble::Garble,
        Trouble::Cut { after: 1, clean: false },
        // Within the time that the controller waits: what takes effect later than that is `Silence`.
        Trouble::Slow(Duration::from_secs(8)),
        Trouble::Kill { done: true },
        Trouble::Kill { done: false },
        Trouble::Stale(Duration::from_secs(5)),
        Trouble::Lose { after: 0 },
    ]
}

fn calls(dice: &Dice) -> Vec<(u32, Trouble)> {
    let troubles = troubles();
    let one = |_| {
        let call = u32::try_from(dice.below(250)).unwrap_or_default();
        (call, drawn(dice, troubles[dice.below(troubles.len())].clone()))
    };
    (0..=dice.below(12)).map(one).collect()
}

/// The same trouble; of a watch any event may get lost, not only the first.
fn drawn(dice: &Dice, trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Lose { .. } => Trouble::Lose { after: dice.below(20) },
        other => other,
    }
}

fn storms(dice: &Dice, calm: Duration) -> (Vec<Storm>, Vec<Storm>) {
    let during = |dice: &Dice| -> Range<Duration> {
        let start = dice.within(&(Duration::ZERO..calm));
        start..(start + dice.within(&(SECOND..60 * SECOND))).min(calm)
    };
    let one = |s3: bool| {
        let verbs: &'static [&'static str] = match (s3, dice.below(6)) {
            (_, 0..=2) => &[],
            (false, 3) => &["create", "patch"],
            (false, 4) => &["watch"],
            (false, _) => &["get", "list"],
            (true, 3) => &["put"],
            (true, 4) => &["get"],
            (true, _) => &["delete-many", "delete", "list"],
        };
        let of = match (s3, dice.below(8)) {
            (false, 0) => "workflows",
            (false, 1) => "hyperparametertrials",
            (false, 2) => "hyperparameterstudies",
            (false, 3) => "leases",
            _ => "",
        };
        // What is there is not called invalid by chance.
        let often = troubles().into_iter().filter(|t| *t != Trouble::Refuse(422));
        let all: Vec<Trouble> = often.map(|t| drawn(dice, t)).collect();
        let troubles = match dice.below(3) {
            0 => vec![all[dice.below(all.len())].clone()],
            1 => (0..3).map(|_| all[dice.below(all.len())].clone()).collect(),
            _ => all,
        };
        Storm {
            during: during(dice),
            rate: [0.05, 0.2, 0.5][dice.below(3)],
            verbs,
            of,
            troubles,
        }
    };
    let cluster = (0..dice.below(4)).map(|_| one(false)).collect();
    let buckets = (0..dice.below(3)).map(|_| one(true)).collect();
    (cluster, buckets)
}
