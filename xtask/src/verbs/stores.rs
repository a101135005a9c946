//! `cargo xtask stores`: Postgres and Redis for a developer who runs single tests.
//! The stores themselves are in `stores.rs`; this verb keeps them alive and says where they are.

use std::time::Duration;

use anyhow::Result;

use crate::background::{Slot, is_background};
use crate::process::{interrupted, pause};
use crate::tools::{INITDB, REDIS, require};
use crate::{paths, stores};

const SLOT: Slot = Slot::new("stores");

/// Start a private Postgres and Redis and print where they are.
///
/// `eval "$(cargo xtask stores --detach)"` sets up a shell; `--stop` ends them. Data is dropped.
#[derive(clap::Args)]
pub struct Args {
    /// Install what is missing.
    #[arg(long)]
    install: bool,
    /// Leave them running in the background (prints the running ones' when there are).
    #[arg(long, conflicts_with = "stop")]
    detach: bool,
    /// Stop those in the background.
    #[arg(long)]
    stop: bool,
}

/// Runs the verb.
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

    // Only the background ones are limited to one per checkout.
    let held = is_background().then(|| SLOT.hold()).transpose()?;
    let folder = paths::temporary("stores")?;
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
        // The interrupt that ends the pause is the wanted end.
        let _ = pause();
    }
    Ok(true)
}
