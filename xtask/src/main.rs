//! `cargo xtask <verb>`: commands for daily work, generators, and proofs of the claims about Vitrine.
//!
//! This file lists the verbs and sets the exit code. A new verb needs a file in `verbs/`, a line in `verbs/mod.rs` and a line in the call
//! of `verbs!`. The file of a verb reads the options and calls these crates:
//! - `devstack`: the whole stack as local processes.
//! - `rule_tools`: Prometheus' rules and Grafana's dashboards.
//! - `proofs`: the proofs of the claims, most of them on a running stack.

mod form;
mod help;
mod verbs;

use std::process::ExitCode;

use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};

/// Commands for daily work, generators, and proofs of the claims about Vitrine.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// Declares the verbs in groups. Each verb becomes a variant for clap and a call of its `run`, which returns whether every step passed.
macro_rules! verbs {
    ($($group:literal: { $($variant:ident => $module:ident),+ $(,)? })+) => {
        #[derive(Subcommand)]
        enum Verb {
            $($($variant(verbs::$module::Args),)+)+
        }

        impl Verb {
            fn run(self) -> anyhow::Result<bool> {
                match self {
                    $($(Self::$variant(args) => verbs::$module::run(&args),)+)+
                }
            }
        }

        const GROUPS: &[help::Group] = &[$(help::Group { title: $group, verbs: &[$(stringify!($module)),+] }),+];
    };
}

verbs! {
    "Daily work": {
        Up => up,
        Dev => dev,
        Down => down,
        Doctor => doctor,
        Stores => stores,
        Backup => backup,
        Restore => restore,
        Trace => trace,
        Test => test,
        Ci => ci,
    }
    "Generators": {
        Catalogue => catalogue,
        Dashboards => dashboards,
        Deploy => deploy,
        Pictures => pictures,
        Slo => slo,
        Sqlx => sqlx,
        Web => web,
    }
    "Proofs": {
        Browser => browser,
        Canary => canary,
        Cardinality => cardinality,
        Correlate => correlate,
        Doctest => doctest,
        DrDrill => dr_drill,
        Drill => drill,
        Exposure => exposure,
        Fanout => fanout,
        Footprint => footprint,
        Growth => growth,
        Ha => ha,
        HealthMatrix => health_matrix,
        Interface => interface,
        Load => load,
        Notifications => notifications,
        Overhead => overhead,
        Panels => panels,
        Peers => peers,
        Prose => prose,
        Reconcile => reconcile,
        Roll => roll,
        Rules => rules,
        VersionSkew => version_skew,
    }
}

/// The whole command line. `cargo xtask doctest` compares the documents with it.
fn command_line() -> Command {
    help::in_groups(Cli::command(), GROUPS)
}

fn main() -> ExitCode {
    let parsed = command_line().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let verb = match parsed {
        Ok(Cli { verb }) => verb,
        Err(error) => return explain(&error),
    };
    match devstack::process::watch_signals().and_then(|()| verb.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the help, or the error in the arguments. The exit code of such an error is that of every other failure.
fn explain(error: &clap::Error) -> ExitCode {
    // If the output is closed, printing fails, and there is nowhere to report the failure.
    let _ = error.print();
    if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_arguments_exit_with_failure_and_help_exits_with_success() {
        let code = |args: &[&str]| explain(&Cli::command().try_get_matches_from(args).unwrap_err());
        assert_eq!(code(&["xtask", "load", "--profile", "sprint"]), ExitCode::FAILURE);
        assert_eq!(code(&["xtask", "--help"]), ExitCode::SUCCESS);
    }

    #[test]
    fn the_command_line_is_consistent() {
        command_line().debug_assert();
    }
}
