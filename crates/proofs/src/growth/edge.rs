//! Requests through the edge to one, two and three replicas. On a machine whose cores are all busy with one replica, more replicas cannot
//! serve more requests, but they must not make a request more expensive.

use anyhow::Result;

use super::curve::Curve;
use super::setup::Setup;
use crate::machine::children;
use crate::peers::load::Scripts;
use crate::users::{create_project, sign_up};
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Ports};
use devstack::stack::{Plan, Stack};

/// A request may cost at most this many times as much as with any smaller number of replicas.
const LIMIT: f64 = 1.2;
const CONNECTIONS: u32 = 32;
/// Projects on the measured page.
const PROJECTS: u32 = 20;

/// Measures the CPU time per request: the sum over all processes of the stack, such as the edge, the replicas and the stores. Each round
/// starts one stack for each number of replicas.
pub fn measure(setup: &mut Setup<'_>) -> Result<Curve> {
    let mut curve = Curve::new("CPU of a request through the edge", "replicas", LIMIT);
    for round in 1..=setup.rounds {
        for replicas in 1..=MAX_REPLICAS {
            let micros = one(setup, replicas)?;
            eprintln!("    round {round}, {replicas} replicas: {micros:.0} µs for each request");
            curve.add(replicas.into(), micros);
        }
    }
    Ok(curve)
}

fn one(setup: &mut Setup<'_>, replicas: u16) -> Result<f64> {
    let folder = paths::temporary("growth")?;
    let before = children(std::process::id());
    let stack = Stack::start_service(Plan {
        folder: folder.path().to_owned(),
        ports: Ports::any(MAX_REPLICAS)?,
        replicas,
        binary: setup.program.clone(),
        engine: None,
        settings: Vec::new(),
    })?;
    let edge = stack.edge()?;
    let token = sign_up(&edge, "growth@example.org")?;
    for number in 1..=PROJECTS {
        create_project(&edge, &token, &format!("Project {number}"))?;
    }
    let url = format!("{edge}/api/projects?limit={PROJECTS}");
    let scripts = Scripts::write(folder.path())?;
    scripts.read(&url, &token, CONNECTIONS, 1)?;
    let processes: Vec<u32> = children(std::process::id()).into_iter().filter(|process| !before.contains(process)).collect();
    let seconds = setup.seconds;
    let micros = setup.meter.micros(&processes, || Ok(scripts.read(&url, &token, CONNECTIONS, seconds)?.requests))?;
    Ok(micros)
}
