//! The services that the comparison measures: their names, how to start them, and a handle to a running one.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};
use devstack::http::{get, send};
use devstack::ports;
use devstack::process::{Daemon, Process};

use super::cases::Case;
use super::fixture::Stores;
use crate::machine;

const START_LIMIT: Duration = Duration::from_mins(1);
/// Vitrine's limits on connections: higher than any measurement needs.
const CONNECTIONS: &str = "20000";

/// The name of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// This checkout.
    Vitrine,
    /// Another binary or revision of Vitrine.
    Baseline,
    /// This checkout with traces, of which a tenth are in the sample.
    Traced,
    /// This checkout with an access line for a tenth of all requests.
    Logged,
    /// `benches/peers/fastify`.
    Fastify,
    /// `benches/peers/plain-axum`.
    PlainAxum,
    /// The second binary of `benches/peers/plain-axum`.
    BareAxum,
}

impl Name {
    /// The services other than Vitrine.
    pub const PEERS: [Self; 3] = [Self::Fastify, Self::PlainAxum, Self::BareAxum];
    /// This checkout with other settings.
    pub const VARIANTS: [Self; 2] = [Self::Traced, Self::Logged];

    /// The name in tables, logs and, for a peer, `--only`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vitrine => "vitrine",
            Self::Baseline => "baseline",
            Self::Traced => "traced",
            Self::Logged => "logged",
            Self::Fastify => "fastify",
            Self::PlainAxum => "plain-axum",
            Self::BareAxum => "bare-axum",
        }
    }

    /// Parses a list of names of peers; an empty list selects all peers.
    pub fn peers(list: &[String]) -> Result<Vec<Self>> {
        if list.is_empty() {
            return Ok(Self::PEERS.to_vec());
        }
        let find = |text: &String| {
            let found = Self::PEERS.into_iter().find(|name| name.as_str() == text);
            found.map_or_else(|| bail!("unknown peer {text:?}: must be fastify, plain-axum or bare-axum"), Ok)
        };
        list.iter().map(find).collect()
    }

    /// Whether the service has all six routes of the comparison; bare axum has only `/health`.
    pub const fn is_full(self) -> bool {
        !matches!(self, Self::BareAxum)
    }

    /// The measured requests.
    pub const fn cases(self) -> &'static [Case] {
        match self {
            Self::Vitrine | Self::Baseline | Self::Fastify | Self::PlainAxum => &Case::ALL,
            Self::Traced | Self::Logged => &[Case::Project],
            Self::BareAxum => &[Case::Health],
        }
    }

    /// Whether the sockets of the service are measured.
    pub const fn has_sockets(self) -> bool {
        matches!(self, Self::Vitrine | Self::Baseline | Self::Fastify)
    }

    const fn is_vitrine(self) -> bool {
        matches!(self, Self::Vitrine | Self::Baseline | Self::Traced | Self::Logged)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A service that can be started.
pub struct Target {
    pub name: Name,
    /// The service's program and its arguments.
    pub program: (PathBuf, Vec<OsString>),
    /// The service's databases.
    pub stores: Stores,
    /// Variables of the environment that differ from those of other services.
    pub settings: Vec<(&'static str, String)>,
}

/// A running service; dropping it stops the service.
pub struct Running {
    process: Process,
    /// The service's base URL.
    pub url: String,
}

impl Running {
    /// The id of the service's process.
    pub fn pid(&self) -> u32 {
        self.process.pid().as_raw_nonzero().get().unsigned_abs()
    }

    /// The service's resident memory in MB.
    #[expect(clippy::cast_precision_loss, reason = "memory stays far below 2^52 KiB")]
    pub fn resident_mb(&self) -> f64 {
        machine::resident_kib(self.pid()) as f64 * 1024.0 / 1e6
    }
}

impl Target {
    /// Starts the service on one core. Waits until it responds to a request that needs its stores or, for bare axum, to `/health`.
    pub fn start(&self, core: u32, token: &str, logs: &Path) -> Result<Running> {
        let [port] = ports::free(1)?[..] else { bail!("no free port") };
        let (program, arguments) = &self.program;
        let mut daemon = Daemon::new(self.name.as_str(), Path::new("taskset"), logs)
            .args([OsString::from("--cpu-list"), core.to_string().into(), program.into()])
            .args(arguments)
            .env("LISTEN_ADDRESS", format!("127.0.0.1:{port}"))
            .env("DATABASE_URL", &self.stores.database_url)
            .env("REDIS_URL", &self.stores.redis_url)
            .env("NODE_ENV", "production");
        for (name, value) in &self.settings {
            daemon = daemon.env(name, value);
        }
        if self.name.is_vitrine() {
            // Only these settings differ from their defaults. The limits on connections are higher, because one client opens all
            // connections of a measurement. The pauses at shutdown are zero.
            for limit in ["SOCKETS_PER_USER", "SOCKETS_PER_ADDRESS", "MAX_CONNECTIONS"] {
                daemon = daemon.env(limit, CONNECTIONS);
            }
            for pause in ["DRAIN_DELAY", "SOCKET_DRAIN"] {
                daemon = daemon.env(pause, "0s");
            }
        }
        let mut process = daemon.start()?;
        let url = format!("http://127.0.0.1:{port}");
        let bearer = format!("Bearer {token}");
        process.wait_ready(START_LIMIT, || {
            let answer = if self.name.is_full() {
                send("GET", &format!("{url}/api/auth/me"), &[("authorization", &bearer)], None)
            } else {
                get(&format!("{url}/health"))
            };
            answer.is_ok_and(|answer| answer.status == 200)
        })?;
        Ok(Running { process, url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_selected_by_name_and_unknown_names_are_rejected() {
        let named = |list: &[&str]| Name::peers(&list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(named(&[]).unwrap(), Name::PEERS);
        assert_eq!(named(&["bare-axum", "fastify"]).unwrap(), [Name::BareAxum, Name::Fastify]);
        let error = named(&["express"]).unwrap_err().to_string();
        assert_eq!(error, "unknown peer \"express\": must be fastify, plain-axum or bare-axum");
    }

    #[test]
    fn a_service_that_exits_during_startup_is_reported_with_its_log() {
        let logs = tempfile::tempdir().unwrap();
        let stores = Stores { database_url: String::new(), redis_url: String::new() };
        let program = ("sh".into(), vec!["-c".into(), "echo no luck; exit 3".into()]);
        let error =
            Target { name: Name::Fastify, program, stores, settings: Vec::new() }.start(0, "", logs.path()).err().unwrap().to_string();
        assert!(error.contains("fastify ended") && error.contains("no luck"), "{error}");
    }
}
