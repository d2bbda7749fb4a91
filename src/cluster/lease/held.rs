//! A Lease that is ours: renewed until it is lost or given up.

use k8s_openapi::api::coordination::v1::Lease as Record;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use super::{Lease, Trouble, record};

/// How often a release is tried: each time another write of ours may have come in between.
const RELEASES: u32 = 3;

/// Why a Lease is not ours any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// The API server took no renewal in time.
    #[error("the lease could not be renewed in time: {0}")]
    NotRenewed(String),
    /// Somebody else has it, or has taken it away.
    #[error("the lease was taken by {0}")]
    Taken(String),
}

#[derive(Clone, Debug)]
enum State {
    /// Ours until then, whatever happens.
    Held(Instant),
    Lost(Loss),
}

/// A Lease that is ours, and that is renewed by a task of its own. Dropped, it is renewed no more, and others have to wait for its end;
/// [`Held::release`] lets them go on at once.
#[derive(Debug)]
pub struct Held {
    lease: Lease,
    state: watch::Receiver<State>,
    ours: Record,
    task: AbortOnDropHandle<()>,
}

/// Whether a Lease is ours, for those who act by it.
#[derive(Clone, Debug)]
pub struct Holding {
    state: watch::Receiver<State>,
}

impl Holding {
    /// Whether it is ours at this moment. To be asked before anything is written that another holder could also write: a program that
    /// was stopped for a while knows it before [`Held::lost`] can tell.
    pub fn is_held(&self) -> bool {
        matches!(*self.state.borrow(), State::Held(until) if Instant::now() < until)
    }
}

impl Held {
    /// Held by `ours`, which was sent at `sent`.
    pub(super) fn new(lease: Lease, ours: Record, sent: Instant) -> Self {
        let (tell, state) = watch::channel(State::Held(sent + lease.timing.renew_deadline));
        let renewal = Renewal {
            lease: lease.clone(),
            ours: ours.clone(),
            sent,
            tell,
        };
        Self {
            lease,
            state,
            ours,
            task: AbortOnDropHandle::new(tokio::spawn(renewal.run())),
        }
    }

    /// Whether it is ours at this moment, see [`Holding::is_held`].
    pub fn is_held(&self) -> bool {
        self.holding().is_held()
    }

    /// What others ask whether it is ours.
    pub fn holding(&self) -> Holding {
        Holding {
            state: self.state.clone(),
        }
    }

    /// Waits until it is not ours any more. Whoever acted by it stops acting then: others may take it soon.
    pub async fn lost(&self) -> Loss {
        let mut state = self.state.clone();
        loop {
            let until = match &*state.borrow_and_update() {
                State::Held(until) => *until,
                State::Lost(loss) => return loss.clone(),
            };
            tokio::select! {
                biased;
                () = sleep_until(until) => return Loss::NotRenewed("no renewal was answered".to_owned()),
                changed = state.changed() => if changed.is_err() {
                    sleep_until(until).await;
                    return Loss::NotRenewed("it is renewed no more".to_owned());
                },
            }
        }
    }

    /// Gives it up, so that another goes on at once. To be called when nothing acts by it any more. Says whether the API server took it;
    /// where it did not, the others wait as long as after a crash.
    pub async fn release(self) -> bool {
        self.task.abort();
        // However it ended, it writes no more.
        let _ = self.task.await;
        for _ in 0..RELEASES {
            match self.lease.release(&self.ours).await {
                Ok(released) => return released,
                // A renewal that nobody waited for any more came in between.
                Err(Trouble::Beaten) => {}
                Err(trouble) => {
                    warn!(lease = %self.lease, "the lease could not be given up: {trouble}");
                    return false;
                }
            }
        }
        false
    }
}

impl Lease {
    async fn release(&self, ours: &Record) -> Result<bool, Trouble> {
        let Some(record) = self.get().await? else {
            return Ok(true);
        };
        let spec = record.spec.clone().unwrap_or_default();
        if !record::is_same_holder(&spec, &ours.spec.clone().unwrap_or_default()) {
            return Ok(false);
        }
        let released = Record {
            spec: Some(record::released(&spec, self)),
            ..record
        };
        self.replace(&released).await?;
        info!(lease = %self, "gave up the lease");
        Ok(true)
    }
}

/// The task that renews.
struct Renewal {
    lease: Lease,
    /// As it was last written by us.
    ours: Record,
    /// When that write was sent.
    sent: Instant,
    tell: watch::Sender<State>,
}

/// What a try to renew came to.
enum Renewed {
    Ours(Box<Record>, Instant),
    Taken(String),
}

impl Renewal {
    async fn run(mut self) {
        let mut trouble = String::from("no renewal was answered");
        let mut next = self.sent + self.lease.timing.retry_period;
        loop {
            sleep_until(next).await;
            let until = self.sent + self.lease.timing.renew_deadline;
            if Instant::now() >= until {
                return self.lose(Loss::NotRenewed(trouble));
            }
            next = Instant::now() + self.lease.timing.retry_period;
            match timeout_at(until, self.renew()).await {
                Ok(Ok(Renewed::Ours(record, sent))) => {
                    self.ours = *record;
                    self.sent = sent;
                    debug!(lease = %self.lease, "renewed the lease");
                    self.tell
                        .send_replace(State::Held(sent + self.lease.timing.renew_deadline));
                }
                Ok(Ok(Renewed::Taken(by))) => return self.lose(Loss::Taken(by)),
                Ok(Err(problem)) => {
                    trouble = problem.to_string();
                    warn!(lease = %self.lease, "the lease could not be renewed: {trouble}");
                }
                Err(_) => return self.lose(Loss::NotRenewed(trouble)),
            }
        }
    }

    fn lose(&self, loss: Loss) {
        warn!(lease = %self.lease, "{loss}");
        self.tell.send_replace(State::Lost(loss));
    }

    async fn renew(&self) -> Result<Renewed, Trouble> {
        match self.write(&self.ours).await {
            Err(Trouble::Beaten | Trouble::Missing) => {}
            result => return result,
        }
        // A renewal that was not answered may have been taken, a person may have put a label on it: that does not end it.
        let Some(now) = self.lease.get().await? else {
            return self.recreate().await;
        };
        let spec = now.spec.clone().unwrap_or_default();
        if record::is_same_holder(&spec, &self.ours.spec.clone().unwrap_or_default()) {
            self.write(&now).await
        } else {
            let by = record::holder(&spec).map_or_else(|| "nobody: it was emptied".to_owned(), ToOwned::to_owned);
            Ok(Renewed::Taken(by))
        }
    }

    async fn write(&self, before: &Record) -> Result<Renewed, Trouble> {
        let sent = Instant::now();
        let renewed = Record {
            spec: before.spec.as_ref().map(|spec| record::renewed(spec, &self.lease)),
            ..before.clone()
        };
        let written = self.lease.replace(&renewed).await?;
        Ok(Renewed::Ours(Box::new(written), sent))
    }

    /// Somebody deleted it. Contenders who knew it wait for its end as before.
    async fn recreate(&self) -> Result<Renewed, Trouble> {
        let sent = Instant::now();
        let spec = self.ours.spec.clone().unwrap_or_default();
        let again = record::new(&self.lease.name, record::renewed(&spec, &self.lease));
        let created = self.lease.create(&again).await?;
        Ok(Renewed::Ours(Box::new(created), sent))
    }
}
