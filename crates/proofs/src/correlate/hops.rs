//! The hops from the panel to the cause, in the order in which an operator takes them.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::ports::MAX_REPLICAS;
use devstack::process::wait_until;
use devstack::report::{Outcome, Report};
use devstack::speed::Pace;
use devstack::traces::{Span, Story, TraceId, duration_text};
use rule_tools::dashboards::{self, Variables};
use serde_json::{Value, json};

use super::stage::{FAILING, SPEED, Stage, id_of};
use crate::drill::test_stack::Fault;
use crate::panels::query::Query;

/// The panel that an operator looks at when a latency alert fires.
const DASHBOARD: &str = "vitrine-http-detail";
const PANEL: &str = "Latency p95 by route";
/// The slow route: its requests count and insert rows of the slow table.
const ROUTE: &str = "/api/projects/{id}/environments";
const TABLE: &str = "environments";
/// Delay of each statement on the table in milliseconds; below the statements' time limit.
const DELAY: u32 = 700;
/// Number of slow requests.
const REQUESTS: u8 = 3;
/// The smallest share of a request that its slow statements must explain.
const EXPLAINED: f64 = 0.8;
/// Time limit for the panel, for a log line, and for an event.
const LIMIT: Duration = Duration::from_secs(30);

/// A slow request and what its client knows about it.
struct Slow {
    id: TraceId,
    environment: String,
}

/// The request that a log line names.
struct Named {
    id: TraceId,
    /// The span of the request.
    span: String,
    replica: String,
}

/// Follows a slow request; adds a step for each hop.
pub fn follow(report: &mut Report, stage: &mut Stage) -> Result<()> {
    let sent = report.obtain("statements on one table are slow while a client creates environments", || cause(stage))?;
    let Some((fault, sent)) = sent else { return Ok(()) };
    report.step("the panel on latency names the route", || panel(stage))?;
    stage.test.end_fault(&fault)?;
    let Some(named) = report.obtain("a log line of that route names a request", || line(stage))? else { return Ok(()) };
    report.step("its client and the edge name the same request", || edge(stage, &named, &sent))?;
    let Some(story) = report.obtain("its trace, through the collector, names the statements", || trace(stage, &named))? else {
        return Ok(());
    };
    report.step("the job that it wrote has a trace with a link to it", || job(&story))?;
    report.step("the other replicas delivered the event of the job to their clients", || event(stage, &story, &named, &sent))?;
    report.step("`cargo xtask trace` prints all of this", || printed(stage, &named))
}

fn cause(stage: &Stage) -> Result<((Fault, Vec<Slow>), Outcome)> {
    let fault = stage.test.known_fault(json!({ "fault": "database", "table": TABLE, "delay_ms": DELAY }))?;
    let path = ROUTE.replace("{id}", &stage.project);
    let mut sent = Vec::new();
    for number in 0..REQUESTS {
        let created = stage.request("POST", &path, Some(&json!({ "name": format!("slow-{number}"), "image": "busybox:1.37" })))?;
        ensure!(created.status == 201, "{path}: {} {}", created.status, created.body);
        let environment = created.json()?["id"].as_str().unwrap_or_default().to_owned();
        sent.push(Slow { id: id_of(&created)?, environment });
        // The panel has another route to compare with.
        stage.request("GET", "/api/projects", None)?;
    }
    Ok(((fault, sent), Outcome::passed()))
}

fn panel(stage: &Stage) -> Result<Outcome> {
    let dashboards = dashboards::committed()?;
    let dashboard = dashboards.iter().find(|dashboard| dashboard.uid == DASHBOARD).context("no dashboard")?;
    let panel = dashboard.shown().into_iter().find(|panel| panel.title == PANEL).context("no panel")?;
    let variables = Variables::of(dashboard, Pace::of(&dashboards::prometheus()?, SPEED))?;
    let query = Query::of(dashboard, panel, &variables)?.into_iter().next().context("no query")?.text;
    let path = ROUTE.replace("{id}", &stage.project);
    let mut shown = Vec::new();
    let waited = wait_until("the slow route is the slowest", LIMIT, || {
        // The panel shows the last seconds only, and Prometheus may be late on a busy machine.
        stage.request("GET", &path, None)?;
        shown = stage.test.query(&query)?.iter().filter_map(value_of).collect();
        shown.sort_by(|one, other| other.0.total_cmp(&one.0));
        Ok(shown.len() > 1 && shown[0].1 == ROUTE && shown[0].0 > f64::from(DELAY) / 2000.0)
    });
    waited.with_context(|| format!("{query}: {shown:?}"))?;
    Ok(Outcome::passed().with_note(format!("{} of {} routes: {:.2} s", shown[0].1, shown.len(), shown[0].0)))
}

/// The value and the route of a result.
fn value_of(result: &Value) -> Option<(f64, String)> {
    Some((result["value"][1].as_str()?.parse().ok()?, result["metric"]["route"].as_str()?.to_owned()))
}

fn line(stage: &Stage) -> Result<(Named, Outcome)> {
    let mut found = None;
    wait_until("a line `request slow`", LIMIT, || {
        found = (1..=MAX_REPLICAS).find_map(|number| slow_line(stage, &format!("backend-{number}")));
        Ok(found.is_some())
    })?;
    let (named, duration) = found.context("no line")?;
    let note = format!("request slow, {duration:.2} s, on {}: {}", named.replica, named.id);
    Ok((named, Outcome::passed().with_note(note)))
}

fn slow_line(stage: &Stage, replica: &str) -> Option<(Named, f64)> {
    let log = fs::read_to_string(stage.test.folder().join("logs").join(format!("{replica}.log"))).ok()?;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let is_wanted = |line: &Value| {
        let attributes = &line["attributes"];
        line["body"] == "request slow" && attributes["http.route"] == ROUTE && attributes["http.request.method"] == "POST"
    };
    lines.filter(is_wanted).find_map(|line| {
        let (id, span) = (TraceId::parse(line["trace_id"].as_str()?)?, line["span_id"].as_str()?.to_owned());
        Some((Named { id, span, replica: replica.to_owned() }, line["attributes"]["duration"].as_f64()?))
    })
}

fn edge(stage: &Stage, named: &Named, sent: &[Slow]) -> Result<Outcome> {
    ensure!(sent.iter().any(|slow| slow.id == named.id), "no response named {} in X-Request-Id", named.id);
    let log = fs::read_to_string(stage.test.folder().join("logs/caddy.log"))?;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line =
        lines.into_iter().find(|line| line["trace_id"] == named.id.to_string()).context("the access log does not name the request")?;
    ensure!(line["status"] == 201 && line["request"]["uri"] == ROUTE.replace("{id}", &stage.project), "{line}");
    Ok(Outcome::passed())
}

fn trace(stage: &Stage, named: &Named) -> Result<(Story, Outcome)> {
    // Complete when both replicas that did not run the job have sent their deliveries of its last event.
    let story = stage.story(named.id, "the trace is complete", |story| {
        let has_lines = story.lines.as_ref().is_ok_and(|lines| lines.iter().any(|line| line.body == "request slow"));
        root(story).is_some() && request(story, named).is_some() && has_lines && story.caused.iter().any(|job| deliverers(job).len() == 2)
    })?;
    let (root, request) = (root(&story).context("no root")?, request(&story, named).context("no request")?);
    ensure!(root.name == "edge" && request.parent.as_ref() == Some(&root.id), "{root:?} is not the edge's span above {request:?}");
    ensure!(request.sender == named.replica && request.attribute("http.route") == ROUTE, "{request:?}");
    let lines = story.lines.as_deref().unwrap_or_default();
    ensure!(lines.iter().any(|line| line.body == "request slow" && line.span == request.id), "{lines:?}");
    let statements = story.spans.iter().filter(|span| span.attribute("db.collection.name") == TABLE && span.sender == request.sender);
    let (count, sum) = statements.fold((0, Duration::ZERO), |(count, sum), span| (count + 1, sum + span.duration));
    let share = sum.as_secs_f64() / request.duration.as_secs_f64();
    let note = format!("{count} statements on {TABLE} took {} of {}", duration_text(sum), duration_text(request.duration));
    ensure!(share >= EXPLAINED, "{note}");
    Ok((story, Outcome::passed().with_note(note)))
}

/// The span at the root of a trace.
fn root(story: &Story) -> Option<&Span> {
    story.spans.iter().find(|span| span.parent.is_none())
}

fn request<'a>(story: &'a Story, named: &Named) -> Option<&'a Span> {
    story.spans.iter().find(|span| span.id == named.span)
}

/// The replicas that delivered the events of another replica.
fn deliverers(story: &Story) -> Vec<&str> {
    let mut senders: Vec<&str> = story.spans.iter().filter(|span| span.name == "deliver env:status").map(|span| &*span.sender).collect();
    senders.sort_unstable();
    senders.dedup();
    senders
}

fn job_of(story: &Story) -> Result<&Story> {
    story.caused.iter().find(|job| !deliverers(job).is_empty()).context("no job is linked to the request")
}

fn job(story: &Story) -> Result<Outcome> {
    let job = job_of(story)?;
    let attempt = root(job).context("no root")?;
    ensure!(attempt.name == "job environment_change" && attempt.links == [story.id], "{attempt:?}");
    let call = job.spans.iter().find(|span| span.name == "sim create").context("no call of the driver")?;
    let is_statement = |span: &&Span| span.parent.as_ref() == Some(&call.id) && span.attribute("db.system.name") == "postgresql";
    let count = job.spans.iter().filter(is_statement).count();
    ensure!(count > 0, "{} has no statement", call.name);
    Ok(Outcome::passed().with_note(format!("{} on {}: {} with {count} statements", attempt.name, attempt.sender, call.name)))
}

fn event(stage: &mut Stage, story: &Story, named: &Named, sent: &[Slow]) -> Result<Outcome> {
    let job = job_of(story)?;
    let emission = job.spans.iter().find(|span| span.name == "emit env:status").context("the job emitted no event")?;
    let deliverers = deliverers(job);
    ensure!(deliverers.len() == 2 && !deliverers.contains(&&*emission.sender), "{} emitted, {deliverers:?} delivered", emission.sender);
    let environment = &sent.iter().find(|slow| slow.id == named.id).context("no such request")?.environment;
    let heard = json!({ "command": "heard", "environment": environment, "status": "stopped", "limit": u64::try_from(LIMIT.as_millis())? });
    let heard = stage.listeners.ask(&heard)?;
    ensure!(heard["receipts"] == json!([1, 1, 1]), "a client of each replica was to receive the event once: {heard}");
    Ok(Outcome::passed().with_note(format!("{} emitted, {} delivered", emission.sender, deliverers.join(" and "))))
}

fn printed(stage: &Stage, named: &Named) -> Result<Outcome> {
    let id = named.id.to_string();
    let (text, slowest) = (stage.trace(&id)?, stage.trace("slowest")?);
    let parts = [
        &*id,
        "edge (server)",
        "POST /api/projects/{id}/environments (server)",
        "insert environments (client)",
        "WARN request slow",
        "job environment_change (consumer)",
        "sim create",
        "emit env:status (producer)",
        "deliver env:status (consumer)",
    ];
    for part in parts {
        ensure!(text.contains(part), "{part} is missing in\n{text}");
    }
    ensure!(slowest.starts_with("slowest request of the last hour: "), "{slowest}");
    eprintln!("{text}");
    Ok(Outcome::passed().with_note(format!("{} lines", text.lines().count())))
}

/// A request fails, and `cargo xtask trace failed` prints its trace.
pub fn failure(stage: &Stage) -> Result<Outcome> {
    let failed = stage.request("GET", FAILING, None)?;
    ensure!(failed.status == 500, "{FAILING}: {} {}", failed.status, failed.body);
    let id = id_of(&failed)?;
    stage.story(id, "the failure arrives with its line", |story| {
        let has_line = story.lines.as_ref().is_ok_and(|lines| lines.iter().any(|line| line.body == "request failed"));
        has_line && story.spans.iter().any(|span| span.is_error)
    })?;
    let text = stage.trace("failed")?;
    for part in [&*id.to_string(), "GET /api/fleet (server) ERROR", "request failed"] {
        ensure!(text.contains(part), "{part} is missing in\n{text}");
    }
    Ok(Outcome::passed())
}
