//! Processes that outlive their terminal: `up --detach` and `stores --detach` start them, `down` and `stores --stop` stop them.
//!
//! The background process is xtask itself, running the same verb without a terminal. For its whole life, it holds a lock on a file in
//! `.stack/`. The lock shows whether the process runs; a process id could meanwhile belong to another process. When the process is ready,
//! it writes a text for the user into a file beside the lock.

use std::env;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::paths;
use crate::process::{last_lines, own_program, pause, sleep};

/// Set for the background process, so that it does not detach again.
const MARK: &str = "VITRINE_XTASK_BACKGROUND";

/// Whether this process is the background one.
#[must_use]
pub fn is_background() -> bool {
    env::var_os(MARK).is_some()
}

/// The right to run a verb. In each stack folder ([`paths::stack`]), only one process holds it at a time.
#[derive(Clone, Copy)]
pub struct Slot {
    name: &'static str,
}

/// A held slot; dropping it releases the slot.
pub struct Held {
    slot: Slot,
    _lock: File,
}

impl Slot {
    /// The slot of a verb.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name }
    }

    fn file(&self, kind: &str) -> PathBuf {
        paths::stack().join(format!("{}.{kind}", self.name))
    }

    fn lock(&self) -> Result<Option<File>> {
        paths::ensure(&paths::stack())?;
        let path = self.file("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("failed to open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("failed to lock {}", path.display())),
        }
    }

    /// Takes the slot, or fails with the id of the process that holds it.
    pub fn hold(self) -> Result<Held> {
        let Some(mut lock) = self.lock()? else {
            bail!("`{}` is already running (process {})", self.name, self.pid()?);
        };
        lock.set_len(0)?;
        write!(lock, "{}", std::process::id())?;
        // The text of an earlier process is out of date.
        let _ = fs::remove_file(self.file("ready"));
        Ok(Held { slot: self, _lock: lock })
    }

    /// The id of the process that holds the slot.
    pub fn pid(&self) -> Result<i32> {
        fs::read_to_string(self.file("lock"))?.trim().parse().context("the lock file contains no valid process id")
    }

    /// The text that the running process published when it was ready; `None` if no process runs, or it is not ready yet.
    pub fn ready_text(&self) -> Result<Option<String>> {
        match self.lock()? {
            Some(_free) => Ok(None),
            None => Ok(fs::read_to_string(self.file("ready")).ok()),
        }
    }

    /// Starts this same command in the background, waits until it is ready, and returns the text that it published.
    pub fn launch(&self, limit: Duration) -> Result<String> {
        if self.lock()?.is_none() {
            bail!("`{}` is already running (process {})", self.name, self.pid()?);
        }
        let ready = self.file("ready");
        let _ = fs::remove_file(&ready);
        let log_path = self.file("log");
        let log = File::create(&log_path).with_context(|| format!("failed to write {}", log_path.display()))?;
        let mut child = Command::new(own_program())
            .args(env::args_os().skip(1))
            .env(MARK, "1")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("failed to start the background process")?;
        let start = Instant::now();
        let outcome = loop {
            if let Ok(text) = fs::read_to_string(&ready)
                && !text.is_empty()
            {
                return Ok(text);
            }
            if let Some(status) = child.try_wait()? {
                break format!("the background process ended with {status}");
            }
            if start.elapsed() > limit {
                break format!("the background process is not ready after {} s", limit.as_secs());
            }
            if let Err(interrupt) = pause() {
                break interrupt.to_string();
            }
        };
        let _ = kill_process(Pid::from_child(&child), Signal::TERM);
        let _ = child.wait();
        let log = fs::read_to_string(&log_path).unwrap_or_default();
        bail!("{outcome}\n{}", last_lines(&log, 40));
    }

    /// Stops the running process and waits for its end; returns false if no process was running.
    pub fn stop(&self, limit: Duration) -> Result<bool> {
        if self.lock()?.is_some() {
            return Ok(false);
        }
        let pid = Pid::from_raw(self.pid()?).context("the lock file contains no valid process id")?;
        kill_process(pid, Signal::TERM).context("failed to stop the running process")?;
        let start = Instant::now();
        while self.lock()?.is_none() {
            ensure!(start.elapsed() < limit, "`{}` does not stop", self.name);
            sleep();
        }
        Ok(true)
    }
}

impl Held {
    /// Publishes the text for [`Slot::launch`] and [`Slot::ready_text`].
    pub fn ready(&self, text: &str) -> Result<()> {
        // Renamed into place, so that a reader never sees a partial file.
        let (draft, path) = (self.slot.file("draft"), self.slot.file("ready"));
        paths::write_secret(&draft, text)?;
        fs::rename(&draft, &path).with_context(|| format!("failed to write {}", path.display()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.slot.file("ready"));
    }
}
