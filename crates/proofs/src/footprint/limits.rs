//! The limits of each process, with their reasons. Each limit is about twice the value measured with unoptimised binaries on two cores: a
//! busy machine stays below it, but a process that leaks memory or spins exceeds it.

use anyhow::{Context, Result};

use crate::load::Profile;

/// The limit of the whole stack in MiB, under any profile: 1.2 GB, so that a laptop with 8 GB can also run an editor and a browser.
pub const STACK_MIB: f64 = 1144.0;

/// When the figures are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Without clients.
    Idle,
    /// Under the gentle load of `load/demo.js`.
    Demo,
    /// Under any other load profile, such as `seed`.
    Loaded,
}

impl Phase {
    /// The phase of a load profile.
    pub fn of(profile: Profile) -> Self {
        if profile == Profile::Demo { Self::Demo } else { Self::Loaded }
    }

    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Demo => "demo",
            Self::Loaded => "loaded",
        }
    }
}

/// The limits of a process.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Share of one core, in percent.
    pub cpu: f64,
    /// Memory in MiB.
    pub memory: f64,
}

/// The limits of one process: CPU in the phases idle, demo and loaded; memory when idle and under load.
struct Row {
    name: &'static str,
    cpu: [f64; 3],
    memory: [f64; 2],
}

const fn row(name: &'static str, cpu: [f64; 3], memory: [f64; 2]) -> Row {
    Row { name, cpu, memory }
}

const ROWS: [Row; 14] = [
    // One process for each connection: three replicas hold up to twelve each, the exporter one.
    row("postgres", [10.0, 20.0, 100.0], [150.0, 250.0]),
    row("redis", [5.0, 10.0, 50.0], [30.0, 60.0]),
    row("provider-sim", [2.0, 10.0, 30.0], [60.0, 80.0]),
    // An idle replica polls for jobs, checks its dependencies, sends a heartbeat each second, and is scraped. Compose limits it to 512 MiB.
    row("backend", [12.0, 40.0, 70.0], [120.0, 200.0]),
    row("caddy", [5.0, 15.0, 70.0], [80.0, 120.0]),
    row("postgres-exporter", [5.0, 5.0, 5.0], [50.0, 50.0]),
    row("redis-exporter", [5.0, 5.0, 5.0], [50.0, 50.0]),
    row("node-exporter", [5.0, 5.0, 5.0], [50.0, 50.0]),
    row("blackbox-exporter", [5.0, 5.0, 5.0], [50.0, 50.0]),
    // Node.js, whose heap takes most of this memory.
    row("maildev", [3.0, 3.0, 3.0], [150.0, 150.0]),
    row("runbooks", [3.0, 3.0, 3.0], [80.0, 80.0]),
    row("alertmanager", [3.0, 3.0, 3.0], [60.0, 60.0]),
    // Evaluates 73 alerting rules and the recording rules every 15 s, over about 8,000 series of each replica.
    row("prometheus", [15.0, 20.0, 30.0], [300.0, 350.0]),
    // Only where it is installed.
    row("grafana", [10.0, 10.0, 10.0], [250.0, 250.0]),
];

/// The limits of a process by its name; all replicas have the same.
pub fn limit_of(process: &str, phase: Phase) -> Result<Limit> {
    let name = if process.starts_with("backend-") { "backend" } else { process };
    let row = ROWS.iter().find(|row| row.name == name).with_context(|| format!("{process} has no limit"))?;
    let at = phase as usize;
    Ok(Limit { cpu: row.cpu[at], memory: row.memory[at.min(1)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_never_lowers_a_limit() {
        for row in &ROWS {
            assert!(row.cpu.is_sorted() && row.memory.is_sorted(), "{}", row.name);
        }
    }

    #[test]
    fn a_process_without_a_limit_is_an_error() {
        assert!((limit_of("backend-2", Phase::Demo).unwrap().memory - 200.0).abs() < f64::EPSILON);
        assert!((limit_of("redis", Phase::Loaded).unwrap().cpu - 50.0).abs() < f64::EPSILON);
        assert_eq!(limit_of("miner", Phase::Idle).unwrap_err().to_string(), "miner has no limit");
    }
}
