//! `cargo xtask overhead`: the cost of the layers around the routes, measured by `benches/overhead.rs` on disposable stores.
//! It reports measurements and sets no limits, because the results depend on the machine's other load.

use anyhow::Result;
use devstack::cargo;
use devstack::process::run as run_task;
use devstack::report::{Outcome, Report};
use devstack::tools::{INITDB, REDIS, require};
use devstack::{paths, stores, web};

/// Compare the service, its routes without layers, and bare axum in one run.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&[&INITDB, &REDIS], args.install)?;
    web::bundle(args.install)?;
    let mut report = Report::new("overhead");
    report.step("benchmark", || {
        let folder = paths::temporary("overhead")?;
        let (postgres, redis) = stores::disposable(folder.path())?;
        let mut benchmark = cargo::command();
        benchmark.args(["bench", "--bench", "overhead"]).env("DATABASE_URL", &postgres.url).env("REDIS_URL", &redis.url);
        Ok(if run_task(&mut benchmark)? {
            Outcome::passed().with_note("figures above")
        } else {
            Outcome::failed("the benchmark did not finish")
        })
    })?;
    report.finish()
}
