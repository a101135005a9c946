//! `cargo xtask notifications`: who is notified of which alert, the wording of notifications, and their delivery.

use anyhow::Result;

use crate::report::{Outcome, Report};
use crate::tools::{ALERTMANAGER, AMTOOL, CADDY, MAILDEV, PROMETHEUS, require};
use crate::{configuration, notifications, paths, ports};

/// Check the routing, wording and delivery of notifications.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether every step passed.
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
