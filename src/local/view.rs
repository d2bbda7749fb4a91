//! What the terminal shows while the study runs: a live view where there is a terminal, plain lines where there is none.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::wording;
use crate::{
    api::{ParameterMap, StudyStatus, TrialPhase, TrialStatus},
    study::Study,
};

/// How often the live view is drawn.
const TICK: Duration = Duration::from_millis(200);
/// In a terminal that has fewer columns there is no bar.
const NARROW: usize = 70;
/// How many running trials the live view shows at most.
const SHOWN: usize = 16;
/// How many plain lines may come at once, and how many in a second after that; of what would be more only a summary is printed.
const BURST: u32 = 20;
const PER_SECOND: f64 = 2.0;

/// What the terminal shows.
pub struct View {
    shown: Arc<Mutex<Shown>>,
    bar: Option<ProgressBar>,
    allowance: Allowance,
}

/// What is known to be shown.
#[derive(Default)]
struct Shown {
    running: BTreeMap<u32, Running>,
    status: StudyStatus,
    objective: String,
    /// Whether the status is that of this run.
    has_begun: bool,
    /// Said instead of the time left, once nothing new is started.
    ending: bool,
    /// The number of trials wanted, where that is known.
    budget: Option<u32>,
    /// How many were finished when this run began: the time left follows from the others.
    before: u32,
    since: Option<Instant>,
}

struct Running {
    attempt: u32,
    parameters: String,
    since: Instant,
}

impl View {
    /// The view of `study`, which goes on from `status`.
    pub fn new(study: &Study, status: &StudyStatus) -> Self {
        let objective = study
            .spec
            .objectives
            .first()
            .map(|o| o.metric.clone().or(o.value.clone()).unwrap_or_default());
        let shown = Arc::new(Mutex::new(Shown {
            objective: objective.unwrap_or_default(),
            budget: study.spec.budget.trials,
            before: finished(status),
            status: status.clone(),
            since: Some(Instant::now()),
            ..Shown::default()
        }));
        let is_live = std::io::stderr().is_terminal();
        let bar = is_live.then(|| live(&shown, study.spec.budget.trials));
        Self {
            shown,
            bar,
            allowance: Allowance::new(),
        }
    }

    /// An attempt has started.
    pub fn started(&mut self, number: u32, attempt: u32, parameters: &ParameterMap) {
        if self.bar.is_none() {
            let again = if attempt > 1 {
                format!(", attempt {attempt}")
            } else {
                String::new()
            };
            let text = || {
                format!(
                    "trial {number} started{again}: {}",
                    wording::cut(&wording::parameters(parameters), 160)
                )
            };
            self.allowance.line(text);
        }
        let running = Running {
            attempt,
            parameters: wording::parameters(parameters),
            since: Instant::now(),
        };
        lock(&self.shown).running.insert(number, running);
    }

    /// An attempt has ended and its trial's status is recorded.
    pub fn recorded(&mut self, number: u32, status: &TrialStatus) {
        let running = lock(&self.shown).running.remove(&number);
        let message = status.message.clone().unwrap_or_default();
        let took = running.map_or(Duration::ZERO, |r| r.since.elapsed());
        match status.phase {
            TrialPhase::Pending => self.say(&format!("trial {number} is tried again: {message}")),
            TrialPhase::Failed => self.say(&format!("trial {number} failed: {message}")),
            TrialPhase::Succeeded | TrialPhase::Stopped if self.bar.is_none() => {
                let how = if status.phase == TrialPhase::Stopped {
                    "stopped"
                } else {
                    "finished"
                };
                let objective = status
                    .objectives
                    .first()
                    .map_or_else(|| "no objective".to_owned(), |v| wording::number(*v));
                self.allowance
                    .line(|| format!("trial {number} {how} in {}: {objective}", wording::elapsed(took)));
            }
            _ => {}
        }
    }

    /// The study's status is now this.
    pub fn update(&mut self, status: &StudyStatus) {
        let best = {
            let mut shown = lock(&self.shown);
            // What was the best when this run began is no news.
            let is_news = std::mem::replace(&mut shown.has_begun, true);
            let best = status.best.as_ref().map(|b| (b.number, b.objectives.clone()));
            let before = shown.status.best.as_ref().map(|b| (b.number, b.objectives.clone()));
            shown.status.clone_from(status);
            best.filter(|best| is_news && before.as_ref() != Some(best))
        };
        match (&self.bar, best) {
            (Some(bar), _) => bar.set_position(u64::from(finished(status))),
            (None, Some((number, objectives))) => {
                let value = objectives.first().map_or_else(String::new, |v| wording::number(*v));
                self.allowance.line(|| format!("best so far: {value} (trial {number})"));
            }
            (None, None) => {}
        }
        if let Some(left_out) = self.allowance.left_out() {
            let line = lock(&self.shown).summary();
            eprintln_or_not(&format!("{line} ({left_out} lines left out)"));
        }
    }

    /// Nothing new is started any more.
    pub fn ending(&mut self) {
        lock(&self.shown).ending = true;
    }

    /// Something that should be known, whatever else is shown; when there are very many such lines, not each.
    pub fn say(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.allowance.line(|| text.to_owned()),
        }
    }

    /// Something that must be seen.
    pub fn insist(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln_or_not(text),
        }
    }

    /// The study, or this run of it, is over.
    pub fn close(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if std::mem::take(&mut self.allowance.omitted) > 0 {
            eprintln_or_not(&lock(&self.shown).summary());
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.close();
    }
}

/// Prints a line to standard error; nobody reading it is no reason to end a study.
fn eprintln_or_not(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn lock(shown: &Mutex<Shown>) -> std::sync::MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

fn finished(status: &StudyStatus) -> u32 {
    let trials = &status.trials;
    trials
        .succeeded
        .saturating_add(trials.failed)
        .saturating_add(trials.stopped)
}

fn live(shown: &Arc<Mutex<Shown>>, budget: Option<u32>) -> ProgressBar {
    let length = budget.map(u64::from);
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(10));
    let template = match length {
        Some(_) if width() < NARROW => "{counts}\n{best}\n{running}",
        Some(_) => "{bar:30} {counts}\n{best}\n{running}",
        None => "{spinner} {counts}\n{best}\n{running}",
    };
    let key = |write: fn(&Shown, usize, &mut dyn std::fmt::Write) -> std::fmt::Result| {
        let shown = Arc::clone(shown);
        move |_: &ProgressState, w: &mut dyn std::fmt::Write| {
            let _ = write(&lock(&shown), width(), w);
        }
    };
    // The template is a constant of this file; should it be wrong, the bar looks plain.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style
        .with_key(
            "counts",
            key(|shown, width, w| {
                // Beside the bar, or the spinner.
                let beside = if shown.budget.is_none() {
                    2
                } else if width < NARROW {
                    0
                } else {
                    31
                };
                w.write_str(&wording::cut(&shown.counts(), width.saturating_sub(beside)))
            }),
        )
        .with_key(
            "best",
            key(|shown, width, w| w.write_str(&wording::cut(&shown.best(), width))),
        )
        .with_key("running", key(Shown::write_running))
        .progress_chars("█▉▊▋▌▍▎▏ ");
    bar.set_style(style);
    // Not in one statement: drawing takes the lock, too.
    let done = finished(&lock(shown).status);
    bar.set_position(u64::from(done));
    bar.enable_steady_tick(TICK);
    bar
}

/// How many characters a line of the terminal has.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.ok()
        .map(|s| usize::from(s.ws_col))
        .filter(|w| *w > 0)
        .unwrap_or(100)
        .saturating_sub(1)
}

impl Shown {
    fn counts(&self) -> String {
        let done = finished(&self.status);
        let mut text = match self.budget {
            Some(budget) => format!("{done}/{budget}"),
            None => format!("{done}"),
        };
        text.push_str(" trials");
        let trials = &self.status.trials;
        for (count, what) in [(trials.failed, "failed"), (trials.stopped, "stopped")] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        let elapsed = self.since.map_or(Duration::ZERO, |s| s.elapsed());
        text.push_str(&format!(", {}", wording::elapsed(elapsed)));
        if self.ending {
            text.push_str(", ending");
        } else if let Some(left) = self.left(done, elapsed) {
            text.push_str(&format!(", {} left", wording::elapsed(left)));
        }
        text
    }

    /// The time that the rest takes if it goes on as in this run.
    fn left(&self, done: u32, elapsed: Duration) -> Option<Duration> {
        let here = done.checked_sub(self.before).filter(|n| *n > 0)?;
        let rest = self.budget?.checked_sub(done).filter(|n| *n > 0)?;
        elapsed.checked_mul(rest)?.checked_div(here)
    }

    fn best(&self) -> String {
        match &self.status.best {
            Some(best) => {
                let value = best
                    .objectives
                    .first()
                    .map_or_else(String::new, |v| wording::number(*v));
                let parameters = wording::parameters(&best.parameters);
                format!("best {}: {value} (trial {}: {parameters})", self.objective, best.number)
            }
            None => "no result yet".to_owned(),
        }
    }

    fn write_running(&self, width: usize, w: &mut dyn std::fmt::Write) -> std::fmt::Result {
        for (index, (number, running)) in self.running.iter().take(SHOWN).enumerate() {
            let again = if running.attempt > 1 {
                format!(" (attempt {})", running.attempt)
            } else {
                String::new()
            };
            let took = wording::elapsed(running.since.elapsed());
            let line = format!("  {number}{again}  {took}  {}", running.parameters);
            let separator = if index > 0 { "\n" } else { "" };
            write!(w, "{separator}{}", wording::cut(&line, width))?;
        }
        match self.running.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(w, "\n  and {more} more"),
        }
    }

    fn summary(&self) -> String {
        format!("{}; {}", self.counts(), wording::cut(&self.best(), 160))
    }
}

/// How many lines may be printed: a few at once, then some each second.
struct Allowance {
    left: f64,
    at: Instant,
    omitted: u32,
    reported: Instant,
}

impl Allowance {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            left: f64::from(BURST),
            at: now,
            omitted: 0,
            reported: now,
        }
    }

    fn line(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        let earned = now.duration_since(self.at).as_secs_f64() * PER_SECOND;
        self.left = (self.left + earned).min(f64::from(BURST));
        self.at = now;
        if self.left >= 1.0 {
            self.left -= 1.0;
            eprintln_or_not(&text());
        } else {
            self.omitted = self.omitted.saturating_add(1);
        }
    }

    /// How many lines were left out, when it is time to say so.
    fn left_out(&mut self) -> Option<u32> {
        if self.omitted == 0 || self.reported.elapsed() < Duration::from_secs(2) {
            return None;
        }
        self.reported = Instant::now();
        Some(std::mem::take(&mut self.omitted))
    }
}
