//! `cargo xtask down`: stops the stack that `up --detach` started, environments included; with `--reset` it drops the data as well.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use devstack::engine::{Engine, namespace};
use devstack::stack::SLOT;
use devstack::{paths, stores};

/// Above the sum of a stack's grace periods.
const LIMIT: Duration = Duration::from_mins(2);

/// Stop the stack that `up --detach` started.
#[derive(clap::Args)]
pub struct Args {
    /// Also drop its data, logs, secrets and the containers of its environments.
    #[arg(long)]
    reset: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let stopped = SLOT.stop(LIMIT)?;
    eprintln!("{}", if stopped { "stopped" } else { "nothing was running" });
    // A killed stack could not stop the containers of its environments. Without an engine there are none.
    let engine = Engine::find().ok();
    if let Some(engine) = &engine {
        engine.stop(&namespace(&paths::stack()))?;
    }
    if args.reset {
        // Held so that no stack starts with the data while it is dropped.
        let _held = SLOT.hold()?;
        let postgres = stores::lasting_folder(&paths::stack().join("data/postgres"))?;
        for folder in [
            postgres,
            paths::stack().join("data"),
            paths::stack().join("logs"),
            paths::stack().join("config"),
            paths::stack().join("secrets"),
        ] {
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(|| format!("failed to drop {}", folder.display()))?;
            }
        }
        if let Some(engine) = engine {
            engine.remove(&namespace(&paths::stack()))?;
        }
        eprintln!("data dropped");
    }
    Ok(true)
}
