//! The short proof that the stack works. After `up --detach`, a new user's first requests to the edge must succeed, every replica must be
//! reached, every Prometheus target must be up, and the links in a mail must open. Then a load requests every operation, the commands of
//! the documents run, and killed stores must restart. After `down`, no process may be left. The proof uses a folder of its own and leaves a
//! developer's data alone. `smoke/platforms` covers OAuth and posts, `smoke/restarts` the stores, and `smoke/production` a stack behind a
//! host name.

mod answers;
mod platforms;
pub mod production;
mod restarts;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use devstack::http::{Answer, get, send};
use devstack::paths::{self, STACK_VARIABLE};
use devstack::ports::{MAX_REPLICAS, Port, Ports};
use devstack::process::{capture_ok, last_lines, own_program, task, wait_until};
use devstack::report::{Outcome, Report};
use devstack::stack::{self, all_up};
use devstack::tools::{CURL, JQ, K6, Tool};
use serde_json::{Value, json};

use answers::{OPERATION_LIMIT, expect};

use crate::doctest;
use crate::load::{Profile, all_thresholds, examples};
use crate::mails;

/// The tools needed in addition to those of a stack.
pub const PROGRAMS: [&Tool; 3] = [&CURL, &JQ, &K6];

/// Adds the proof's steps to a report.
pub fn all(report: &mut Report) -> Result<()> {
    let folder = paths::temporary("smoke")?;
    let ports = stack::fixed_ports(MAX_REPLICAS)?;

    let started = report.obtain("up --detach", || Ok((Running::start(folder.path())?, Outcome::passed())))?;
    let Some(running) = started else { return Ok(()) };
    report.step("the showcase has the demo projects", || showcase(&ports.page(Port::Edge)?))?;
    use_it(report, &ports)?;
    loads(report, &ports.page(Port::Edge)?)?;
    report.step("commands and programs in the documents", || doctest::run(&ports, folder.path()))?;
    // The first mail arrives a minute after the start of the stack.
    report.step("links in a mail open", || links(&ports))?;
    report.step("Redis and Postgres are restarted when they end", || restarts::all(&ports))?;
    report.step("down", || running.stop())?;
    report.step("no process is left", || {
        ports.ensure_free()?;
        let left = marked(folder.path())?;
        ensure!(left.is_empty(), "still running: {}", left.join(", "));
        Ok(Outcome::passed())
    })
}

/// A user's first minutes, and an operator's first checks.
fn use_it(report: &mut Report, ports: &Ports) -> Result<()> {
    // The URL that browsers use, because platforms redirect browsers back to it.
    let edge = ports.page(Port::Edge)?;
    let simulator = ports.page(Port::ProviderSim)?;
    let prometheus = ports.url(Port::Prometheus)?;
    report.step("a user's first minutes", || journey(&edge))?;
    report.step("sign in, link, publish, announce", || platforms::journey(&edge, &simulator))?;
    report.step("every replica is reached", || spread(&edge))?;
    report.step("every target is UP", || all_up(&prometheus))
}

/// Runs the load profile `smoke`, which requests every operation of the API, and then the example load scripts.
fn loads(report: &mut Report, edge: &str) -> Result<()> {
    report.step("load: every operation", || {
        let folder = paths::temporary("load-smoke")?;
        let summary = all_thresholds(edge, Profile::Smoke, folder.path())?;
        Ok(Outcome::passed().with_note(format!("{} requests", summary.requests)))
    })?;
    report.step("load: examples", || examples::all(edge))
}

/// A stack in the background that is always stopped in the end.
struct Running<'a> {
    folder: &'a Path,
    stopped: bool,
}

impl<'a> Running<'a> {
    fn start(folder: &'a Path) -> Result<Self> {
        xtask(folder, &["up", "--detach"])?;
        Ok(Self { folder, stopped: false })
    }

    fn stop(mut self) -> Result<Outcome> {
        self.stopped = true;
        xtask(self.folder, &["down"])?;
        Ok(Outcome::passed())
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.stopped {
            // Does not use `process`: its waits end after an interrupt, and an interrupt may be the reason for this drop.
            let _ = Command::new(own_program()).arg("down").env(STACK_VARIABLE, self.folder).status();
        }
    }
}

fn xtask(folder: &Path, args: &[&str]) -> Result<String> {
    let text = capture_ok(task(own_program()).args(args).env(STACK_VARIABLE, folder).envs([("DEMO_DATA", "on"), ("DEMO_TRAFFIC", "off")]));
    // The error contains all output of the failed command; the last lines give the reason.
    text.map_err(|error| anyhow::anyhow!("{}", last_lines(&error.to_string(), 40)))
}

/// Checks that `up` has added the demo data.
fn showcase(edge: &str) -> Result<Outcome> {
    let page = expect(&get(&format!("{edge}/api/showcase"))?, 200, "the showcase")?;
    let count = page["items"].as_array().map_or(0, Vec::len);
    ensure!(count >= 12, "the showcase has {count} projects instead of a dozen");
    Ok(Outcome::passed().with_note(format!("{count} projects")))
}

/// Register, log in, create, list, change, read: each through the edge.
fn journey(edge: &str) -> Result<Outcome> {
    let email = format!("smoke-{}@example.org", paths::random_password()?);
    let password = paths::random_password()?;
    let post = |path: &str, headers: &[(&str, &str)], body: Value| send("POST", &format!("{edge}{path}"), headers, Some(&body));
    let registered = post("/api/auth/register", &[], json!({ "email": email, "password": password, "display_name": "Smoke" }))?;
    expect(&registered, 201, "register")?;
    let login = post("/api/auth/login", &[], json!({ "email": email, "password": password }))?;
    let login = expect(&login, 200, "login")?;
    let token = login["token"].as_str().unwrap_or_default();
    let bearer = format!("Bearer {token}");
    let auth = ("authorization", bearer.as_str());

    let created = post("/api/projects", &[auth], json!({ "name": "First light" }))?;
    let project = expect(&created, 201, "create")?;
    let url = format!("{edge}{}", created.header("location"));
    let etag = created.header("etag").to_owned();

    let list = send("GET", &format!("{edge}/api/projects"), &[auth], None)?;
    let list = expect(&list, 200, "list")?;
    let listed = list["items"].as_array().is_some_and(|items| items.iter().any(|item| item["id"] == project["id"]));
    ensure!(listed, "the new project is not listed: {list}");

    let change = json!({ "name": "Second light" });
    let patch = |headers: &[(&str, &str)]| send("PATCH", &url, headers, Some(&change));
    expect(&patch(&[auth])?, 428, "a change without If-Match")?;
    expect(&patch(&[auth, ("if-match", &etag)])?, 200, "change")?;
    expect(&patch(&[auth, ("if-match", &etag)])?, 412, "a change of an old version")?;
    let read = expect(&send("GET", &url, &[auth], None)?, 200, "read")?;
    ensure!(read["name"] == "Second light", "the change is lost: {read}");
    let stranger = get(&url)?;
    ensure!(matches!(stranger.status, 401 | 404), "a client without a session received {}", stranger.status);
    live(edge, auth, &url)?;
    Ok(Outcome::passed().with_note("register, login, create, list, change, read, an environment's life"))
}

/// The life of an environment: create, start, open a session, install an extension, read the log, stop, delete.
fn live(edge: &str, auth: (&str, &str), project: &str) -> Result<()> {
    let post = |url: &str, body: Option<&Value>| send("POST", url, &[auth], body);
    let new = json!({ "name": "first", "image": "busybox:1.37" });
    let created = post(&format!("{project}/environments"), Some(&new))?;
    expect(&created, 201, "create an environment")?;
    let url = format!("{edge}{}", created.header("location"));
    let until = |url: &str, what: &str, reached: &dyn Fn(&Answer) -> bool| {
        wait_until(what, OPERATION_LIMIT, || Ok(reached(&send("GET", url, &[auth], None)?)))
    };
    let is = |status: &'static str| move |answer: &Answer| answer.json().is_ok_and(|now| now["status"] == status);

    until(&url, "the environment is created", &is("stopped"))?;
    expect(&post(&format!("{url}/stop"), None)?, 409, "stop a stopped environment")?;
    expect(&post(&format!("{url}/start"), None)?, 202, "start")?;
    until(&url, "the environment runs", &is("running"))?;
    let session = post(&format!("{url}/sessions"), Some(&json!({ "type": "vscode" })))?;
    let session = expect(&session, 201, "open a session")?;
    ensure!(session["link"].as_str().is_some_and(|link| link.starts_with("vscode://")), "no link: {session}");
    expect(&send("PUT", &format!("{url}/extensions/shell-prompt"), &[auth], None)?, 202, "install")?;
    let log = format!("{url}/logs?after=0&limit=1000");
    until(&log, "the log contains the installation", &|answer| answer.body.contains("extension shell-prompt installed"))?;
    until(&log, "the log contains the container's output", &|answer| answer.body.contains("\"stream\":\"stdout\""))?;
    expect(&post(&format!("{url}/stop"), None)?, 202, "stop")?;
    until(&url, "the environment is stopped", &is("stopped"))?;
    expect(&send("DELETE", &url, &[auth], None)?, 202, "delete")?;
    until(&url, "the environment is deleted", &|answer| answer.status == 404)
}

/// Checks that 30 requests without a cookie reach all replicas.
fn spread(edge: &str) -> Result<Outcome> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..30 {
        let answer = get(&format!("{edge}/version"))?;
        ensure!(answer.status == 200, "/version returned {}", answer.status);
        *seen.entry(answer.header("x-served-by").to_owned()).or_default() += 1;
    }
    let wanted: BTreeSet<String> = (1..=MAX_REPLICAS).map(|number| format!("backend-{number}")).collect();
    ensure!(seen.keys().eq(&wanted), "30 requests were served by {seen:?}");
    Ok(Outcome::passed().with_note(format!("{seen:?}")))
}

/// Checks that the mail of the alert Watchdog links to its runbook and to a dashboard, and that both open. Without Grafana, the dashboard
/// is not opened.
fn links(ports: &Ports) -> Result<Outcome> {
    let sink = ports.url(Port::MailPage)?;
    let mut text = String::new();
    wait_until("Watchdog notifies by mail", OPERATION_LIMIT, || {
        let mails = mails::of_firing_alerts(&sink)?;
        mails.first().and_then(|mail| mail["text"].as_str()).unwrap_or_default().clone_into(&mut text);
        Ok(!text.is_empty())
    })?;
    let link = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
    let runbook = link("Runbook:");
    ensure!(runbook == format!("{}/Watchdog", ports.page(Port::Runbooks)?), "no link to the runbook: {text}");
    let page = get(runbook)?;
    ensure!(page.status == 200 && page.body.contains(">Watchdog</h1>"), "{runbook} returned {}: {}", page.status, page.body);
    let dashboard = link("Dashboard:");
    ensure!(dashboard.contains("/d/vitrine-infrastructure-slo"), "no link to the dashboard: {text}");
    let Ok(grafana) = ports.page(Port::Grafana) else {
        return Ok(Outcome::passed().with_note("SKIPPED: no Grafana here: no dashboard was opened"));
    };
    ensure!(dashboard.starts_with(&grafana) && get(dashboard)?.status == 200, "{dashboard} does not open");
    Ok(Outcome::passed())
}

/// The processes that belong to the stack of a folder.
fn marked(folder: &Path) -> Result<Vec<String>> {
    let mark = format!("{}={}", stack::MARK, folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        // An entry that is not a process, or has just exited, has no environment.
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            found.push(name.trim().to_owned());
        }
    }
    Ok(found)
}
