//! `cargo xtask doctor`: lists what is missing on this machine, and the programs that occupy the ports of a stack. It changes nothing.
//! `devstack::doctor` has the checks; this verb selects the programs and prints the findings.

use anyhow::Result;
use devstack::doctor::{self, Section};
use devstack::ports::MAX_REPLICAS;
use devstack::stack::{PROGRAMS, fixed_ports};
use devstack::tools::{GRAFANA, K6, MAKE, NODE, NPM, ROTEL, Tool};
use proofs::suite;

/// Say what this machine lacks for `up`, `test` and Docker, and which ports are taken.
///
/// Exits with 0 if `cargo xtask up --install` can start, and otherwise with 1.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the verb and returns whether `up --install` can start.
pub fn run(_args: &Args) -> Result<bool> {
    let up: Vec<&Tool> = [&NODE, &NPM].into_iter().chain(PROGRAMS).collect();
    let is_new = |tool: &&Tool| up.iter().all(|other| other.name != tool.name);
    let mut test: Vec<&Tool> = suite::programs(true).into_iter().filter(is_new).collect();
    test.dedup_by_key(|tool| tool.name);
    let install = "cargo xtask up --install";
    let programs = doctor::tools(&[&MAKE], "", true).into_iter().chain(doctor::tools(&up, install, true));
    let optional = doctor::tools(&[&K6], install, false)
        .into_iter()
        .chain(doctor::tools(&[&ROTEL], "cargo xtask up --tracing --install", false))
        .chain(doctor::tools(&[&GRAFANA], "https://grafana.com/docs/", false));
    let sections = [
        Section { title: "Rust", findings: doctor::rust() },
        Section { title: "Programs of the stack", findings: programs.chain([doctor::web_packages()]).collect() },
        Section { title: "Optional programs of the stack", findings: optional.collect() },
        Section { title: "More programs for the tests", findings: doctor::tools(&test, "cargo xtask test --install", false) },
        Section { title: "Docker, for Compose and for environments in containers", findings: doctor::docker() },
        Section {
            title: "This machine",
            findings: [doctor::disk()?].into_iter().chain(doctor::stacks()?).chain(doctor::ports(&fixed_ports(MAX_REPLICAS)?)).collect(),
        },
    ];
    print!("{}", doctor::text(&sections));
    let can_start = doctor::can_start(&sections);
    println!(
        "{}",
        if can_start { "`cargo xtask up --install` can start." } else { "`cargo xtask up --install` cannot start: see BLOCKING." }
    );
    Ok(can_start)
}
