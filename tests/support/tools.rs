//! The programs that install the controller, and one that checks what they would install.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use super::programs::Kit;

const TOOLS: Kit = Kit {
    name: "tools-1",
    programs: &["helm", "kubeconform", "kustomize"],
    script: "tools.sh",
    takes: "3 minutes",
    variable: "HYPERSTUDY_TEST_TOOLS",
};

/// Where one of them is.
fn path(tool: &str) -> PathBuf {
    TOOLS.folder().join(tool)
}

/// Runs one of them in the project's folder, with no configuration of the user's own; gives what came of it.
pub fn output(tool: &str, arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    Command::new(path(tool))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap_or_else(|e| panic!("{tool}: {e}"))
}

/// Runs one of them; gives what it printed, or what it complained of.
pub fn run(tool: &str, arguments: &[&str]) -> Result<String, String> {
    let output = output(tool, arguments);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    Err(format!("{printed}{}", String::from_utf8_lossy(&output.stderr)))
}
