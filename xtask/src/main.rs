//! `cargo xtask <verb>`: one command per claim about Vitrine.
//!
//! This file knows the verbs and the exit code. A new verb is one file in `verbs/`, which reads the options and calls one of the crates
//! below, one line in `verbs/mod.rs` and one line in the list below.
//! - `devstack`: the whole stack as local processes.
//! - `rule_tools`: Prometheus' rules and Grafana's dashboards.
//! - `proofs`: the claims, tested on a running stack.

mod form;
mod verbs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One command per claim about Vitrine.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// Declares the verbs: the clap variant and the call of its `run`, which returns whether every step passed.
macro_rules! verbs {
    ($($variant:ident => $module:ident),+ $(,)?) => {
        #[derive(Subcommand)]
        enum Verb {
            $($variant(verbs::$module::Args),)+
        }

        impl Verb {
            fn run(self) -> anyhow::Result<bool> {
                match self {
                    $(Self::$variant(args) => verbs::$module::run(&args),)+
                }
            }
        }
    };
}

verbs! {
    Up => up,
    Down => down,
    Drill => drill,
    Browser => browser,
    Cardinality => cardinality,
    Fanout => fanout,
    Interface => interface,
    Load => load,
    Test => test,
    Ci => ci,
    Catalogue => catalogue,
    Dashboards => dashboards,
    Notifications => notifications,
    Overhead => overhead,
    Panels => panels,
    Peers => peers,
    Prose => prose,
    Roll => roll,
    Rules => rules,
    Slo => slo,
    Sqlx => sqlx,
    Stores => stores,
    Web => web,
}

fn main() -> ExitCode {
    let verb = Cli::parse().verb;
    match devstack::process::watch_signals().and_then(|()| verb.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
