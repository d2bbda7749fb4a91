//! Whether the controller is alive, and how far it has come.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often [`Health::during`] says that all is well.
const BEAT: Duration = Duration::from_secs(1);

/// How far the controller has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not reached the API server yet.
    Starting,
    /// It waits for the lease, and could go on at any moment.
    Standby,
    /// It holds the lease and reads what there is.
    Syncing,
    /// It holds the lease and acts.
    Acting,
    /// It was told to end.
    Stopping,
}

/// What the probes say. Cheap to clone; clones are one.
///
/// Standby is ready: a rolling update starts the new controller beside the old one, waits until it is ready, and only then ends the old one, which
/// gives the lease up.
#[derive(Clone, Debug)]
pub struct Health {
    limit: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    beat: Instant,
    stage: Stage,
}

impl Health {
    /// Starting, and alive for `limit` without a beat.
    pub fn new(limit: Duration) -> Self {
        let state = State {
            beat: Instant::now(),
            stage: Stage::Starting,
        };
        Self {
            limit,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The main loop has come round.
    pub fn beat(&self) {
        self.with(|state| state.beat = Instant::now());
    }

    /// It has come that far.
    pub fn set(&self, stage: Stage) {
        self.with(|state| state.stage = stage);
    }

    /// Waits for something that may take long, e.g. the lease, and beats meanwhile.
    pub async fn during<T>(&self, wait: impl Future<Output = T>) -> T {
        let mut wait = std::pin::pin!(wait);
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                result = &mut wait => return result,
                _ = beats.tick() => self.beat(),
            }
        }
    }

    /// Whether the main loop comes round, in words.
    ///
    /// # Errors
    /// It has not for too long.
    pub fn alive(&self) -> Result<String, String> {
        let since = self.with(|state| state.beat.elapsed());
        match since <= self.limit {
            true => Ok("ok".to_owned()),
            false => Err(format!("the main loop has not come round for {} s", since.as_secs())),
        }
    }

    /// Whether it may be relied on, in words.
    ///
    /// # Errors
    /// Not yet, or not any more.
    pub fn ready(&self) -> Result<String, String> {
        let words = |text: &str| text.to_owned();
        match self.with(|state| state.stage) {
            Stage::Starting => Err(words("starting: the API server has not been reached yet")),
            Stage::Standby => Ok(words("standby: another controller holds the lease")),
            Stage::Syncing => Err(words("syncing: studies, trials and workflows are being read")),
            Stage::Acting => Ok(words("acting: holds the lease")),
            Stage::Stopping => Err(words("stopping")),
        }
    }
}
