//! Whole sessions on one machine: real processes, real speech, no AWS account.
//!
//! The local stack runs the rehearsal, as `make demo` does; a test reads its report card. What is missing on the
//! machine (the emulator, the binaries) fails the test with the line that brings it.

pub mod deploy;
pub mod network;
pub mod sentences;
pub mod stack;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A rehearsal that has ended.
#[derive(Debug)]
pub struct Rehearsal {
    /// The exit code of the local stack, which is that of the rehearsal.
    pub code: Option<i32>,
    /// The report card.
    pub report: Value,
    /// What was said on the way.
    pub progress: String,
}

/// Top of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// Where this build's binaries stand: beside the test's own `deps` folder.
///
/// # Errors
/// When the test's own place cannot be told, or the binaries are not built.
pub fn binaries() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|e| format!("where this test stands is unknown: {e}"))?;
    let folder = own.parent().and_then(Path::parent).ok_or("this test stands in no target folder")?.to_path_buf();
    for name in ["local-stack", "sessionctl", "controller", "worker"] {
        if !folder.join(name).is_file() {
            return Err(format!("{name} is not built: run `cargo build --workspace` first, or `make test`"));
        }
    }
    Ok(folder)
}

/// Runs one rehearsal in a fresh local stack, as `make demo` does, with the same recogniser: the one for people, if it is installed.
///
/// # Errors
/// When the stack cannot be started at all, or the rehearsal prints no report card.
pub fn rehearse(arguments: &[&str]) -> Result<Rehearsal, String> {
    let folder = binaries()?;
    let profile = if folder.ends_with("release") { "release" } else { "dev" };
    let output = Command::new(folder.join("local-stack"))
        .args(["run", "--profile", profile, "--"])
        .arg(folder.join("sessionctl"))
        .args(["rehearse", "--json"])
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("the local stack did not start: {e}"))?;
    read(&output)
}

fn read(output: &Output) -> Result<Rehearsal, String> {
    let printed = String::from_utf8_lossy(&output.stdout);
    let progress = String::from_utf8_lossy(&output.stderr).into_owned();
    let start = printed.find('{').ok_or_else(|| format!("no report card was printed\n{printed}\n{progress}"))?;
    let report =
        serde_json::from_str(&printed[start..]).map_err(|e| format!("the report card is no JSON: {e}\n{printed}"))?;
    Ok(Rehearsal { code: output.status.code(), report, progress })
}
