//! The stack of the proof, its clients, and what they ask: requests, traces, metrics, and `cargo xtask trace`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::http::{Answer, send};
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::{capture_ok, own_program, task, wait_until};
use devstack::traces::{Store, Story, TraceId};
use serde_json::{Value, json};

use crate::drill::test_stack::TestStack;
use crate::scrape;
use crate::sockets::Sockets;
use crate::users::{create_project, sign_up};

/// The monitoring runs this many times as fast as in production.
pub const SPEED: u32 = 30;
/// The duration from which on a request is slow. Longer than any request without a fault takes, even on a busy machine.
pub const SLOW: Duration = Duration::from_secs(1);
/// Time limit for a trace to reach the store: replicas and the collector gather traces for at most a second each.
const EXPORT_LIMIT: Duration = Duration::from_secs(20);
/// A route whose requests fail, and one whose requests are slow.
pub const FAILING: &str = "/api/fleet";
pub const LATE: &str = "/api/extensions";

/// The stack and its clients.
pub struct Stage {
    pub test: TestStack,
    pub store: Store,
    /// A client of each replica, subscribed to the project.
    pub listeners: Sockets,
    pub token: String,
    pub project: String,
}

impl Stage {
    /// Starts the stack, and connects the clients.
    pub fn set(folder: PathBuf) -> Result<Self> {
        let ports = Ports::any(MAX_REPLICAS)?.with_tracing();
        let store = Store::of(&ports)?;
        let test = TestStack::start_on(folder, SPEED, ports, &[("SLOW_REQUEST", "1s")])?;
        test.fault(json!({ "fault": "error", "status": 500, "route": FAILING }))?;
        test.fault(json!({ "fault": "latency", "delay_ms": 1200, "route": LATE }))?;
        let edge = test.stack.edge()?;
        let token = sign_up(&edge, "operator@example.org")?;
        let project = create_project(&edge, &token, "Correlated")?;
        let mut listeners = Sockets::start()?;
        let urls = (1..=MAX_REPLICAS).map(|number| test.stack.backend(number)).collect::<Result<Vec<_>>>()?;
        let answer = listeners.ask(&json!({ "command": "listen", "urls": urls, "token": token, "project": project }))?;
        ensure!(answer["missing"].is_null(), "{answer}");
        Ok(Self { test, store, listeners, token, project })
    }

    /// Sends a request through the edge.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let url = format!("{}{path}", self.test.stack.edge()?);
        send(method, &url, &[("authorization", &format!("Bearer {}", self.token))], body)
    }

    /// Sends a GET to a replica, with this identifier.
    pub fn ask_replica(&self, number: u16, path: &str, id: &str) -> Result<Answer> {
        let url = format!("{}{path}", self.test.stack.backend(number)?);
        send("GET", &url, &[("authorization", &format!("Bearer {}", self.token)), ("x-request-id", id)], None)
    }

    /// Waits until the store has a trace that satisfies the condition.
    pub fn story(&self, id: TraceId, what: &str, is_complete: impl Fn(&Story) -> bool) -> Result<Story> {
        let mut found = None;
        let waited = wait_until(what, EXPORT_LIMIT, || {
            found = Story::read(&self.store, id)?;
            Ok(found.as_ref().is_some_and(&is_complete))
        });
        waited.with_context(|| format!("trace {id}: {}", found.as_ref().map_or_else(|| "unknown".to_owned(), spans_of)))?;
        found.context("no trace")
    }

    /// Waits until the store has the requests of all of these traces.
    pub fn wait_for(&self, ids: &[TraceId]) -> Result<()> {
        wait_until("the traces arrive", EXPORT_LIMIT, || Ok(self.kept(ids)? == ids.len()))
    }

    /// The number of these traces of which the store has a request of a replica. That of the edge does not count.
    pub fn kept(&self, ids: &[TraceId]) -> Result<usize> {
        ids.iter().try_fold(0, |kept, id| {
            let spans = self.store.spans(*id)?.unwrap_or_default();
            Ok(kept + usize::from(spans.iter().any(|span| !span.attribute("http.route").is_empty())))
        })
    }

    /// What `cargo xtask trace` prints.
    pub fn trace(&self, wanted: &str) -> Result<String> {
        let ports = self.test.stack.ports();
        let mut trace = task(own_program());
        trace.args(["trace", wanted]).current_dir(paths::root());
        for (name, port) in [("TEMPO_PORT", Port::Tempo), ("LOKI_PORT", Port::Loki)] {
            trace.env(name, ports.of(port)?.to_string());
        }
        capture_ok(&mut trace)
    }

    /// The sum of a metric's series with this label, over all replicas.
    pub fn sum(&self, metric: &str, label: &str) -> Result<f64> {
        (1..=MAX_REPLICAS).map(|number| scrape::sum(&self.test.stack.backend(number)?, metric, label)).sum()
    }
}

/// The identifier that the response to a request names.
pub fn id_of(answer: &Answer) -> Result<TraceId> {
    let id = answer.header("x-request-id");
    TraceId::parse(id).with_context(|| format!("X-Request-Id: {id}"))
}

fn spans_of(story: &Story) -> String {
    let spans = story.spans.iter().chain(story.caused.iter().flat_map(|caused| &caused.spans));
    spans.map(|span| format!("{} ({})", span.name, span.sender)).collect::<Vec<_>>().join(", ")
}
