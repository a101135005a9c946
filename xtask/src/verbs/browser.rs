//! `cargo xtask browser`: every page in a real browser.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::{CADDY, INITDB, REDIS, require};
use devstack::web;
use proofs::browser;

/// Exercise every page in a real browser.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Run only the stories (tests in `tests/web/stories/`) whose names contain this text.
    #[arg(default_value = "")]
    story: String,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&browser::programs(), args.install)?;
    require(&[&INITDB, &REDIS, &CADDY], args.install)?;
    web::bundle(args.install)?;
    let mut report = Report::new("browser");
    browser::add(&mut report, &args.story)?;
    report.finish()
}
