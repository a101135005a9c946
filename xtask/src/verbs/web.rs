//! `cargo xtask web`: builds the browser bundle, which the application embeds. Other verbs also build it before they
//! compile the application. `devstack::web` implements the build.

use anyhow::Result;
use devstack::web;

/// Build `web/dist`, the browser bundle, unless it is newer than its sources.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools: Node.js, npm, and the packages of `web/package-lock.json`.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    web::bundle(args.install)?;
    Ok(true)
}
