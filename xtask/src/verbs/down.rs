//! `cargo xtask down`: stops the stack that `up` started, or its parts, with its environments. With `--reset`, it also drops the data.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use devstack::engine::{Engine, namespace};
use devstack::stack::Scope;
use devstack::{paths, stores};

/// Time limit for a stop: longer than any single grace period of a stack, but shorter than their sum.
const LIMIT: Duration = Duration::from_mins(2);

/// Stop the stack that `up` started.
#[derive(clap::Args)]
pub struct Args {
    /// Also drop its data, logs, configuration and secrets, and the containers of its environments.
    #[arg(long)]
    reset: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let mut stopped = false;
    for scope in Scope::ALL {
        stopped |= scope.slot().stop(LIMIT)?;
    }
    eprintln!("{}", if stopped { "stopped" } else { "nothing was running" });
    // A killed stack leaves the containers of its environments running, so they are stopped here. Without an engine there are none.
    let engine = Engine::find().ok();
    if let Some(engine) = &engine {
        engine.stop(&namespace(&paths::stack()))?;
    }
    if args.reset {
        // While the slots are held, no stack can start on the data that is being dropped.
        let _held = Scope::ALL.iter().map(|scope| scope.slot().hold()).collect::<Result<Vec<_>>>()?;
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
