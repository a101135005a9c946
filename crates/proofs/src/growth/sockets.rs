//! One change of a project, sent to growing numbers of subscribed websockets of one replica.

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use super::curve::Curve;
use super::setup::Setup;
use crate::peers::fixture::PROJECT;
use crate::sockets::Sockets;

/// Maximum ratio of the cost of a message to its cost with fewer sockets.
const LIMIT: f64 = 1.2;
/// Messages of one measurement. With few sockets there are fewer messages, because a measurement makes at most `MOST_CHANGES` changes.
const MESSAGES: u64 = 100_000;
const MOST_CHANGES: u64 = 300;
/// Limit in milliseconds for a change to reach all sockets.
const RECEIVED_WITHIN: u64 = 30_000;
/// The other subjects use Redis databases up to this number; this subject uses those above it.
const FIRST_REDIS_DATABASE: usize = 7;
/// File descriptors that are not sockets of clients.
const OTHER_FILES: u64 = 500;

/// CPU of the replica per delivered message. Each round starts a replica and adds sockets to it.
pub fn measure(setup: &mut Setup<'_>, counts: &[u64]) -> Result<Curve> {
    raise_file_limit(counts.iter().max().copied().unwrap_or_default() + OTHER_FILES)?;
    let mut curve = Curve::new("CPU of a message to a socket", "sockets", LIMIT);
    for round in 1..=setup.rounds {
        let replica = setup.start(&format!("sockets-{round}"), FIRST_REDIS_DATABASE + round as usize, |_| Ok(()))?;
        let (url, token) = (&replica.running.url, &setup.fixture.token);
        let mut clients = Sockets::start()?;
        let mut connected = 0;
        for count in counts {
            let added = count - connected;
            let answer = clients.ask(&json!({ "command": "idle", "url": url, "token": token, "clients": added, "project": PROJECT }))?;
            ensure!(answer["connected"] == added, "some clients failed to connect: {answer}");
            connected = *count;
            let mut deliver = |events: u64| {
                let received = clients.ask(&json!({
                    "command": "round",
                    "replica": url,
                    "token": token,
                    "project": PROJECT,
                    "events": events,
                    "limit": RECEIVED_WITHIN,
                }))?;
                ensure!(received["lost"] == 0 && received["doubled"] == 0, "changes were lost or doubled: {received}");
                Ok(f64::from(u32::try_from(events * count)?))
            };
            deliver(5)?;
            let events = (MESSAGES / count).clamp(10, MOST_CHANGES);
            let micros = setup.meter.micros(&[replica.running.pid()], || deliver(events))?;
            eprintln!("    {count} sockets: {micros:.1} µs for each message");
            curve.add(*count, micros);
        }
    }
    Ok(curve)
}

/// If this process may open fewer files than needed, raises its limit to the allowed maximum. Later children inherit the limit.
fn raise_file_limit(needed: u64) -> Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    ensure!(
        maximum.is_none_or(|maximum| maximum >= needed),
        "{needed} open files are needed, but at most {} are allowed (ulimit -Hn)",
        maximum.unwrap_or_default()
    );
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("failed to raise the limit of open files")
}
