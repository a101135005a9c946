//! `cargo xtask trace`: prints a trace with its log lines, and with the jobs that it caused. `devstack::traces` reads and draws it.

use anyhow::Result;
use devstack::ports::MAX_REPLICAS;
use devstack::stack::fixed_ports;
use devstack::traces::{Store, Wanted};

/// Print a trace as a tree: its spans, its log lines, and the jobs that it caused.
///
/// Reads the stores of `cargo xtask up --tracing`, or Tempo and Loki of Compose.
#[derive(clap::Args)]
pub struct Args {
    /// The trace: the X-Request-Id of a response, the `trace_id` of a problem or a log line, `slowest`, or `failed`.
    #[arg(value_name = "TRACE")]
    wanted: String,
}

/// Runs the verb and returns whether it succeeded.
pub fn run(args: &Args) -> Result<bool> {
    let wanted = Wanted::parse(&args.wanted)?;
    print!("{}", wanted.text(&Store::of(&fixed_ports(MAX_REPLICAS)?)?)?);
    Ok(true)
}
