//! `cargo xtask web`: makes what browsers load, which the application embeds. Other verbs do the same by themselves before
//! they compile it; how is said in `web.rs` beside this folder.

use anyhow::Result;

use crate::web;

/// Make `web/dist`, which browsers load, unless it is newer than its sources.
#[derive(clap::Args)]
pub struct Args {
    /// Install what is missing: Node.js, npm, and the packages of `web/package-lock.json`.
    #[arg(long)]
    install: bool,
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<bool> {
    web::bundle(args.install)?;
    Ok(true)
}
