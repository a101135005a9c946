//! Kills the stores of a running stack, as a user may do to see the effect: `up` must start them again, and the service must recover.

use std::fs;

use anyhow::{Context, Result};
use devstack::http::{get, is_ok};
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::wait_until;
use devstack::report::Outcome;
use rustix::process::{Pid, Signal, kill_process};

use super::answers::OPERATION_LIMIT;

/// Kills Redis, and then Postgres.
pub fn all(ports: &Ports) -> Result<Outcome> {
    let redis = ("redis-server", format!("127.0.0.1:{}", ports.of(Port::Redis)?));
    let postgres = ("postgres", format!("--port={}", ports.of(Port::Postgres)?));
    for (program, argument) in [redis, postgres] {
        let killed = server(program, &argument)?.with_context(|| format!("{program} does not run with {argument}"))?;
        kill_process(killed, Signal::KILL).with_context(|| format!("failed to kill {program}"))?;
        wait_until(&format!("{program} runs again"), OPERATION_LIMIT, || {
            Ok(server(program, &argument)?.is_some_and(|process| process != killed))
        })?;
        for number in 1..=MAX_REPLICAS {
            let replica = ports.url(Port::Backend(number))?;
            wait_until(&format!("backend-{number} recovers after {program} was killed"), OPERATION_LIMIT, || Ok(has_recovered(&replica)))?;
        }
    }
    Ok(Outcome::passed())
}

/// Whether a replica reports that all of its dependencies are up, and answers a request that reads from the stores.
fn has_recovered(replica: &str) -> bool {
    let readiness = get(&format!("{replica}/health/ready")).and_then(|answer| answer.json());
    readiness.is_ok_and(|readiness| readiness["status"] == "ready") && is_ok(&format!("{replica}/api/showcase"))
}

/// The process of this program with this argument. For a moment, children of Postgres have the same command line; their parent started
/// first, so it normally has the lowest process id.
fn server(program: &str, argument: &str) -> Result<Option<Pid>> {
    let mut found: Vec<i32> = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        // An entry that is not a process, or has just exited, has no command line.
        let line = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
        let mut words = line.split(['\0', ' ']);
        if words.next().is_some_and(|first| first.ends_with(program)) && words.any(|word| word == argument) {
            found.extend(path.file_name().and_then(|name| name.to_str()?.parse::<i32>().ok()));
        }
    }
    Ok(found.into_iter().min().and_then(Pid::from_raw))
}
