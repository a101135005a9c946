//! Ctrl-C and similar signals set a flag. [`pause`], [`rest`] and [`wait_until`] then fail; [`sleep`] ignores the flag.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
const POLL: Duration = Duration::from_millis(100);

/// Makes SIGINT, SIGTERM and SIGHUP set the flag.
pub fn watch_signals() -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&INTERRUPTED)).context("failed to register the signal handlers")?;
    }
    Ok(())
}

/// Whether xtask was asked to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Fails when xtask was asked to stop.
pub fn check_interrupt() -> Result<()> {
    ensure!(!interrupted(), "interrupted");
    Ok(())
}

/// Waits one polling interval; fails when xtask was asked to stop.
pub fn pause() -> Result<()> {
    sleep();
    check_interrupt()
}

/// Waits for at least this time; fails when xtask was asked to stop.
pub fn rest(time: Duration) -> Result<()> {
    let start = Instant::now();
    while start.elapsed() < time {
        pause()?;
    }
    Ok(())
}

/// Waits one polling interval, even after an interrupt. For use while stopping.
pub fn sleep() {
    thread::sleep(POLL);
}

/// Polls until `ready` returns true. If the limit passes first, the error begins with `what`, the awaited state.
pub fn wait_until(what: &str, limit: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !ready()? {
        ensure!(start.elapsed() < limit, "{what}: timed out after {} s", limit.as_secs());
        pause()?;
    }
    Ok(())
}
