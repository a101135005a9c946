//! `cargo xtask dev`: one replica that is rebuilt and restarted when a source changes. `devstack::watch` notices changes, and
//! `devstack::stack` has the processes.

use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use devstack::process::{check_interrupt, interrupted};
use devstack::settings::Settings;
use devstack::stack::{Demo, Plan, Scope, Stack, fixed_ports};
use devstack::tools::require;
use devstack::watch::Sources;
use devstack::{cargo, form::Form, paths};

/// The settings of a replica that is restarted often, and that nobody but its developer uses.
const SETTINGS: [(&str, &str); 5] =
    [("RELOAD_PAGES", "on"), ("DRAIN_DELAY", "0s"), ("DRAIN_TIMEOUT", "1s"), ("SOCKET_DRAIN", "0s"), ("LOG_FORMAT", "text")];

/// Run one replica, and rebuild and restart it when a source changes.
///
/// Also starts Postgres, Redis, the simulated platforms, and the mail sink if it is installed. Postgres and Redis use the data of `up`.
/// Open pages reload themselves. If a build fails, the replica of the last build keeps running. Ctrl-C stops everything.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let scope = Scope::Development;
    require(scope.programs(), args.install)?;
    // Watches before the build, so that a change during the build is not missed.
    let sources = Sources::watch(&paths::root())?;
    cargo::build(false, args.install)?;
    let _held = scope.slot().hold()?;
    let binary = cargo::binary(false);
    let mut stack = Stack::start_only(
        Plan {
            folder: paths::stack(),
            ports: fixed_ports(1)?.without_edge()?,
            replicas: 1,
            binary: binary.clone(),
            engine: None,
            settings: SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        },
        scope,
    )?;
    let demo = Demo::of(&Settings::of_checkout()?, Form::Demo)?.without_traffic();
    print!("\n{}", stack.table()? + &demo.add_to(&mut stack)?);
    eprintln!("waiting for changes; Ctrl-C stops everything");
    while !interrupted() {
        if sources.have_changed()?
            && let Err(error) = renew(&mut stack, &binary)
            && !interrupted()
        {
            eprintln!("{error:#}");
        }
        stack.keep_running()?;
    }
    eprintln!("stopping");
    Ok(true)
}

/// Builds the application and, if that changes its binary, restarts the replica.
fn renew(stack: &mut Stack, binary: &Path) -> Result<()> {
    let start = Instant::now();
    let before = modified(binary);
    eprintln!("a source has changed");
    cargo::build(false, false).context("the replica of the last build keeps running")?;
    if modified(binary) == before {
        eprintln!("nothing to restart");
        return Ok(());
    }
    let built = start.elapsed();
    stack.renew_replica(1)?;
    check_interrupt()?;
    eprintln!("restarted after {:.1} s, {:.1} s of them for the build", start.elapsed().as_secs_f64(), built.as_secs_f64());
    Ok(())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|file| file.modified()).ok()
}
