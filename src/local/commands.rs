//! Whether a command is there, asked before anything runs.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

/// Whether the program `name` can be found as processes are started: by itself where it names a path, else in the folders of `PATH`.
pub fn exists(name: &str) -> bool {
    let can_run = |path: &Path| fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return can_run(Path::new(name));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| can_run(&folder.join(name)))
}

/// The command that a shell's line starts with, where that is a plain word and the shell knows no such command.
pub fn missing_in(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./+-".contains(c);
    let word = line.split(|c| !is_plain(c)).next().filter(|word| !word.is_empty())?;
    let rest = line.strip_prefix(word)?;
    if !(rest.is_empty() || rest.starts_with([' ', '\t', '\n', ';'])) {
        return None;
    }
    // The shell itself knows best: its own commands and key words count, too.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "command -v -- \"$0\"", word]);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let is_known = shell.status().is_ok_and(|status| status.success());
    (!is_known).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_are_there_are_found() {
        assert!(exists("sh") && exists("/bin/sh"));
        assert!(!exists("no-such-command-here") && !exists("/no/such") && !exists("/"));
        for known in [
            "echo x",
            "cd /tmp && ls",
            "if true; then :; fi",
            "x=1 no-such",
            "$HOME/x",
            "'no such' x",
            "{ true; }",
            "  true",
            "f() { :; }; f",
        ] {
            assert_eq!(missing_in(known), None, "{known}");
        }
        assert_eq!(missing_in("no-such-command-here --lr 1"), Some("no-such-command-here"));
        assert_eq!(missing_in(" ./no/such.sh"), Some("./no/such.sh"));
    }
}
