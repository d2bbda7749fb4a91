//! What a killed run leaves behind: processes of attempts that nobody supervises any more.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, getpgid, getpid, kill_process, kill_process_group};

/// The variable by which an attempt's processes are known; its value is `<mark>/<number>-<attempt>`, the mark that of the study in its data folder.
pub const VARIABLE: &str = "HYPERSTUDY_ATTEMPT";

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kills all processes of any attempt of the study with that mark, or of one trial of it, and waits until they are gone. Gives how many there were.
///
/// # Errors
/// The list of processes cannot be read, or one of them does not go.
pub fn end_all(mark: &str, trial: Option<u32>) -> io::Result<usize> {
    let trial = trial.map(|number| format!("{number}-")).unwrap_or_default();
    let mark = format!("{VARIABLE}={mark}/{trial}");
    let deadline = Instant::now().checked_add(PATIENCE);
    let mut most = 0;
    loop {
        let found = find(mark.as_bytes())?;
        most = most.max(found.len());
        if found.is_empty() {
            return Ok(most);
        }
        if deadline.is_none_or(|d| d < Instant::now()) {
            let pids: Vec<String> = found.iter().map(|pid| pid.as_raw_nonzero().to_string()).collect();
            let message = format!("processes of an earlier run cannot be ended: {}", pids.join(", "));
            return Err(io::Error::other(message));
        }
        for pid in found {
            end(pid);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Kills a process with its group. The group of this very program is left alone: an attempt never is in it.
fn end(pid: Pid) {
    let group = getpgid(Some(pid))
        .ok()
        .filter(|group| getpgid(None).is_ok_and(|own| own != *group));
    // Whatever has gone by itself in the meantime is fine.
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = kill_process(pid, Signal::KILL);
}

/// The processes whose environment has an entry that starts with `mark`; this program and those that have ended excepted.
fn find(mark: &[u8]) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        if !name.as_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        // Somebody else's processes cannot be read, and are none of ours. One that has ended has no environment.
        let Ok(environment) = fs::read(entry.path().join("environ")) else {
            continue;
        };
        let is_ours = environment
            .split(|byte| *byte == 0)
            .any(|variable| variable.starts_with(mark));
        let pid = name.to_str().and_then(|n| Pid::from_raw(n.parse().ok()?));
        found.extend(pid.filter(|pid| is_ours && *pid != getpid()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::process::Command;

    use super::*;

    #[test]
    fn ends_the_processes_of_one_study_and_no_other() {
        let uid = format!("orphans-{}", std::process::id());
        let start = |uid: &str| {
            use std::os::unix::process::CommandExt;
            let mut command = Command::new("sh");
            command
                .args(["-c", "sleep 600 & sleep 600"])
                .env(VARIABLE, format!("{uid}/1-1"))
                .process_group(0);
            command
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
            command.spawn().unwrap()
        };
        let visible = |uid: &str| {
            let mark = format!("{VARIABLE}={uid}/");
            // A process has no environment yet while it is being loaded.
            while find(mark.as_bytes()).unwrap().is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        let mut ours = start(&uid);
        let mut other = start(&format!("{uid}x"));
        visible(&uid);
        visible(&format!("{uid}x"));
        assert_eq!(end_all(&uid, Some(2)).unwrap(), 0);
        assert!(end_all(&uid, Some(1)).unwrap() >= 1);
        assert!(!ours.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        assert_eq!(end_all(&uid, None).unwrap(), 0);
        assert!(end_all(&format!("{uid}x"), None).unwrap() >= 1);
        other.wait().unwrap();
    }
}
