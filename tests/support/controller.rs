//! `hyperstudy controller` as a process of its own, as it runs in a cluster.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, Instant},
};

use super::{
    apiserver::{ApiServer, User},
    programs::{self, Running},
};

/// How long the controller may take to start or to stop, on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running controller. It is killed when this is dropped, however the test ends; where the test fails, the end of its log is shown.
pub struct Controller {
    running: Option<Running>,
    port: u16,
}

impl Controller {
    /// Starts one for this API server with these flags beside `--listen`, and these variables in its environment, each as `NAME=value`.
    pub fn spawn(server: &ApiServer, variables: &[String], flags: &[String]) -> Self {
        let [port] = programs::free_ports().unwrap();
        let own = programs::own_folder().unwrap();
        let kubeconfig = own.join("kubeconfig");
        fs::write(&kubeconfig, server.kubeconfig(User::Controller)).unwrap();
        let mut arguments = vec![
            format!("KUBECONFIG={}", kubeconfig.display()),
            "RUST_BACKTRACE=1".to_owned(),
        ];
        arguments.extend_from_slice(variables);
        arguments.extend([
            program().display().to_string(),
            "controller".to_owned(),
            format!("--listen=127.0.0.1:{port}"),
        ]);
        arguments.extend_from_slice(flags);
        let running = Running::start(Path::new("/usr/bin/env"), &arguments, &own).unwrap();
        Self {
            running: Some(running),
            port,
        }
    }

    /// Waits until `/readyz` says that it is ready.
    pub async fn ready(&mut self) {
        let start = Instant::now();
        while self.get("/readyz").await.is_none() {
            assert!(!self.has_ended(), "the controller has ended");
            assert!(start.elapsed() < PATIENCE, "the controller does not become ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The text that it serves at this path; `None` where that is not a success.
    pub async fn get(&self, path: &str) -> Option<String> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.running.as_mut().is_none_or(Running::has_ended)
    }

    /// Kills it as a machine that goes down does; comes back when it is gone.
    pub fn kill(mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    /// Asks it to end and waits until it has; how it ended, and its log.
    pub fn stop(mut self) -> (ExitStatus, String) {
        let mut running = self.running.take().unwrap();
        let pid = rustix::process::Pid::from_raw(running.pid().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let start = Instant::now();
        while !running.has_ended() {
            assert!(
                start.elapsed() < PATIENCE,
                "the controller does not stop:\n{}",
                running.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        (running.end().unwrap(), running.log())
    }

    /// Everything that it has written to its log.
    pub fn log(&self) -> String {
        self.running.as_ref().map(Running::log).unwrap_or_default()
    }

    /// Its memory that is in use, in bytes.
    pub fn resident(&self) -> u64 {
        let pid = self.running.as_ref().and_then(Running::pid).unwrap();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib * 1024
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        if std::thread::panicking() {
            eprintln!("the end of the controller's log:\n{}", running.last_words());
        }
        running.kill();
    }
}

/// The program, as cargo built it for this test.
fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_hyperstudy").into()
}
