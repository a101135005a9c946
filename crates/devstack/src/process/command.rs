//! Commands of child processes: each runs in its own process group and ends when this program ends.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;

/// Another user to run a program as.
#[derive(Clone, Copy, Debug)]
pub struct User {
    /// Numeric user id.
    pub uid: u32,
    /// Numeric id of its main group.
    pub gid: u32,
}

/// A command in its own process group, optionally as another user. When xtask dies, the program gets the signal
/// `stop`: SIGINT or SIGTERM.
pub fn command(program: impl AsRef<OsStr>, user: Option<User>, stop: Signal) -> Command {
    let mut command = Command::new("setpriv");
    let name = if stop == Signal::INT { "INT" } else { "TERM" };
    command.args(["--pdeathsig", name]);
    if let Some(user) = user {
        command.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid), "--clear-groups".to_owned()]);
    }
    command.arg("--").arg(program);
    command.process_group(0).stdin(Stdio::null());
    command
}

/// The path of this program, valid even if cargo has meanwhile replaced the file.
#[must_use]
pub fn own_program() -> PathBuf {
    PathBuf::from(format!("/proc/{}/exe", std::process::id()))
}
