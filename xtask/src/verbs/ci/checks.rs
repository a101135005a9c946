//! The steps that compile everything but run nothing: clippy, rustdoc, and the comparison of `.sqlx`. They run beside the tests, which wait
//! most of the time.

use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use devstack::cargo;
use devstack::process::capture;
use devstack::report::{Outcome, Report};

use crate::verbs::sqlx;

/// The running steps.
pub struct Checks(JoinHandle<Vec<Done>>);

/// A step that has ended.
struct Done {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

impl Checks {
    /// Starts the steps, one after the other.
    pub fn start() -> Self {
        Self(thread::spawn(|| vec![done("clippy", clippy), done("rustdoc", rustdoc), done(".sqlx is up to date", queries)]))
    }

    /// Waits for the steps, and adds their rows.
    pub fn finish(self, report: &mut Report) -> Result<()> {
        for Done { name, took, outcome } in self.0.join().map_err(|_| anyhow!("the checks panicked"))? {
            report.add(name, took, outcome);
        }
        Ok(())
    }
}

fn done(name: &'static str, step: fn() -> Result<Outcome>) -> Done {
    let start = Instant::now();
    let outcome = Outcome::of(step());
    Done { name, took: start.elapsed(), outcome }
}

fn clippy() -> Result<Outcome> {
    let mut clippy = cargo::checking();
    clippy.args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"]);
    printed(&mut clippy)
}

fn rustdoc() -> Result<Outcome> {
    let mut doc = cargo::checking();
    doc.args(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "--deny warnings");
    printed(&mut doc)
}

fn queries() -> Result<Outcome> {
    let stale = sqlx::stale()?;
    Ok(if stale.is_empty() {
        Outcome::passed()
    } else {
        Outcome::failed(format!("run `cargo xtask sqlx` and commit: {}", stale.join(", ")))
    })
}

/// Runs a command whose output would otherwise mix with that of the tests.
fn printed(command: &mut Command) -> Result<Outcome> {
    let captured = capture(command)?;
    eprint!("{}", captured.text);
    Ok(captured.success.into())
}
