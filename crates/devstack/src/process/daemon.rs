//! Programs that run until they are stopped. `restarts` schedules the restarts of those that have exited.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::command::{User, command};
use super::interrupt::{pause, sleep};
use super::restarts::Restarts;

/// A long-running program that can be started.
pub struct Daemon {
    name: String,
    command: Command,
    log: PathBuf,
    stop: Signal,
    grace: Duration,
}

impl Daemon {
    /// A program that logs to `<logs>/<name>.log`.
    pub fn new(name: impl Into<String>, program: &Path, logs: &Path) -> Self {
        Self::stopped_by(name, program, logs, None, Signal::TERM)
    }

    /// As [`Daemon::new`], for a program with its own user and stop signal.
    pub fn stopped_by(name: impl Into<String>, program: &Path, logs: &Path, user: Option<User>, stop: Signal) -> Self {
        let name = name.into();
        let mut command = command(program, user, stop);
        // Only the caller's settings may configure a daemon, so the daemon gets only these variables from the shell's environment.
        command.env_clear();
        for key in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = env::var_os(key) {
                command.env(key, value);
            }
        }
        Self { command, log: logs.join(format!("{name}.log")), name, stop, grace: Duration::from_secs(10) }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.command.args(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Time for the program to stop before it is killed (10 s by default).
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Starts the program.
    pub fn start(mut self) -> Result<Process> {
        let log = File::create(&self.log).with_context(|| format!("failed to write {}", self.log.display()))?;
        self.command.stdout(log.try_clone()?).stderr(log);
        let mut process = Process::spawn(&mut self.command, &self.name, Some(self.log))?;
        process.stop = self.stop;
        process.grace = self.grace;
        process.restarts = Some(Restarts::new(self.command));
        Ok(process)
    }
}

/// A running child process: a daemon, or a task, which ends by itself. Dropping this value stops the child.
pub struct Process {
    /// The child's name in messages.
    pub name: String,
    child: Child,
    pid: Pid,
    /// The log of a daemon; tasks have none.
    log: Option<PathBuf>,
    stop: Signal,
    grace: Duration,
    /// The restarts of a daemon; tasks have none.
    restarts: Option<Restarts>,
}

impl Process {
    pub(super) fn spawn(command: &mut Command, name: &str, log: Option<PathBuf>) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("failed to start {name}"))?;
        let pid = Pid::from_child(&child);
        // A task may have much to clean up; the caller sets a daemon's grace period.
        Ok(Self { name: name.to_owned(), pid, child, log, stop: Signal::TERM, grace: Duration::from_mins(1), restarts: None })
    }

    /// Waits until the child ends. An interrupt ends the wait with an error; the child runs until this [`Process`] is dropped.
    pub(super) fn wait(&mut self) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            pause()?;
        }
    }

    /// Fails if the child has exited; the error contains the last lines of the child's log.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended with {status}{}", self.name, self.log_tail());
        }
        Ok(())
    }

    /// Restarts a daemon that has exited, after a pause that doubles each time the daemon exits soon after its start. Callers must
    /// poll this method, which does not wait.
    pub fn keep_running(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let now = Instant::now();
        let restarts = self.restarts.as_mut().with_context(|| format!("{} ended with {status}", self.name))?;
        match restarts.is_due(now) {
            Err(pause) => {
                // The daemon's leftover children could hold its port or its files.
                let _ = kill_process_group(self.pid, Signal::KILL);
                eprintln!("{} ended with {status}{}\nrestarting in {} ms", self.name, self.log_tail(), pause.as_millis());
            }
            Ok(false) => {}
            Ok(true) => {
                self.child = restarts.start(now).with_context(|| format!("failed to restart {}", self.name))?;
                self.pid = Pid::from_child(&self.child);
            }
        }
        Ok(())
    }

    /// Waits until `ready` returns true. Fails if the child exits or the limit passes; the error contains the last lines of the
    /// child's log.
    pub fn wait_ready(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        while !ready() {
            self.check()?;
            if start.elapsed() > limit {
                bail!("{} is not ready after {} s{}", self.name, limit.as_secs(), self.log_tail());
            }
            pause()?;
        }
        self.check()
    }

    /// The last lines of the child's log, ready to be appended to a message.
    pub fn log_tail(&self) -> String {
        self.log.as_deref().map_or_else(String::new, |log| {
            let text = fs::read(log).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            format!("; end of {}:\n{}", log.display(), last_lines(&text, 15))
        })
    }

    /// Sends the child its stop signal, and does not wait for its end.
    pub(crate) fn ask_to_stop(&self) {
        // Ignore errors: the child may have exited already.
        let _ = match self.log {
            // A daemon stops its own workers.
            Some(_) => kill_process(self.pid, self.stop),
            // A task's children get the signal, too, as with Ctrl-C: a shell waits for them before it cleans up.
            None => kill_process_group(self.pid, self.stop),
        };
    }

    /// The id of the process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends the child a signal, and does not wait for its effect.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.pid, signal).with_context(|| format!("failed to signal {}", self.name))
    }

    /// Sends the child a signal and waits until the child exits; fails after the grace period.
    pub fn end(&mut self, signal: Signal) -> Result<ExitStatus> {
        self.signal(signal)?;
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(start.elapsed() < self.grace, "{} does not exit{}", self.name, self.log_tail());
            pause()?;
        }
    }

    /// Stops the child: the stop signal, the grace period, then SIGKILL for the whole group.
    pub fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.ask_to_stop();
        }
        let start = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && start.elapsed() < self.grace {
            sleep();
        }
        // Kills leftover children, which are in the same group. The call fails if the group is empty, which is normal.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The last `count` lines of a text.
#[must_use]
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::wait_until;
    use super::*;

    #[test]
    fn stopping_a_process_ends_its_whole_group() {
        let logs = tempfile::tempdir().unwrap();
        let mut shell = Daemon::new("shell", Path::new("sh"), logs.path()).args(["-c", "sleep 60 & echo $!; wait"]).start().unwrap();
        let log = logs.path().join("shell.log");
        let read = || fs::read_to_string(&log).unwrap();
        shell.wait_ready(Duration::from_secs(5), || read().ends_with('\n')).unwrap();
        let grandchild = PathBuf::from("/proc").join(read().trim()).join("cmdline");
        let runs = || fs::read(&grandchild).is_ok_and(|line| !line.is_empty());
        // During exec, the grandchild may have no command line for a moment.
        wait_until("the grandchild's start", Duration::from_secs(5), || Ok(runs())).unwrap();

        drop(shell);

        // A killed process may remain as a zombie for a moment, without a command line.
        wait_until("the grandchild's end", Duration::from_secs(5), || Ok(!runs())).unwrap();
    }

    #[test]
    fn a_program_that_ends_early_is_reported_with_its_log() {
        let logs = tempfile::tempdir().unwrap();
        let mut shell = Daemon::new("shell", Path::new("sh"), logs.path()).args(["-c", "echo no such luck; exit 3"]).start().unwrap();
        let error = shell.wait_ready(Duration::from_secs(5), || false).unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.contains("no such luck"), "{error}");
    }

    #[test]
    fn a_daemon_that_exits_is_restarted_and_appends_to_its_log() {
        let logs = tempfile::tempdir().unwrap();
        let mut shell = Daemon::new("shell", Path::new("sh"), logs.path()).args(["-c", "echo started; exec sleep 60"]).start().unwrap();
        let starts = || fs::read_to_string(logs.path().join("shell.log")).unwrap().matches("started").count();
        for round in 1..=3 {
            wait_until("the start", Duration::from_secs(30), || {
                shell.keep_running()?;
                Ok(starts() == round)
            })
            .unwrap();
            shell.keep_running().unwrap();
            assert_eq!(starts(), round, "a running daemon is not restarted");
            shell.signal(Signal::KILL).unwrap();
        }
    }

    #[test]
    fn a_program_that_is_late_is_reported() {
        let logs = tempfile::tempdir().unwrap();
        let mut sleep = Daemon::new("sleeper", Path::new("sleep"), logs.path()).args(["60"]).start().unwrap();
        let error = sleep.wait_ready(Duration::from_millis(100), || false).unwrap_err().to_string();
        assert!(error.starts_with("sleeper is not ready"), "{error}");
    }

    #[test]
    fn only_the_last_lines_are_returned() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }
}
