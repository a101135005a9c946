//! Proves that nothing internal answers at the edge: metrics, readiness, the monitoring, the edge's own administration, runbooks, simulated
//! platforms and files; and that only admins can read faults. The requests vary the spelling of the path, the method, the host and the
//! headers. First, the proof asks every internal service on its own port: a text in the response identifies the service, and must not come
//! back through the edge.
//!
//! `exposure/surfaces` lists what is internal, `exposure/spellings`, `exposure/probes` and `exposure/http2` make the requests, and
//! `exposure/listeners` reads the addresses on which the stack listens. The last step shows that the probes can fail: it removes the
//! Caddyfile's rule that refuses internal routes, and the edge must then answer.

mod http2;
mod listeners;
mod probes;
mod spellings;
mod surfaces;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use devstack::form::Form;
use devstack::http::{Client, get};
use devstack::paths;
use devstack::ports::{Port, Ports};
use devstack::process::check_interrupt;
use devstack::report::{Outcome, Report};
use serde_json::json;

use crate::drill::test_stack::TestStack;
use probes::{Expected, Probe};
use surfaces::Surface;

/// The speed of the monitoring; the proof would work at any speed.
const SPEED: u32 = 3;
/// Number of concurrent clients.
const CLIENTS: usize = 4;
/// The routes of faults: clients can reach them, but only admins may use them.
const FAULTS: [&str; 3] = ["/api/faults", "/api/faults/0192f0c1-2f6b-7c3a-9d5e-6a1b2c3d4e5f", "/studio/faults"];
/// A field that only an admin receives.
const FAULT_FIELD: &str = "\"delay_ms\":";
/// The line of the Caddyfile that refuses internal routes.
const RULE: &str = "\terror @internal 404\n";

/// The paths that the proof requests in every spelling.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The internal routes of replicas, the files, and one path of every other service.
    Short,
    /// Every path.
    Full,
}

/// Adds the proof to a report, on a stack of its own. The production form is proven over HTTP/2 only; the demo form covers everything else.
pub fn add(report: &mut Report, form: Form) -> Result<()> {
    let folder = paths::temporary("exposure")?;
    let started = report.obtain("a whole stack", || Ok((TestStack::start(folder.path().to_owned(), SPEED, form)?, Outcome::passed())))?;
    let Some(test) = started else { return Ok(()) };
    match form {
        Form::Demo => on(report, &test, Extent::Full),
        Form::Production => report.step("nothing internal answers over HTTP/2", || over_http2(&test)),
    }
}

/// Requests the internal routes of replicas over HTTP/2, in every spelling that HTTP/2 can carry. The edge of the stack must have HTTPS.
pub(crate) fn over_http2(test: &TestStack) -> Result<Outcome> {
    let surfaces = surfaces::all(test.stack.ports());
    let responses = http2::responses(&test.stack.edge()?, of_replicas(&surfaces))?;
    ensure!(responses.iter().any(|(_, answer)| answer == "2 404"), "no request was refused, so the edge was not reached");
    // curl prints 000 if there was no response: the edge ends the stream of a malformed path.
    let exposed = responses.iter().filter(|(_, answer)| !answer.starts_with("2 4") && !answer.ends_with(" 000"));
    let exposed: Vec<Exposed> =
        exposed.map(|(target, answer)| Exposed { request: target.clone(), why: format!("HTTP/{answer}") }).collect();
    outcome(&exposed, responses.len())
}

/// Adds the proof to a report, on a running stack of the demo's form.
pub(crate) fn on(report: &mut Report, test: &TestStack, extent: Extent) -> Result<()> {
    let surfaces = surfaces::all(test.stack.ports());
    let mut marks = BTreeSet::new();
    report.step("internal services answer on their own ports", || {
        marks = surfaces.iter().filter_map(|surface| surface.control(test.stack.ports()).transpose()).collect::<Result<_>>()?;
        Ok(Outcome::passed().with_note(format!("{} paths, {} texts that identify responses", surfaces.len(), marks.len())))
    })?;
    report.step("every process listens on loopback only", loopback)?;
    report.step("the edge itself refuses the internal routes of replicas", || refuses(test, &surfaces))?;
    report.step("nothing internal answers at the edge", || {
        let probes = internal(test.stack.ports(), &surfaces, extent)?;
        ensure!(!marks.is_empty(), "no text identifies an internal service");
        outcome(&send(test, &probes, &marks)?, probes.len())
    })?;
    report.step("only admins can read faults", || faults(test))?;
    report.step("without its rule, the edge answers on internal routes", || without_rule(test, &surfaces, &marks))
}

/// Passes when other machines cannot reach any listener of this process or of its descendants, which include the stack.
fn loopback() -> Result<Outcome> {
    let listeners = listeners::of(std::process::id())?;
    ensure!(!listeners.is_empty(), "no process of the stack listens");
    let open = listeners.iter().filter(|listener| !listeners::is_local(listener.address));
    let open: Vec<String> = open.map(|listener| format!("{} at {}", listener.process, listener.address)).collect();
    ensure!(open.is_empty(), "other machines can reach {}", open.join(", "));
    Ok(Outcome::passed().with_note(format!("{} sockets", listeners.len())))
}

/// Passes when the edge itself answers 404 to requests for the internal routes of replicas.
fn refuses(test: &TestStack, surfaces: &[Surface]) -> Result<Outcome> {
    let edge = test.stack.edge()?;
    for path in of_replicas(surfaces) {
        let answer = get(&format!("{edge}{path}"))?;
        let replica = answer.header("x-served-by");
        ensure!(answer.status == 404 && replica.is_empty(), "{path}: {} by '{replica}'", answer.status);
        ensure!(answer.json()?["code"] == "not_found", "{path}: {}", answer.body);
    }
    Ok(Outcome::passed())
}

fn of_replicas(surfaces: &[Surface]) -> impl Iterator<Item = &'static str> {
    surfaces.iter().filter(|surface| matches!(surface.port, Port::Backend(_))).map(|surface| surface.path)
}

/// The probes of every internal path.
fn internal(ports: &Ports, surfaces: &[Surface], extent: Extent) -> Result<Vec<Probe>> {
    let mut all = Vec::new();
    let mut last = None;
    for Surface { port, path, .. } in surfaces {
        let is_spelled = extent == Extent::Full || matches!(port, Port::Backend(_)) || last.replace(port) != Some(port);
        if is_spelled {
            all.extend(probes::of(path, &ports.address(*port)?, &[]));
        } else {
            all.push(probes::plain(path));
        }
    }
    let edge = ports.address(Port::Edge)?;
    all.extend(surfaces::FILES.iter().flat_map(|path| probes::of(path, &edge, &[])));
    Ok(all)
}

/// Only admins may read faults: clients without an account and ordinary users must be refused.
fn faults(test: &TestStack) -> Result<Outcome> {
    let ports = test.stack.ports();
    let fault = test.known_fault(json!({ "fault": "latency", "delay_ms": 1, "route": "/version" }))?;
    let id = fault.id();
    let seen = FAULTS.iter().filter(|path| test.read_as_admin(path).is_ok_and(|answer| answer.body.contains(id))).count();
    ensure!(seen > 0, "an admin does not see the fault {id} either, so nothing is proven");
    let user = test.new_account()?;
    let claims = [format!("Authorization: Bearer {user}"), format!("Cookie: vitrine={user}")];
    let address = ports.address(Port::Edge)?;
    let lists: Vec<Probe> = FAULTS.iter().flat_map(|path| probes::of(path, &address, &claims)).collect();
    let path = format!("/api/faults/{id}");
    // A refusal repeats the path with the identifier, so the identifier is no sign of exposure here.
    let own = probes::of(&path, &address, &claims);
    let mut exposed = send(test, &lists, &BTreeSet::from([id, FAULT_FIELD]))?;
    exposed.extend(send(test, &own, &BTreeSet::from([FAULT_FIELD]))?);
    let remains = test.read_as_admin(&path)?;
    test.end_fault(&fault)?;
    ensure!(remains.status == 200, "a probe ended the fault: {}", remains.status);
    ensure!(remains.body.contains(FAULT_FIELD), "the answer to an admin has no {FAULT_FIELD}: {}", remains.body);
    outcome(&exposed, lists.len() + own.len())
}

/// A request whose response exposes something internal.
struct Exposed {
    request: String,
    why: String,
}

/// Sends all probes and returns those whose responses expose something internal, as [`judge`] defines it.
fn send(test: &TestStack, probes: &[Probe], marks: &BTreeSet<&str>) -> Result<Vec<Exposed>> {
    let edge = test.stack.ports().address(Port::Edge)?;
    let next = AtomicUsize::new(0);
    let client = || -> Result<Vec<Exposed>> {
        let mut exposed = Vec::new();
        while let Some(probe) = probes.get(next.fetch_add(1, Ordering::Relaxed)) {
            check_interrupt()?;
            let received = probe.send(&edge)?;
            let why = judge(probe.expected, received.status, &received.text, marks);
            exposed.extend(why.map(|why| Exposed { request: probe.name.clone(), why }));
        }
        Ok(exposed)
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        let all = clients.into_iter().map(|client| client.join().ok().context("a client panicked")?);
        Ok(all.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    })
}

/// The reason why a response counts as exposing something internal; `None` if it does not.
fn judge(expected: Expected, status: u16, text: &str, marks: &BTreeSet<&str>) -> Option<String> {
    if let Some(mark) = marks.iter().find(|mark| text.contains(**mark)) {
        return Some(format!("{status} with {mark}"));
    }
    let is_login = status == 303 && text.contains("\r\nLocation: /login");
    let is_refused = (400..500).contains(&status) || is_login;
    (expected == Expected::Refusal && !is_refused).then(|| format!("{status} instead of a refusal"))
}

fn outcome(exposed: &[Exposed], count: usize) -> Result<Outcome> {
    for Exposed { request, why } in exposed {
        eprintln!("exposed: {request}: {why}");
    }
    let note = exposed.first().map_or_else(|| format!("{count} requests"), |first| format!("{}: {}", first.request, first.why));
    let failed = u64::try_from(exposed.len())?;
    Ok(Outcome { passed: u64::try_from(count)? - failed, failed, ..Outcome::default() }.with_note(note))
}

/// Removes the rule from a copy of the Caddyfile. Passes when every internal route of a replica then answers through the edge, and at least
/// one probe of `/metrics` reports the exposure.
fn without_rule(test: &TestStack, surfaces: &[Surface], marks: &BTreeSet<&str>) -> Result<Outcome> {
    let source = fs::read_to_string(paths::root().join("Caddyfile"))?;
    ensure!(source.matches(RULE).count() == 1, "the Caddyfile must have exactly one line `{}`", RULE.trim());
    let changed = test.folder().join("Caddyfile");
    fs::write(&changed, source.replace(RULE, ""))?;
    test.stack.reload_edge_from(&changed)?;
    let client = Client::new();
    let edge = test.stack.edge()?;
    let answered = |path: &str| {
        client.send("GET", &format!("{edge}{path}"), &[], None).is_ok_and(|answer| marks.iter().any(|mark| answer.body.contains(*mark)))
    };
    let refused: Vec<&str> = of_replicas(surfaces).filter(|path| !answered(path)).collect();
    let probes = probes::of("/metrics", &test.stack.ports().address(Port::Backend(1))?, &[]);
    let exposed = send(test, &probes, marks)?;
    test.stack.reload_edge()?;
    ensure!(refused.is_empty(), "still refused: {}", refused.join(", "));
    ensure!(!exposed.is_empty(), "no probe notices that /metrics answers");
    Ok(Outcome::passed().with_note(format!("{} of {} probes of /metrics report its exposure", exposed.len(), probes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_text_or_a_missing_refusal_counts_as_exposure() {
        let marks = BTreeSet::from(["# TYPE "]);
        let exposes = |expected, status, text: &str| judge(expected, status, text, &marks).is_some();
        assert!(!exposes(Expected::Refusal, 404, "HTTP/1.1 404 Not Found\r\n\r\n{}"));
        assert!(!exposes(Expected::Refusal, 303, "HTTP/1.1 303 See Other\r\nLocation: /login?next=x\r\n\r\n"));
        assert!(!exposes(Expected::Anything, 200, "ok"));
        assert!(exposes(Expected::Refusal, 404, "# TYPE a counter"));
        assert!(exposes(Expected::Anything, 200, "ok\r\n\r\nHTTP/1.1 200 OK\r\n\r\n# TYPE a counter"));
        for status in [0, 200, 204, 301, 308, 500, 502] {
            assert!(exposes(Expected::Refusal, status, ""), "{status}");
        }
    }
}
