//! `cargo xtask stores`: Postgres and Redis for a developer who runs single tests.
//! `devstack::stores` starts the stores; this verb keeps them running and prints their URLs.

use std::time::Duration;

use anyhow::Result;
use devstack::background::{Slot, is_background};
use devstack::process::{interrupted, pause};
use devstack::tools::{INITDB, REDIS, require};
use devstack::{paths, stores};

const SLOT: Slot = Slot::new("stores");

/// Start a private Postgres and Redis and print their URLs.
///
/// `eval "$(cargo xtask stores --detach)"` sets up a shell; `--stop` stops both and drops their data.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Start the stores in the background. If they already run there, only print their URLs.
    #[arg(long, conflicts_with = "stop")]
    detach: bool,
    /// Stop the background stores.
    #[arg(long)]
    stop: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    if args.stop {
        let stopped = SLOT.stop(Duration::from_mins(1))?;
        eprintln!("{}", if stopped { "stopped" } else { "none were running" });
        return Ok(true);
    }
    require(&[&INITDB, &REDIS], args.install)?;
    if args.detach && !is_background() {
        let text = match SLOT.ready_text()? {
            Some(text) => text,
            None => SLOT.launch(Duration::from_mins(1))?,
        };
        print!("{text}");
        return Ok(true);
    }

    // Only the background stores are limited to one pair per checkout.
    let held = is_background().then(|| SLOT.hold()).transpose()?;
    let folder = paths::temporary_in_memory("stores")?;
    let (mut postgres, mut redis) = stores::disposable(folder.path())?;
    let text = format!("export DATABASE_URL={}\nexport REDIS_URL={}\n", postgres.url, redis.url);
    if let Some(held) = &held {
        held.ready(&text)?;
    } else {
        print!("{text}");
        eprintln!("Ctrl-C stops them and drops their data");
    }
    while !interrupted() {
        postgres.process.check()?;
        redis.process.check()?;
        // `pause` fails on an interrupt, which also ends the loop.
        let _ = pause();
    }
    Ok(true)
}
