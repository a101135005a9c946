//! `cargo xtask notifications`: who hears of which alert, in which words, and that it arrives.

use anyhow::Result;

use crate::report::{Outcome, Report};
use crate::tools::{ALERTMANAGER, AMTOOL, CADDY, MAILDEV, PROMETHEUS, require};
use crate::{configuration, notifications, paths, ports};

/// Check who hears of which alert, and that they do.
#[derive(clap::Args)]
pub struct Args {
    /// Install what is missing.
    #[arg(long)]
    install: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&ALERTMANAGER, &AMTOOL, &MAILDEV, &CADDY, &PROMETHEUS], args.install)?;
    let mut report = Report::new("notifications");
    let folder = paths::temporary("notifications")?;
    report.step("configuration copies", || {
        let replicas = ports::MAX_REPLICAS;
        configuration::write(folder.path(), &ports::Ports::fixed(replicas), replicas, true)?;
        Ok(Outcome::passed())
    })?;
    notifications::all(&mut report, folder.path())?;
    report.finish()
}
