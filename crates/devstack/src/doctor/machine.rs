//! The machine: free disk space, the ports of a stack, a stack that already runs, and Docker.

use anyhow::{Context, Result};

use super::Finding;
use crate::engine::Engine;
use crate::listeners::holder;
use crate::paths;
use crate::ports::{Port, Ports};
use crate::process::{capture, task};
use crate::stack::Scope;
use crate::tools::{numbers_in, version_in};

/// Space for a first build and the data of a new stack. A complete build of `cargo xtask test` takes about as much again.
const LEAST_GIB: u64 = 3;
/// The first version of Compose that can read docker-compose.yml.
const LEAST_COMPOSE: (u32, u32) = (2, 24);

/// Free space where the checkout is.
pub fn disk() -> Result<Finding> {
    let root = paths::root();
    let file_system = rustix::fs::statvfs(&root).with_context(|| format!("failed to read the free space of {}", root.display()))?;
    let free = file_system.f_bavail * file_system.f_frsize / (1 << 30);
    let state = format!("{free} GiB free at {}", root.display());
    Ok(if free >= LEAST_GIB {
        Finding::fine("disk", state)
    } else {
        Finding::lacking("disk", state, format!("a first build needs {LEAST_GIB} GiB")).blocking()
    })
}

/// The ports of a stack: a line with the number of free ports, and a line for each port on which a program already listens.
#[must_use]
pub fn ports(ports: &Ports) -> Vec<Finding> {
    let taken = ports.taken();
    let free = Finding::fine("ports of the stack", format!("{} of {} are free", ports.count() - taken.len(), ports.count()));
    let line = |(port, number): (Port, u16)| {
        let holder = holder(number).map_or_else(|| "a program of another user".to_owned(), |holder| holder.to_string());
        let advice = port.variable().map_or_else(|| "stop it".to_owned(), |name| format!("stop it, or set {name} in .env"));
        Finding::lacking(format!("port {number} ({port:?})"), format!("taken by {holder}"), advice).blocking()
    };
    [free].into_iter().chain(taken.into_iter().map(line)).collect()
}

/// A line for each stack that already runs in this checkout: the whole stack, or parts of it.
pub fn stacks() -> Result<Vec<Finding>> {
    let mut running = Vec::new();
    for scope in Scope::ALL {
        if scope.slot().ready_text()?.is_some() {
            let state = format!("runs in this checkout (process {})", scope.slot().pid()?);
            running.push(Finding::lacking(format!("stack: {scope:?}"), state, "cargo xtask down").blocking());
        }
    }
    Ok(running)
}

/// The Docker engine and Compose. Neither is needed for local processes.
#[must_use]
pub fn docker() -> Vec<Finding> {
    let engine = match Engine::find() {
        Ok(engine) => Finding::fine("docker engine", format!("{} at {}", engine.version, engine.host)),
        Err(error) => Finding::lacking("docker engine", format!("{error:#}"), "https://docs.docker.com/engine/install/"),
    };
    let compose = capture(task("docker").args(["compose", "version", "--short"])).ok().filter(|captured| captured.success);
    vec![engine, compose_of(compose.as_ref().map(|captured| captured.text.as_str()))]
}

fn compose_of(version: Option<&str>) -> Finding {
    let advice = format!("{}.{} or newer: https://docs.docker.com/compose/install/", LEAST_COMPOSE.0, LEAST_COMPOSE.1);
    match version {
        Some(text) if version_in(text).is_some_and(|version| version >= LEAST_COMPOSE) => {
            Finding::fine("docker compose", numbers_in(text).unwrap_or_default())
        }
        Some(text) => Finding::lacking("docker compose", text.trim_end(), advice),
        None => Finding::lacking("docker compose", "missing", advice),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::super::Verdict;
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_taken_port_is_shown_with_its_holder_and_its_variable() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let number = listener.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".env");
        std::fs::write(&file, format!("PROMETHEUS_PORT={number}\n")).unwrap();
        let findings = ports(&Ports::configured(1, &Settings::read(&file).unwrap()).unwrap());
        let what = format!("port {number} (Prometheus)");
        let found = findings.iter().find(|finding| finding.what == what).unwrap();
        assert_eq!(found.verdict, Verdict::Blocking);
        assert!(found.state.ends_with(&format!("(process {})", std::process::id())), "{found:?}");
        assert_eq!(found.advice, "stop it, or set PROMETHEUS_PORT in .env");

        drop(listener);
        let findings = ports(&Ports::configured(1, &Settings::read(&file).unwrap()).unwrap());
        assert!(findings.iter().all(|finding| finding.what != what), "{findings:?}");
    }

    #[test]
    fn an_old_compose_is_lacking() {
        assert_eq!(compose_of(Some("2.24.0\n")).verdict, Verdict::Fine);
        assert_eq!(compose_of(Some("v2.40.3-3\n")).state, "2.40.3");
        assert_eq!(compose_of(Some("2.23.3\n")).verdict, Verdict::Lacking);
        assert_eq!(compose_of(None).verdict, Verdict::Lacking);
    }
}
