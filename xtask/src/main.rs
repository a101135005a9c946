//! `cargo xtask <verb>`: one command per claim about Vitrine.
//!
//! This file knows the verbs and the exit code. A new verb is one file in `verbs/`, one line in
//! `verbs/mod.rs` and one line in the list below. Modules that verbs share:
//! - Processes: `tools` (required programs and where to find them), `process` (start and stop them), `background` (processes that outlive
//!   their terminal), `ports` (listening ports), `stores` and `stack` (processes that run together), `engine` (the Docker engine for
//!   environments).
//! - Settings: `form` (demo or production), `configuration` (compose's files rewritten for local processes), `speed` (durations in those
//!   files, divided), `paths`, `users`.
//! - Node.js: `node`, `web` (the browser bundle), `dashboards` (Grafana's JSON).
//! - Monitoring: `rules` and `mutants` (Prometheus rules and how well they are tested), `slo` (rules generated from objectives),
//!   `notifications` (alert routing).
//! - Proofs: `drill` (alerts fired by real causes), `panels` (dashboards under the same causes), `load` (k6), `peers` (comparison with
//!   other services), `attack` (hostile clients), `checks` and `smoke` (short proofs that several verbs share).
//! - Clients and output: `sockets`, `http`, and `report` (the printed result of a proof).

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
    match process::watch_signals().and_then(|()| verb.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
