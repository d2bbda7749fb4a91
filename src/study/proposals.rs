//! New trials: requests first, oldest first, then what the sampler suggests, as far as parallelism and budget allow.

use super::{Action, Requirement, Snapshot, Step, Study, Trial, bounded, trial};
use crate::{
    api::{Origin, ParameterMap, TrialPhase},
    sampler::{Context, Observation, Outcome, Suggestion},
    space::Config,
};

/// The new trials of one pass.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    /// Their creation and first attempts, and what becomes of requests.
    pub steps: Vec<Step>,
    /// Whether nothing is left to propose and nothing unfinished might change that.
    pub exhausted: bool,
}

/// What becomes of requests whatever the study does: admitted ones are marked, impossible ones rejected. The rest is returned.
pub(super) fn settle_requests<'a>(
    study: &Study,
    snapshot: &'a Snapshot,
    is_over: bool,
) -> (Vec<Step>, Vec<(&'a super::Request, Config)>) {
    let mut steps = Vec::new();
    let mut open = Vec::new();
    for request in &snapshot.requests {
        let reference = request.request.clone();
        let is_its = |t: &&Trial| t.origin.request.as_ref().is_some_and(|r| r.uid == reference.uid);
        let mut requires = vec![Requirement::OpenRequest(reference.clone())];
        if let Some(trial) = snapshot.trials.iter().find(is_its) {
            let number = trial.number;
            requires.push(Requirement::Exists(number));
            let request = reference;
            let action = Action::Admit { request, number };
            steps.push(Step { action, requires });
            continue;
        }
        let rejection = match study.space.read(&request.parameters) {
            _ if is_over => ("StudyFinished", "the study has finished".to_owned()),
            Err(errors) => ("OutsideSpace", errors.to_string()),
            Ok(config) => {
                open.push((request, config));
                continue;
            }
        };
        let action = Action::Reject {
            request: reference,
            reason: rejection.0.to_owned(),
            message: bounded(rejection.1),
        };
        steps.push(Step { action, requires });
    }
    (steps, open)
}

/// What earlier studies found, then the trials, as samplers see them.
fn history<'a>(study: &'a Study, snapshot: &'a Snapshot) -> Vec<Observation<'a>> {
    let observe = |t: &'a Trial| {
        let outcome = match (t.objective(), t.status.phase) {
            (Some(value), _) => Outcome::Value(study.objective.loss(value)),
            (None, TrialPhase::Failed | TrialPhase::Stopped) => Outcome::Failed,
            (None, _) => Outcome::Pending,
        };
        Some(Observation {
            number: t.number,
            config: t.config.as_ref()?,
            origin: &t.origin,
            outcome,
        })
    };
    let earlier = snapshot.earlier().into_iter();
    earlier
        .flat_map(|earlier| earlier.observations(study))
        .chain(snapshot.trials.iter().filter_map(observe))
        .collect()
}

/// The trials to create now.
pub(super) fn propose(study: &Study, snapshot: &Snapshot, open: &[(&super::Request, Config)]) -> Proposals {
    let unfinished = snapshot.trials.iter().filter(|t| !t.is_finished()).count();
    let last = snapshot.last_number();
    let free = (study.spec.parallelism as usize).saturating_sub(unfinished);
    let left = study
        .spec
        .budget
        .trials
        .map_or(usize::MAX, |most| most.saturating_sub(last) as usize);
    let mut wanted = free.min(left);
    let mut proposals = Proposals::default();
    let mut new = Created {
        study,
        next: last,
        made: Vec::new(),
    };
    for (request, config) in open.iter().take(wanted) {
        let origin = Origin {
            request: Some(request.request.clone()),
            ..Origin::default()
        };
        new.push(&mut proposals.steps, config.clone(), origin, None);
        wanted -= 1;
    }
    let past = if wanted > 0 {
        history(study, snapshot)
    } else {
        Vec::new()
    };
    while wanted > 0 {
        match new.suggest(&past) {
            Suggestion::New { config, origin } => new.push(&mut proposals.steps, config, origin, None),
            Suggestion::Continue { from, .. } => {
                let Some(Some(config)) = snapshot.trial(from).map(|t| t.config.clone()) else {
                    break;
                };
                new.push(&mut proposals.steps, config, Origin::default(), Some(from));
            }
            Suggestion::Wait | Suggestion::Done => {
                proposals.exhausted = unfinished == 0 && new.made.is_empty();
                break;
            }
        }
        wanted -= 1;
    }
    proposals
}

/// The trials that this pass creates.
struct Created<'a> {
    study: &'a Study,
    next: u32,
    made: Vec<(u32, Config, Origin)>,
}

impl Created<'_> {
    /// Asks the sampler, the trials of this pass being in its history.
    fn suggest(&self, past: &[Observation<'_>]) -> Suggestion {
        let made = self.made.iter().map(|(number, config, origin)| Observation {
            number: *number,
            config,
            origin,
            outcome: Outcome::Pending,
        });
        let history: Vec<Observation<'_>> = past.iter().copied().chain(made).collect();
        let context = Context {
            space: &self.study.space,
            seed: self.study.seed,
            duplicates: self.study.spec.algorithm.duplicates,
            parallelism: self.study.spec.parallelism,
            budget: self.study.spec.budget.trials,
            number: self.next.saturating_add(1),
        };
        self.study.sampler.suggest(&context, &history)
    }

    fn push(&mut self, steps: &mut Vec<Step>, config: Config, origin: Origin, continues: Option<u32>) {
        self.next = self.next.saturating_add(1);
        let number = self.next;
        let mut requires = vec![
            Requirement::Generation(self.study.generation),
            Requirement::OwnsFolder,
            Requirement::NextNumber(number),
        ];
        requires.extend(origin.request.clone().map(Requirement::OpenRequest));
        requires.extend(self.made.last().map(|(number, _, origin)| Requirement::Proposed {
            number: *number,
            origin: origin.clone(),
        }));
        let parameters: ParameterMap = self.study.space.write(&config);
        let action = Action::CreateTrial {
            number,
            parameters,
            origin: origin.clone(),
            continues,
        };
        steps.push(Step { action, requires });
        steps.push(trial::first_start(self.study, number));
        self.made.push((number, config, origin));
    }
}
