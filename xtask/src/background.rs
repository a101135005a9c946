//! What outlives its terminal: `up --detach` and `stores --detach` and their counterparts that stop it.
//!
//! The background process is xtask itself, running the same verb in the foreground of nobody. It
//! holds a lock on a file in `.stack/` for as long as it lives, so that "is it running?" needs no
//! guess from a process id, and writes what it prints when ready next to it.

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
pub fn is_background() -> bool {
    env::var_os(MARK).is_some()
}

/// One thing that may run once per checkout.
#[derive(Clone, Copy)]
pub struct Slot {
    name: &'static str,
}

/// The right to be that one; given back at its end.
pub struct Held {
    slot: Slot,
    _lock: File,
}

impl Slot {
    /// The slot of a verb.
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
            .with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).context("cannot lock"),
        }
    }

    /// Takes the slot, or says who has it.
    pub fn hold(self) -> Result<Held> {
        let Some(mut lock) = self.lock()? else {
            bail!("`{}` is already running (process {})", self.name, self.pid()?);
        };
        lock.set_len(0)?;
        write!(lock, "{}", std::process::id())?;
        // What an earlier one printed is no longer true.
        let _ = fs::remove_file(self.file("ready"));
        Ok(Held { slot: self, _lock: lock })
    }

    /// The id of the process that holds the slot.
    pub fn pid(&self) -> Result<i32> {
        fs::read_to_string(self.file("lock"))?.trim().parse().context("the lock file names no process")
    }

    /// What the running one printed when it was ready; nothing when none runs.
    pub fn ready_text(&self) -> Result<Option<String>> {
        match self.lock()? {
            Some(_free) => Ok(None),
            None => Ok(fs::read_to_string(self.file("ready")).ok()),
        }
    }

    /// Starts this very command in the background and answers what it printed when it was ready.
    pub fn launch(&self, limit: Duration) -> Result<String> {
        if self.lock()?.is_none() {
            bail!("`{}` is already running (process {})", self.name, self.pid()?);
        }
        let ready = self.file("ready");
        let _ = fs::remove_file(&ready);
        let log_path = self.file("log");
        let log = File::create(&log_path).with_context(|| format!("cannot write {}", log_path.display()))?;
        let mut child = Command::new(own_program())
            .args(env::args_os().skip(1))
            .env(MARK, "1")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start in the background")?;
        let start = Instant::now();
        let outcome = loop {
            if let Ok(text) = fs::read_to_string(&ready)
                && !text.is_empty()
            {
                return Ok(text);
            }
            if let Some(status) = child.try_wait()? {
                break format!("it ended with {status}");
            }
            if start.elapsed() > limit {
                break format!("not ready after {} s", limit.as_secs());
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

    /// Stops the one that runs, waiting for its end; answers whether there was one.
    pub fn stop(&self, limit: Duration) -> Result<bool> {
        if self.lock()?.is_some() {
            return Ok(false);
        }
        let pid = Pid::from_raw(self.pid()?).context("the lock file names no process")?;
        kill_process(pid, Signal::TERM).context("cannot stop it")?;
        let start = Instant::now();
        while self.lock()?.is_none() {
            ensure!(start.elapsed() < limit, "`{}` does not stop", self.name);
            sleep();
        }
        Ok(true)
    }
}

impl Held {
    /// Publishes what a detaching parent prints.
    pub fn ready(&self, text: &str) -> Result<()> {
        // Renamed into place, so that a reader sees all of it or nothing.
        let (draft, path) = (self.slot.file("draft"), self.slot.file("ready"));
        paths::write_secret(&draft, text)?;
        fs::rename(&draft, &path).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.slot.file("ready"));
    }
}
