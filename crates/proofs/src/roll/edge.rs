//! Restarts the edge and reloads its configuration under load. Clients that read a log over Socket.IO must receive the close frame 1001,
//! must not all reconnect simultaneously, and must miss no line. Acknowledged requests of other clients must take effect exactly once.
//! docs/adr/0019-edge.md gives the reasons.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use devstack::form::Form;
use devstack::paths;
use devstack::report::{Outcome, Report};
use devstack::stack::Stack;
use serde_json::json;

use super::{CLIENTS, Readers, nothing_lost, start, under_load};
use crate::users::sign_up;

/// Number of clients that read a log during the proof, with the reconnection delays of the official client.
const READERS: u64 = 30;
/// The close code "going away" (RFC 6455, section 7.4.1).
const GOING_AWAY: &str = "1001";
/// Longest disconnection of a client beyond the edge's downtime. It covers the first reconnection delay and, if the first attempt came too
/// early, the second one.
const RETURN_LIMIT: Duration = Duration::from_secs(5);
/// Minimum time between the first and the last reconnection; official clients spread their first attempts over one second.
const MIN_SPREAD_MS: f64 = 300.0;

/// What a step does to the edge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    Stop,
    Reload,
}

/// Adds the proof to a report.
pub fn add(report: &mut Report, form: Form) -> Result<()> {
    let folder = paths::temporary("roll-edge")?;
    let started = report.obtain("readers behind the edge", || {
        let stack = start(folder.path(), form)?;
        let edge = stack.edge()?;
        let token = sign_up(&edge, "load@example.org")?;
        let readers = Readers::connect(&edge, &token, READERS, "usual")?;
        Ok(((stack, token, readers), Outcome::passed()))
    })?;
    let Some((mut stack, token, mut readers)) = started else { return Ok(()) };
    report.step("the edge is stopped and started", || prove(&mut stack, &token, &mut readers, Event::Stop))?;
    report.step("the edge is reloaded", || prove(&mut stack, &token, &mut readers, Event::Reload))
}

fn prove(stack: &mut Stack, token: &str, readers: &mut Readers, event: Event) -> Result<Outcome> {
    let edge = stack.edge()?;
    let (mut downtime, mut returned) = (Duration::ZERO, json!(null));
    let loads = under_load(&edge, token, || {
        let begun = Instant::now();
        match event {
            Event::Stop => {
                let status = stack.stop_edge()?;
                ensure!(status.success(), "the edge exited with {status}");
                stack.start_edge_again()?;
            }
            Event::Reload => stack.reload_edge()?,
        }
        downtime = begun.elapsed();
        returned = readers.sockets.ask(&json!({ "command": "returned", "limit": (downtime + RETURN_LIMIT).as_millis() }))?;
        Ok(())
    })?;
    ensure!(returned["missing"].is_null(), "{returned}");
    ensure!(returned["codes"] == json!({ GOING_AWAY: READERS }), "some readers did not receive exactly one close frame 1001: {returned}");
    let (disconnected, spread) = (returned["disconnected"].as_f64().unwrap_or(f64::MAX), returned["spread"].as_f64().unwrap_or_default());
    ensure!(
        disconnected < (downtime + RETURN_LIMIT).as_secs_f64() * 1000.0,
        "a reader was disconnected for {disconnected:.0} ms: {returned}"
    );
    ensure!(spread > MIN_SPREAD_MS, "all readers reconnected within {spread:.0} ms: {returned}");
    let lines = readers.read_all(&edge, token)?["lines"].clone();

    let unanswered: usize = loads.iter().map(|load| load.unanswered).sum();
    let failures: Vec<&str> = loads.iter().flat_map(|load| &load.failures).map(String::as_str).collect();
    ensure!(failures.len() == unanswered, "the edge or a replica answered with a failure: {}", failures.join("; "));
    // Caddy resets some connections that arrive while it loads its configuration: at most one per client.
    ensure!(event == Event::Stop || unanswered <= CLIENTS, "{unanswered} requests received no response: {}", failures.join("; "));
    let created = nothing_lost(&edge, token, &loads)?;
    Ok(Outcome::passed().with_note(format!(
        "{READERS} readers: all closed with 1001, disconnected {disconnected:.0} ms at most, reconnected over {spread:.0} ms, at most {} within 100 ms, \
         {lines} lines, 0 lost, 0 doubled; edge unavailable or reloading for {:.1} s; \
         {unanswered} requests without a response, {created} created, 0 lost, 0 doubled",
        returned["crowd"],
        downtime.as_secs_f64()
    )))
}
