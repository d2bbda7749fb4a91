//! The loop: plan, do what the plan says, wait for something to happen.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};

use super::{
    attempt::{Prepared, Program},
    environment::Environment,
    error::{RunError, exit},
    history,
    layout::Layout,
    ledger::Ledger,
    process::Order,
    s3::Server,
    summary::{Places, summary},
    view::View,
};
use crate::{
    api::StudyPhase,
    storage::{Location, Store},
    study::{Action, Folder, RESULTS_INTERVAL, RunState, Study, plan},
};

/// A study that runs on this machine.
pub(super) struct Runner {
    pub study: Study,
    pub program: Program,
    pub ledger: Ledger,
    pub layout: Layout,
    pub server: Server,
    pub store: Store,
    /// The study's folder.
    pub folder: Location,
    pub environment: Environment,
    pub view: View,
    pub attempts: Attempts,
    /// Where earlier studies' results are.
    pub sources: history::Places,
}

/// The attempts whose processes run.
pub(super) struct Attempts {
    running: HashMap<u32, Running>,
    sender: mpsc::UnboundedSender<Event>,
    events: mpsc::UnboundedReceiver<Event>,
    /// How often a person has asked for an end.
    signals: u32,
}

struct Running {
    attempt: u32,
    /// Gone once an order was given.
    order: Option<oneshot::Sender<Order>>,
}

/// Something that has happened.
enum Event {
    Ended { number: u32, attempt: u32, state: RunState },
    Signal,
}

/// Why the loop has ended.
enum End {
    Finished(StudyPhase),
    /// `spec.suspend` is true, and nothing runs any more.
    Suspended,
    Interrupted,
}

impl Attempts {
    /// No attempts yet. From now on, SIGINT, SIGTERM and SIGHUP are requests to end.
    pub fn new() -> std::io::Result<Self> {
        let (sender, events) = mpsc::unbounded_channel();
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            let mut signals = signal(kind)?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while signals
                    .recv()
                    .await
                    .is_some_and(|()| sender.send(Event::Signal).is_ok())
                {}
            });
        }
        // With a handler, a write beyond a file size limit is an error that can be told; without one, it ends the program.
        let mut beyond_limit = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
        tokio::spawn(async move { while beyond_limit.recv().await.is_some() {} });
        Ok(Self {
            running: HashMap::new(),
            sender,
            events,
            signals: 0,
        })
    }
}

impl Runner {
    /// Runs the study until it is finished or a person ends the run, and prints what came of it. Gives the exit status.
    pub async fn run(mut self) -> Result<u8, RunError> {
        let end = self.passes().await;
        // Whatever the reason: nothing is left running that nobody supervises.
        self.interrupt_all().await;
        self.view.close();
        let end = end?;
        let places = self.places();
        let text = summary(&self.study, self.ledger.snapshot(), &places);
        print(&text);
        let goes_on = "The same command goes on from here.";
        Ok(match end {
            End::Finished(StudyPhase::Succeeded) => {
                self.view.insist(&format!("The study is complete: {}", self.outcome()));
                exit::SUCCEEDED
            }
            End::Finished(_) => {
                self.view.insist(&format!("The study failed: {}", self.outcome()));
                exit::FAILED
            }
            End::Suspended => {
                self.view
                    .insist("The study is suspended: set spec.suspend to false, and the same command goes on.");
                exit::FAILED
            }
            End::Interrupted => {
                self.view.insist(&format!("Interrupted. {goes_on}"));
                exit::INTERRUPTED
            }
        })
    }

    async fn passes(&mut self) -> Result<End, RunError> {
        loop {
            self.take_events();
            if self.attempts.signals > 1 {
                return Ok(End::Interrupted);
            }
            if let Folder::Refused(_, message) = &self.ledger.snapshot().folder {
                return Err(RunError::BadRequest(message.clone()));
            }
            let now = Timestamp::now();
            let plan = plan(&self.study, self.ledger.snapshot(), now);
            self.view.update(&plan.status);
            let phase = plan.status.phase;
            self.ledger.set_status(plan.status, &self.study.space)?;
            let mut has_effect = false;
            for step in plan.steps {
                if step.is_due(&self.study, self.ledger.snapshot()) {
                    has_effect |= self.apply(step.action, now).await?;
                }
            }
            if has_effect {
                continue;
            }
            if self.attempts.running.is_empty() {
                if phase.is_finished() {
                    return Ok(End::Finished(phase));
                }
                if self.study.spec.suspend {
                    self.last_results(now).await?;
                    let interrupted = self.attempts.signals > 0;
                    return Ok(if interrupted { End::Interrupted } else { End::Suspended });
                }
                if plan.again_at.is_none() {
                    return Err(RunError::Fault(format!("the study cannot go on: {}", self.outcome())));
                }
            }
            self.wait(plan.again_at).await;
        }
    }

    /// Writes the result files where they would be due later, as nothing comes later.
    async fn last_results(&mut self, now: Timestamp) -> Result<(), RunError> {
        let later = now.checked_add(RESULTS_INTERVAL.saturating_mul(2)).unwrap_or(now);
        for step in plan(&self.study, self.ledger.snapshot(), later).steps {
            if matches!(step.action, Action::WriteResults { .. }) {
                self.apply(step.action, now).await?;
            }
        }
        Ok(())
    }

    /// Waits for the next event, or for `until`.
    async fn wait(&mut self, until: Option<Timestamp>) {
        let next = self.attempts.events.recv();
        let event = match until {
            None => next.await,
            Some(until) => {
                let wait = until.duration_since(Timestamp::now()).max(jiff::SignedDuration::ZERO);
                // A little later rather than a little too early: then the plan would find nothing to do, again and again.
                let wait = Duration::try_from(wait)
                    .unwrap_or_default()
                    .saturating_add(Duration::from_millis(1));
                tokio::time::timeout(wait, next).await.ok().flatten()
            }
        };
        if let Some(event) = event {
            self.take(event);
        }
    }

    fn take_events(&mut self) {
        while let Ok(event) = self.attempts.events.try_recv() {
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Ended { number, attempt, state } => {
                self.attempts.running.remove(&number);
                self.ledger.set_run(number, attempt, state);
            }
            Event::Signal => self.signalled(),
        }
    }

    fn signalled(&mut self) {
        self.attempts.signals = self.attempts.signals.saturating_add(1);
        self.view.ending();
        let running = self.attempts.running.len();
        if self.attempts.signals == 1 {
            // A study that is suspended starts nothing new, and does not count the time until it goes on.
            self.study.spec.suspend = true;
            if running > 0 {
                let what = if running == 1 {
                    "The running trial finishes".to_owned()
                } else {
                    format!("{running} running trials finish")
                };
                self.view
                    .insist(&format!("{what}; nothing new is started. Ctrl-C again ends what runs."));
            }
        } else if running > 0 {
            self.view.insist("Ending what runs.");
        }
    }

    /// Runs an attempt in the background.
    pub fn spawn(&mut self, number: u32, attempt: u32, prepared: Prepared) {
        let (order, orders) = oneshot::channel();
        let sender = self.attempts.sender.clone();
        let store = self.store.clone();
        self.attempts.running.insert(
            number,
            Running {
                attempt,
                order: Some(order),
            },
        );
        tokio::spawn(async move {
            let state = prepared.run(&store, orders).await;
            // Nobody listens any more only when the program is about to end.
            let _ = sender.send(Event::Ended { number, attempt, state });
        });
    }

    /// Gives an order to an attempt; false where it has had one already, or does not run.
    pub fn order(&mut self, number: u32, attempt: u32, order: Order) -> bool {
        let running = self.attempts.running.get_mut(&number).filter(|r| r.attempt == attempt);
        running
            .and_then(|r| r.order.take())
            .is_some_and(|orders| orders.send(order).is_ok())
    }

    /// Ends all that runs, and waits for it.
    async fn interrupt_all(&mut self) {
        for running in self.attempts.running.values_mut() {
            if let Some(orders) = running.order.take() {
                let _ = orders.send(Order::Interrupt);
            }
        }
        while !self.attempts.running.is_empty() {
            self.wait(None).await;
        }
    }

    /// Why the study ended, or cannot go on, as its conditions say.
    fn outcome(&self) -> String {
        let conditions = &self.ledger.snapshot().status.conditions;
        let holds = |kind: &str, status: &str| conditions.iter().find(|c| c.type_ == kind && c.status == status);
        let condition = holds("Failed", "True")
            .or_else(|| holds("Complete", "True"))
            .or_else(|| holds("Ready", "False"));
        condition.map_or_else(|| "no reason is known".to_owned(), |c| c.message.clone())
    }

    fn places(&self) -> Places {
        let status = &self.ledger.snapshot().status;
        let path = |address: &str| {
            let location: Location = address.parse().ok()?;
            let path = self.server.path_of(&location).ok()?;
            path.exists().then(|| path.display().to_string())
        };
        let best = status.best.as_ref().and_then(|b| path(b.output_path.as_ref()?));
        let files = status
            .results
            .as_ref()
            .map(|r| [Some(&r.trials), r.best.as_ref(), Some(&r.config), Some(&r.report)]);
        let results = files
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|file| path(file))
            .collect();
        Places {
            best,
            results,
            logs: self.layout.logs().display().to_string(),
        }
    }
}

/// Prints to standard output; nobody reading it is no reason to fail.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
