//! `cargo xtask drill`: proves on a whole stack that alerts fire on their causes, notify, and resolve after the fixes of their runbooks;
//! with `--quiet`, proves that no alert fires without a cause.

use anyhow::Result;
use devstack::cargo;
use devstack::report::Report;
use devstack::tools::require;
use proofs::drill::proof::{self, Selection};
use proofs::drill::quiet;

use crate::form::Choice;

/// Make alerts fire by injecting their causes, then make them resolve by applying the fixes of their runbooks.
#[derive(clap::Args)]
pub struct Args {
    /// Install missing tools.
    #[arg(long)]
    install: bool,
    /// Drill these alerts, or single variants such as `ErrorBudgetBurn:login:critical`, and update their rows of docs/ALERTS.md.
    #[arg(value_name = "NAME", required_unless_present_any = ["all", "quiet"])]
    names: Vec<String>,
    /// Drill every alert; writes docs/ALERTS.md when all of them pass. No drill with --production writes this document.
    #[arg(long)]
    all: bool,
    /// Run a cold start, load and a rolling restart instead of drills; no alert may fire.
    #[arg(long, conflicts_with_all = ["all", "names"])]
    quiet: bool,
    /// Divide every interval and wait of the monitoring by this number; without effect on `--quiet`.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    speed: u32,
    /// Duration of the load of `--quiet`, in minutes.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
    #[command(flatten)]
    form: Choice,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    require(&proof::programs(), args.install)?;
    cargo::build(false, args.install)?;
    let mut report = Report::new("drill");
    let form = args.form.form();
    if args.quiet {
        quiet::add(&mut report, args.minutes, form)?;
    } else {
        let selection = if args.all { Selection::All } else { Selection::Named(&args.names) };
        proof::add(&mut report, &selection, args.speed, form)?;
    }
    report.finish()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_load_of_a_quiet_run_lasts_at_least_a_minute() {
        let minutes = |text: &str| Command::try_parse_from(["drill", "--quiet", "--minutes", text]).map(|command| command.args.minutes);
        assert!(minutes("0").is_err());
        assert_eq!(minutes("1").unwrap(), 1);
    }
}
