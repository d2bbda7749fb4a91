//! A simulated world for a study: it applies a plan's steps as the real appliers do, lets runs end as a seed says, and checks on the way
//! what must never happen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use hyperstudy::{
    api::{Files, Strategy, StudySpec, TrialPhase},
    metrics::MetricsError,
    report::results_of,
    study::{
        Action, Earlier, Failure, Folder, Identity, Memory, Plan, Request, Run, RunState, Snapshot, Study, Trial,
        Written, plan, started,
    },
};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct World {
    pub study: Study,
    pub snapshot: Snapshot,
    pub now: Timestamp,
    /// The numbered folders that are there.
    pub folders: BTreeSet<u32>,
    pub rejected: Vec<String>,
    pub released: BTreeSet<u32>,
    pub gone: bool,
    pub study_folder_removed: bool,
    pub seed: u64,
    /// In percent: how often an attempt ends in each way other than with a good metrics file.
    pub trouble: u32,
    /// Every number that was ever created.
    pub used: BTreeSet<u32>,
    pub starts: u32,
    pub results: u32,
}

pub fn study(spec: &serde_json::Value, generation: i64) -> Study {
    let spec: StudySpec = serde_json::from_value(spec.clone()).unwrap();
    let identity = Identity {
        name: "s".into(),
        namespace: "default".into(),
        uid: "0c1b".into(),
        generation,
        created: Timestamp::UNIX_EPOCH,
        deleting: false,
    };
    Study::compile(identity, spec, &[]).unwrap_or_else(|e| panic!("{e}"))
}

/// How an attempt ends: fixed by the seed, the trial's number and the attempt.
enum Fate {
    Value(f64),
    BadMetrics,
    Fails(Failure),
    Vanishes { leaves: Option<f64> },
}

impl World {
    pub fn new(spec: &serde_json::Value, seed: u64, trouble: u32) -> Self {
        Self {
            study: study(spec, 1),
            snapshot: Snapshot::default(),
            now: Timestamp::UNIX_EPOCH,
            folders: BTreeSet::new(),
            rejected: Vec::new(),
            released: BTreeSet::new(),
            gone: false,
            study_folder_removed: false,
            seed,
            trouble,
            used: BTreeSet::new(),
            starts: 0,
            results: 0,
        }
    }

    /// What earlier studies found, where the study starts from that: one result.
    fn earlier(&self) -> Earlier {
        let found = results_of(&self.study, b"Status,x,n,Objective\nCOMPLETED,1,2,0.5\n").unwrap();
        Earlier::new(&self.study, found.past, 1, String::new())
    }

    pub fn plan(&self) -> Plan {
        plan(&self.study, &self.snapshot, self.now)
    }

    pub fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    /// Another spec, as an update of the object makes it.
    pub fn update(&mut self, change: impl FnOnce(&mut StudySpec)) {
        let mut spec = self.study.spec.clone();
        change(&mut spec);
        let deleting = self.study.deleting;
        self.study = study(&serde_json::to_value(spec).unwrap(), self.study.generation + 1);
        self.study.deleting = deleting;
    }

    pub fn request(&mut self, name: &str, parameters: &serde_json::Value) {
        let mut request = Request::default();
        request.request.name = name.to_owned();
        request.request.uid = format!("uid-{name}");
        request.parameters = serde_json::from_value(parameters.clone()).unwrap();
        self.snapshot.requests.push(request);
    }

    fn fate(&self, number: u32, attempt: u32) -> Fate {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::from(number) << 32 | u64::from(attempt));
        let value = f64::from(rng.random_range(0..1000_u32)) / 1000.0;
        if rng.random_range(0..100_u32) >= self.trouble {
            return Fate::Value(value);
        }
        match rng.random_range(0..7_u32) {
            0 => Fate::BadMetrics,
            1 => Fate::Fails(Failure::Failed),
            2 => Fate::Fails(Failure::TimedOut),
            3 => Fate::Fails(Failure::Preempted),
            4 => Fate::Fails(Failure::Interrupted),
            5 => Fate::Vanishes { leaves: None },
            _ => Fate::Vanishes { leaves: Some(value) },
        }
    }

    fn trial(&mut self, number: u32) -> &mut Trial {
        let index = self.snapshot.trials.binary_search_by_key(&number, |t| t.number);
        &mut self.snapshot.trials[index.expect("a step whose requirements hold names a trial that exists")]
    }

    pub fn active(&self) -> Vec<u32> {
        let is_active = |t: &&Trial| t.run.as_ref().is_some_and(|r| r.state == RunState::Active);
        self.snapshot
            .trials
            .iter()
            .filter(is_active)
            .map(|t| t.number)
            .collect()
    }

    /// Lets the run of a trial end as its fate is.
    pub fn end(&mut self, number: u32) {
        let attempt = self.trial(number).run.as_ref().unwrap().attempt;
        let state = match self.fate(number, attempt) {
            Fate::Value(_) | Fate::BadMetrics => RunState::Succeeded,
            Fate::Fails(failure) => RunState::Failed(failure, "as its fate is".into()),
            Fate::Vanishes { .. } => RunState::Gone,
        };
        self.trial(number).run = Some(Run { attempt, state });
    }

    /// Applies all steps of a plan whose requirements hold now, or the first `most` of those.
    pub fn apply(&mut self, plan: &Plan, most: usize) -> usize {
        let mut applied = 0;
        for step in &plan.steps {
            if applied == most {
                break;
            }
            if step.is_due(&self.study, &self.snapshot) {
                self.act(&step.action);
                self.check();
                applied += 1;
            }
        }
        applied
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::ClaimFolder => self.snapshot.folder = Folder::Claimed,
            Action::ReadHistory => self.snapshot.memory = Memory::Known(Arc::new(self.earlier())),
            Action::CreateTrial {
                number,
                parameters,
                origin,
                continues,
            } => {
                assert!(self.used.insert(*number), "number {number} was used twice");
                assert_eq!(self.used.len(), *number as usize, "numbers are dense");
                let trial = Trial {
                    number: *number,
                    parameters: parameters.clone(),
                    config: Some(self.study.space.parse(parameters).expect("a proposal is of the space")),
                    origin: origin.clone(),
                    continues: *continues,
                    ..Trial::default()
                };
                self.snapshot.trials.push(trial);
                // Where parallelism was lowered, more may still run; but nothing is added.
                let unfinished = self.snapshot.trials.iter().filter(|t| !t.is_finished()).count();
                assert!(
                    unfinished <= self.study.spec.parallelism as usize,
                    "{unfinished} unfinished trials"
                );
            }
            Action::Admit { request, .. } => self.snapshot.requests.retain(|r| r.request != *request),
            Action::Reject { request, reason, .. } => {
                self.snapshot.requests.retain(|r| r.request != *request);
                self.rejected.push(reason.clone());
            }
            Action::Start { number, attempt } => {
                let others = self.snapshot.running_beside(*number);
                assert!(others < self.study.spec.parallelism, "{others} others run");
                let before = self.trial(*number).status.clone();
                let status = started(&self.study, *number, &before, *attempt, self.now);
                let trial = self.trial(*number);
                assert!(!trial.is_finished());
                trial.status = status;
                trial.metrics = None;
                trial.run = Some(Run {
                    attempt: *attempt,
                    state: RunState::Active,
                });
                self.folders.insert(*number);
                self.starts += 1;
            }
            Action::Stop { number, attempt } => {
                let run = Run {
                    attempt: *attempt,
                    state: RunState::Failed(Failure::Stopped, "stopped".into()),
                };
                self.trial(*number).run = Some(run);
            }
            Action::ReadMetrics { number, attempt } => {
                let value = match self.fate(*number, *attempt) {
                    Fate::Value(value) | Fate::Vanishes { leaves: Some(value) } => Some(value),
                    Fate::BadMetrics => None,
                    _ => {
                        self.trial(*number).metrics = Some(Err(MetricsError::MetricsMissing("there".into())));
                        return;
                    }
                };
                let file = value.map_or("{}".into(), |v| format!("{{\"loss\": {v}}}"));
                let reading = self.study.objective.read(file.as_bytes());
                self.trial(*number).metrics = Some(reading);
            }
            Action::Record { number, status } => {
                let limit = self.study.spec.retries.limit;
                let trial = self.trial(*number);
                assert!(!trial.is_finished(), "an outcome is never changed");
                let is_retried = status.phase == TrialPhase::Pending && status.failures > trial.status.failures;
                assert!(!is_retried || status.failures <= limit, "{status:?}");
                assert!(status.preemptions <= 10, "{status:?}");
                trial.status = (**status).clone();
            }
            Action::DeleteFolder { number } => {
                self.check_deletion(*number);
                self.folders.remove(number);
                self.trial(*number).status.files = Some(Files::Deleted);
            }
            Action::ReleaseTrial { number } => {
                assert!(self.snapshot.status.last_number >= *number);
                self.released.insert(*number);
                self.snapshot.trials.retain(|t| t.number != *number);
            }
            Action::WriteResults { revision, report } => {
                self.results += 1;
                self.snapshot.written = Some(Written {
                    revision: *revision,
                    at: self.now,
                });
                if *report {
                    self.snapshot.reported = self.snapshot.written;
                }
            }
            Action::RemoveStudyFolder => {
                self.study_folder_removed = true;
                self.folders.clear();
                self.snapshot.folder = Folder::Removed;
            }
            Action::ReleaseStudy | Action::DeleteStudy => {
                assert!(self.active().is_empty());
                self.gone = true;
            }
        }
    }

    /// What must hold at every moment.
    fn check(&self) {
        let spec = &self.study.spec;
        if let Some(most) = spec.budget.trials {
            assert!(self.used.len() <= most as usize, "{} trials", self.used.len());
        }
    }

    /// A folder goes only as the strategy says, a best trial's only after as many better ones are recorded as are to be kept.
    fn check_deletion(&self, number: u32) {
        let trial = self.snapshot.trial(number).unwrap();
        assert!(trial.is_finished());
        match self.study.spec.storage.strategy {
            Strategy::Keep => panic!("Keep deletes nothing"),
            Strategy::Delete => {}
            Strategy::Best => {
                let Some(value) = trial.objective() else { return };
                let key = |v: f64, n: u32| (self.study.objective.loss(v), n);
                let is_better = |t: &&Trial| t.objective().is_some_and(|v| key(v, t.number) < key(value, number));
                let better = self.snapshot.trials.iter().filter(is_better).count();
                assert!(
                    better >= self.study.spec.storage.keep_top as usize,
                    "{number} is among the best"
                );
            }
        }
    }

    /// Plans and applies until there is nothing to do at this moment.
    pub fn settle(&mut self) {
        for _ in 0..1000 {
            let plan = self.plan();
            let same = self.snapshot.status == plan.status;
            self.snapshot.status = plan.status.clone();
            if self.apply(&plan, usize::MAX) == 0 && same {
                return;
            }
        }
        panic!("never settles: {:#?}", self.plan());
    }

    /// Runs the study to its end, undisturbed: the lowest number ends first.
    pub fn run(&mut self) {
        for _ in 0..10_000 {
            self.settle();
            match self.active().first() {
                Some(number) => self.end(*number),
                None if self.is_over() => return,
                None => {
                    let wake = self.plan().again_at;
                    self.now = wake.expect("a study that has not ended and runs nothing waits for a moment");
                }
            }
        }
        panic!("never ends");
    }

    pub fn is_over(&self) -> bool {
        self.gone || self.snapshot.status.phase.is_finished()
    }

    /// What came out, without times.
    pub fn outcome(&self) -> BTreeMap<u32, (serde_json::Value, TrialPhase, Vec<f64>, Option<Files>)> {
        let of = |t: &Trial| {
            let parameters = serde_json::to_value(&t.parameters).unwrap();
            (parameters, t.status.phase, t.status.objectives.clone(), t.status.files)
        };
        self.snapshot.trials.iter().map(|t| (t.number, of(t))).collect()
    }
}
