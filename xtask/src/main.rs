//! `cargo xtask <verb>`: one command per claim about Vitrine.
//!
//! This file knows the verbs and the exit code. A new verb is one file in `verbs/`, one line in
//! `verbs/mod.rs` and one line in the list below. What verbs share lies beside this file:
//! `tools` (which programs, where from), `process` (start and stop them), `ports` (where they listen),
//! `stores` and `stack` (what runs together), `node` (what Node.js makes: `web` for browsers, `dashboards` for Grafana), `engine` (what runs environments), `form` (demo or production), `configuration` (compose's files made local), `speed` (time in them divided),
//! `notifications` (who is told of alerts), `background` (what outlives its terminal), `checks` and `smoke` (short proofs of several verbs), `rules`, `mutants` and `slo` (what Prometheus evaluates, how well it is tested, and what of it follows from objectives),
//! `drill` (alerts by their causes), `panels` (dashboards by the same), `load` (k6), `peers` (what Vitrine is compared with), `attack` (hostile clients), `sockets`, `http`, `users`, `paths`, and `report` (what a proof prints).

mod attack;
mod background;
mod browsing;
mod checks;
mod configuration;
mod dashboards;
mod drill;
mod engine;
mod form;
mod http;
mod load;
mod mutants;
mod node;
mod notifications;
mod panels;
mod paths;
mod peers;
mod ports;
mod process;
mod prose;
mod report;
mod rules;
mod slo;
mod smoke;
mod snippets;
mod sockets;
mod speed;
mod stack;
mod stores;
mod tools;
mod users;
mod verbs;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One command per claim about Vitrine.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

/// Declares the verbs: the clap variant and the call of its `run`, which answers whether all passed.
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
    match process::watch_signals().and_then(|()| verb.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
