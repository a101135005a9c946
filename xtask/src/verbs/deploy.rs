//! `cargo xtask deploy`: writes the generated files of `deploy/` and checks all files there, without a cluster or a cloud. `proofs::deploy`
//! has the parts.

use anyhow::Result;
use devstack::report::Report;
use devstack::tools::require;
use proofs::deploy;

/// Regenerate and check the files of deploy/, for more than one machine.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Write nothing; fail if a generated file is out of date.
    #[arg(long)]
    check: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&deploy::programs(), args.install)?;
    let mut report = Report::new("deploy");
    if !args.check {
        deploy::write(&mut report)?;
    }
    deploy::add(&mut report)?;
    report.finish()
}
