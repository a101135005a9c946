//! The target of a load: a given edge, the stack of `up`, or a stack started for the load. Never a service of third parties.

use anyhow::{Context, Result, ensure};
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::stack::{self, PROGRAMS, Plan, Stack, fixed_ports};
use devstack::tools::require;
use devstack::{cargo, http, paths};
use tempfile::TempDir;

/// Which target to use.
pub struct Choice<'a> {
    /// The URL of the edge of a running stack, checked by [`nearby`].
    pub edge: Option<&'a str>,
    /// Whether to run the optimised binary in a stack that is started for the load.
    pub release: bool,
    /// Whether missing tools of a stack may be installed.
    pub install: bool,
}

/// A running stack.
pub struct Target {
    /// The URL of its edge.
    pub edge: String,
    /// The URL of its Prometheus; `None` for a given edge that is not that of `up`.
    pub prometheus: Option<String>,
    /// The stack started for the load; it stops when this value is dropped.
    pub own: Option<(Stack, TempDir)>,
}

impl Target {
    /// Finds the given edge or the stack of `up`, or starts a stack; also returns a note that says which.
    pub fn find(choice: &Choice) -> Result<(Self, String)> {
        if let Some(edge) = choice.edge {
            ensure_up(edge)?;
            let ports = fixed_ports(MAX_REPLICAS)?;
            let prometheus = is_of(&ports, edge).then(|| ports.url(Port::Prometheus)).transpose()?;
            return Ok((Self { edge: edge.to_owned(), prometheus, own: None }, edge.to_owned()));
        }
        if stack::SLOT.ready_text()?.is_some() {
            let target = Self::at(&fixed_ports(MAX_REPLICAS)?)?;
            ensure_up(&target.edge)?;
            return Ok((target, "the stack of `up`, as it was built".to_owned()));
        }
        require(&PROGRAMS, choice.install)?;
        cargo::build(choice.release, choice.install)?;
        let folder = paths::temporary("load")?;
        let stack = Stack::start(Plan {
            folder: folder.path().to_owned(),
            ports: Ports::any(MAX_REPLICAS)?,
            replicas: MAX_REPLICAS,
            binary: cargo::binary(choice.release),
            engine: None,
            settings: Vec::new(),
        })?;
        let target = Self::at(stack.ports())?;
        let note = if choice.release { "started for the load, optimised" } else { "started for the load, not optimised" };
        Ok((Self { own: Some((stack, folder)), ..target }, note.to_owned()))
    }

    fn at(ports: &Ports) -> Result<Self> {
        Ok(Self { edge: ports.url(Port::Edge)?, prometheus: Some(ports.url(Port::Prometheus)?), own: None })
    }
}

/// Whether `edge`, a URL that [`nearby`] accepts, is the URL of the edge that listens on these ports of this machine.
fn is_of(ports: &Ports, edge: &str) -> bool {
    let Ok((host, port)) = parts(edge) else { return false };
    let (port, by_port) = match edge.strip_prefix("https://") {
        Some(_) => (port.unwrap_or(443), Port::EdgeTls),
        None => (port.unwrap_or(80), Port::Edge),
    };
    is_loopback(host) && ports.of(by_port).is_ok_and(|of_edge| of_edge == port)
}

fn ensure_up(edge: &str) -> Result<()> {
    let answer = http::get(&format!("{edge}/health")).with_context(|| format!("the stack is down: nothing answers at {edge}"))?;
    ensure!(answer.status == 200, "the stack is not healthy: {edge}/health returned {}", answer.status);
    Ok(())
}

/// Returns the URL, if its host is this machine or the name of a container: load must never reach a service of third parties.
/// `load/lib/settings.js` has the same rule.
pub fn nearby(url: &str) -> Result<String> {
    let (host, _) = parts(url)?;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    let container = host.starts_with(|c: char| c.is_ascii_lowercase()) && host.chars().all(letters);
    ensure!(is_loopback(host) || container, "must be an address of this machine, or the name of a container");
    Ok(url.to_owned())
}

/// The host and the port of a URL without a path.
fn parts(url: &str) -> Result<(&str, Option<u16>)> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).context("must begin with http:// or https://")?;
    Ok(match rest.rsplit_once(':') {
        Some((host, port)) if !rest.ends_with(']') => (host, Some(port.parse().context("must end with a port or a host")?)),
        _ => (rest, None),
    })
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host == "[::1]" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_target_is_on_this_machine_or_a_container() {
        for url in
            ["http://localhost:8080", "http://127.0.0.1", "https://127.1.2.3:1", "http://[::1]:8080", "http://[::1]", "http://caddy:8080"]
        {
            assert_eq!(nearby(url).unwrap(), url);
        }
        let elsewhere = ["http://example.org", "http://10.0.0.1:80", "http://localhost.example.org", "http://[2001:db8::1]:80", "http://"];
        for url in
            elsewhere.into_iter().chain(["http://user@localhost", "http://localhost/path", "http://localhost:80/path", "http://0.0.0.0"])
        {
            assert!(nearby(url).is_err(), "{url}");
        }
        assert!(nearby("localhost:8080").unwrap_err().to_string().starts_with("must begin with http://"));
    }

    #[test]
    fn only_the_edge_of_up_has_the_prometheus_of_up() {
        let ports = Ports::fixed(MAX_REPLICAS);
        for edge in ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "https://localhost:8443"] {
            assert!(is_of(&ports, edge), "{edge}");
        }
        for edge in ["http://localhost:8081", "http://localhost", "http://localhost:8443", "https://localhost:8080", "http://caddy:8080"] {
            assert!(!is_of(&ports, edge), "{edge}");
        }
    }

    #[test]
    fn a_stack_that_is_down_is_named() {
        // Bound and released, so nothing listens there.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let edge = format!("http://{address}");
        let found = Target::find(&Choice { edge: Some(&edge), release: false, install: false });
        assert_eq!(found.err().unwrap().to_string(), format!("the stack is down: nothing answers at {edge}"));
    }
}
