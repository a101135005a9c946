//! `cargo xtask notifications`: checks the receivers of each alert, the wording of notifications, and their delivery.

use anyhow::Result;
use devstack::paths;
use devstack::report::Report;
use devstack::tools::{ALERTMANAGER, AMTOOL, CADDY, MAILDEV, PROMETHEUS, require};
use proofs::notifications;
use rule_tools::checks::copy_configuration;

/// Check the routing, wording and delivery of notifications.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&ALERTMANAGER, &AMTOOL, &MAILDEV, &CADDY, &PROMETHEUS], args.install)?;
    let mut report = Report::new("notifications");
    let folder = paths::temporary("notifications")?;
    copy_configuration(&mut report, folder.path())?;
    notifications::all(&mut report, folder.path())?;
    report.finish()
}
