//! Runs programs that end by themselves, with or without capturing their output.

use std::ffi::OsStr;
use std::io::{Read, Seek};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::command::command;
use super::daemon::Process;

/// A command that gets SIGTERM when xtask dies. [`run`] and [`capture`] start it and wait for its end; other callers spawn it themselves.
pub fn task(program: impl AsRef<OsStr>) -> Command {
    command(program, None, Signal::TERM)
}

/// Runs a task that writes to the same output as xtask; returns whether it succeeded.
pub fn run(command: &mut Command) -> Result<bool> {
    let mut running = Process::spawn(command, "task", None)?;
    Ok(running.wait()?.success())
}

/// The result and the output of a captured task.
pub struct Captured {
    /// Whether the task exited with 0.
    pub success: bool,
    /// Standard output and standard error, in the order of writing.
    pub text: String,
}

/// Runs a task and captures its output.
pub fn capture(command: &mut Command) -> Result<Captured> {
    let mut file = tempfile::tempfile().context("failed to create a temporary file")?;
    command.stdout(file.try_clone()?).stderr(file.try_clone()?);
    let success = Process::spawn(command, "task", None)?.wait()?.success();
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Captured { success, text })
}

/// Runs a task that must succeed and returns its output; on failure the output becomes the error.
pub fn capture_ok(command: &mut Command) -> Result<String> {
    // Shows the arguments only: the environment contains passwords.
    let words: Vec<String> = command.get_args().map(|word| word.display().to_string()).collect();
    let shown = words.splitn(2, |word| word == "--").last().map_or_else(String::new, |words| words.join(" "));
    let captured = capture(command)?;
    ensure!(captured.success, "{shown} failed:\n{}", captured.text.trim_end());
    Ok(captured.text)
}
