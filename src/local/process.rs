//! Attempts as processes of this machine: each leads its own process group, writes to its own log, and is ended in time.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    process::{Child, Command},
    sync::oneshot,
};

use super::log_tail;
use crate::study::{Failure, RunState};

/// How long a process that is asked to end may take before it is killed.
pub const GRACE: Duration = Duration::from_secs(5);

/// The exit codes by which a shell says that it cannot run a command: it is not executable, it is not there.
const CANNOT_RUN: [i32; 2] = [126, 127];

/// What to run for an attempt.
#[derive(Debug)]
pub struct Launch {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// What its environment has beside or instead of the caller's.
    pub env: Vec<(OsString, OsString)>,
    /// What its environment lacks of the caller's.
    pub env_remove: Vec<OsString>,
    /// The folder it starts in; the caller's where there is none.
    pub dir: Option<PathBuf>,
    /// The file for what it writes to standard output and standard error.
    pub log: PathBuf,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// Whether it is a shell that runs what a person wrote, and says by its exit code that it cannot.
    pub is_shell: bool,
}

/// Why a process that runs is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The study does not need it any more.
    Stop,
    /// The program that supervises it ends.
    Interrupt,
}

impl Launch {
    /// Runs it to its end, or to an order's.
    pub async fn run(self, order: oneshot::Receiver<Order>) -> RunState {
        match self.spawn() {
            Ok(child) => self.supervise(child, order).await,
            Err(state) => state,
        }
    }

    fn spawn(&self) -> Result<Child, RunState> {
        let failed = |what: &str, path: &Path, error: &io::Error| {
            RunState::Failed(Failure::Failed, format!("cannot {what} {}: {error}", path.display()))
        };
        let outputs = File::create(&self.log).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = outputs.map_err(|error| failed("write the log", &self.log, &error))?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0);
        for name in &self.env_remove {
            command.env_remove(name);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        let program = Path::new(&self.program);
        command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => {
                let message = format!("cannot run the command `{}`: {error}", program.display());
                RunState::Failed(Failure::Refused, message)
            }
            _ => failed("run", program, &error),
        })
    }

    async fn supervise(&self, mut child: Child, order: oneshot::Receiver<Order>) -> RunState {
        let group = Group::of(&child);
        let timeout = async {
            match self.timeout {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let ordered = async {
            match order.await {
                Ok(order) => order,
                // Whoever might have ordered it is gone.
                Err(_) => Order::Interrupt,
            }
        };
        let end = tokio::select! {
            // What ended by itself did so, whatever was wished at the same moment.
            biased;
            status = child.wait() => {
                group.kill();
                return self.ended(status);
            }
            order = ordered => Some(order),
            () = timeout => None,
        };
        group.signal(Signal::TERM);
        let _ = tokio::time::timeout(GRACE, child.wait()).await;
        group.kill();
        let _ = child.wait().await;
        match end {
            Some(Order::Stop) => RunState::Failed(Failure::Stopped, "ended on request".to_owned()),
            Some(Order::Interrupt) => RunState::Failed(Failure::Interrupted, INTERRUPTED.to_owned()),
            None => {
                let limit = crate::api::Duration(self.timeout.unwrap_or_default());
                let message = format!("ran longer than trial.timeout, {limit}{}", self.said());
                RunState::Failed(Failure::TimedOut, message)
            }
        }
    }

    fn ended(&self, status: io::Result<ExitStatus>) -> RunState {
        use std::os::unix::process::ExitStatusExt;
        let status = match status {
            Ok(status) if status.success() => return RunState::Succeeded,
            Ok(status) => status,
            Err(error) => return RunState::Failed(Failure::Failed, format!("cannot wait for its process: {error}")),
        };
        let (failure, how) = match (status.code(), status.signal()) {
            (Some(code), _) if self.is_shell && CANNOT_RUN.contains(&code) => (
                Failure::Refused,
                format!("the shell cannot run the command (exit code {code})"),
            ),
            (Some(code), _) => (Failure::Failed, format!("exit code {code}")),
            (None, Some(signal)) => (Failure::Failed, format!("killed by signal {}", signal_name(signal))),
            (None, None) => (Failure::Failed, "ended in an unknown way".to_owned()),
        };
        RunState::Failed(failure, format!("{how}{}", self.said()))
    }

    /// What the log says at its end, and where it is, as the rest of a sentence.
    fn said(&self) -> String {
        let log = self.log.display();
        match log_tail::last_lines(&self.log) {
            said if said.is_empty() => format!("; nothing in its log {log}"),
            said => format!(": {said} (log: {log})"),
        }
    }
}

/// The message of an attempt whose supervisor ended.
pub const INTERRUPTED: &str = "hyperstudy was ended while it ran";

fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL, as the system does when memory runs out",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        25 => "SIGXFSZ, a file that may not grow further",
        _ => return signal.to_string(),
    };
    format!("{signal} ({name})")
}

/// The process group that a child leads. It is there as long as anything in it is, its leader's end notwithstanding.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may well have ended in the meantime.
            let _ = kill_process_group(group, signal);
        }
    }

    fn kill(&self) {
        self.signal(Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    struct Run {
        dir: tempfile::TempDir,
        order: Option<oneshot::Sender<Order>>,
    }

    impl Run {
        fn start(script: &str, timeout: Option<Duration>) -> (Self, impl Future<Output = RunState> + use<>) {
            let dir = tempfile::tempdir().unwrap();
            let (order, receiver) = oneshot::channel();
            let launch = Launch {
                program: "sh".into(),
                args: vec!["-c".into(), script.into()],
                env: vec![("GIVEN".into(), "g".into())],
                env_remove: vec!["HOME".into()],
                dir: Some(dir.path().to_owned()),
                log: dir.path().join("log"),
                timeout,
                is_shell: true,
            };
            (
                Self {
                    dir,
                    order: Some(order),
                },
                launch.run(receiver),
            )
        }

        fn file(&self, name: &str) -> Option<String> {
            std::fs::read_to_string(self.dir.path().join(name)).ok()
        }

        async fn wait_for(&self, name: &str) -> String {
            for _ in 0..1000 {
                if let Some(text) = self.file(name).filter(|t| t.ends_with('\n')) {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("no {name}")
        }
    }

    fn is_alive(pid: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z")
    }

    async fn assert_gone(pid: &str) {
        for _ in 0..300 {
            if !is_alive(pid) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("process {pid} is still there");
    }

    #[tokio::test]
    async fn says_how_it_ended() {
        let refused = |state: &RunState| matches!(state, RunState::Failed(Failure::Refused, _));
        let failed = |state: &RunState| matches!(state, RunState::Failed(Failure::Failed, _));
        for (script, is_right, says) in [
            ("exit 0", (|s| *s == RunState::Succeeded) as fn(&RunState) -> bool, ""),
            (
                "echo one; echo; echo the cause >&2; exit 3",
                failed,
                "exit code 3: one / the cause (log: ",
            ),
            ("exit 4", failed, "exit code 4; nothing in its log "),
            ("kill -9 $$", failed, "signal 9 (SIGKILL"),
            ("no-such-command-here --x", refused, "no-such-command-here: not found"),
            (
                "test \"$GIVEN\" = g && test -z \"$HOME\" && test ! -t 0 && ! read line",
                |s| *s == RunState::Succeeded,
                "",
            ),
        ] {
            let (_run, end) = Run::start(script, None);
            let state = end.await;
            assert!(is_right(&state), "{script}: {state:?}");
            if let RunState::Failed(_, message) = &state {
                assert!(message.contains(says), "{script}: {message}");
            }
        }
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_refused_by_name() {
        let (_keep, order) = oneshot::channel();
        let dir = tempfile::tempdir().unwrap();
        let launch = Launch {
            program: "/no/such/program".into(),
            args: Vec::new(),
            env: Vec::new(),
            env_remove: Vec::new(),
            dir: None,
            log: dir.path().join("log"),
            timeout: None,
            is_shell: false,
        };
        let RunState::Failed(Failure::Refused, message) = launch.run(order).await else {
            panic!()
        };
        assert!(message.contains("`/no/such/program`"), "{message}");
    }

    #[tokio::test]
    async fn a_timeout_ends_the_whole_group_even_where_it_resists() {
        let limit = Some(Duration::from_millis(300));
        let (run, end) = Run::start(
            "sh -c 'trap \"\" TERM; echo $$ >child; while :; do sleep 0.1; done' & echo up; wait",
            limit,
        );
        let RunState::Failed(Failure::TimedOut, message) = end.await else {
            panic!()
        };
        assert!(message.contains("trial.timeout, 0.3s: up"), "{message}");
        assert_gone(&run.file("child").unwrap()).await;
    }

    #[tokio::test]
    async fn an_order_ends_it_and_a_leader_leaves_no_strays() {
        let (mut run, end) = Run::start("echo $$ >leader; exec sleep 600", None);
        let end = tokio::spawn(end);
        let leader = run.wait_for("leader").await;
        run.order.take().unwrap().send(Order::Stop).unwrap();
        assert!(matches!(end.await.unwrap(), RunState::Failed(Failure::Stopped, _)));
        assert_gone(&leader).await;

        let (run, end) = Run::start("sleep 600 & echo $! >stray", None);
        assert_eq!(end.await, RunState::Succeeded);
        assert_gone(&run.file("stray").unwrap()).await;
    }
}
