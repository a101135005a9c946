//! The proof of a stack in the form that docs/OPERATIONS.md sets up for a domain: a user's first minutes over HTTPS, what is
//! different from the demo (redirects, HSTS, cookies, the token of the metrics), the alerts that see the edge and a replica, and
//! the panels of the edge. One stack serves all of it.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::drill::bench::Bench;
use crate::drill::{run, schedule};
use crate::form::Form;
use crate::http::{Answer, get, send};
use crate::panels::Proof;
use crate::paths;
use crate::ports::{MAX_REPLICAS, Port};
use crate::process::wait_until;
use crate::report::{Outcome, Report};

/// By how much everything that the monitoring waits for is divided.
const SPEED: u32 = 30;
/// Longest time from an answer to its line in the log.
const LOG_LIMIT: Duration = Duration::from_secs(10);

/// Adds the proof's steps to a report.
pub fn all(report: &mut Report) -> Result<()> {
    let folder = paths::temporary("production")?;
    let mut started = None;
    report.step("production: a stack behind a name", || {
        started = Some(Bench::start(folder.path().to_owned(), SPEED, Form::Production)?);
        Ok(Outcome::passed())
    })?;
    let Some(mut bench) = started else { return Ok(()) };
    super::use_it(report, bench.stack.ports())?;
    report.step("plain HTTP is redirected", || redirected(&bench))?;
    report.step("HTTPS is asked for again", || strict(&bench))?;
    report.step("cookies are Secure and belong to this host", || cookies(&bench))?;
    report.step("metrics need the token", || metrics(&bench))?;
    report.step("requests for other names leave nothing about clients in the log", || unlogged(&bench))?;
    Proof::of_the_edge(SPEED)?.run(report, &mut bench)?;
    run::batch(report, &mut bench, schedule::PRODUCTION, SPEED).map(drop)
}

/// The same address with HTTPS. Its port is left out: outside of a container, HTTPS has its own.
fn redirected(bench: &Bench) -> Result<Outcome> {
    let port = bench.stack.ports().of(Port::Edge)?;
    for path in ["/", "/api/projects?limit=1", "/metrics"] {
        let answer = get(&format!("http://localhost:{port}{path}"))?;
        let place = format!("https://localhost{path}");
        ensure!(answer.status == 308 && answer.header("location") == place, "{path}: {} {}", answer.status, answer.header("location"));
    }
    Ok(Outcome::passed())
}

fn strict(bench: &Bench) -> Result<Outcome> {
    let edge = bench.stack.edge()?;
    // From a replica, from the edge itself, and an error.
    for path in ["/", "/metrics", "/no-such-page"] {
        let answer = get(&format!("{edge}{path}"))?;
        let policy = answer.header("strict-transport-security");
        ensure!(policy == "max-age=31536000; includeSubDomains", "{path}: '{policy}'");
    }
    Ok(Outcome::passed())
}

fn cookies(bench: &Bench) -> Result<Outcome> {
    let edge = bench.stack.edge()?;
    let email = format!("cookie-{}@example.org", paths::random_password()?);
    let account = json!({ "email": email, "password": paths::random_password()?, "display_name": "Cookie" });
    let post = |path: &str| send("POST", &format!("{edge}/api/auth/{path}"), &[], Some(&account));
    ensure!(post("register")?.status == 201, "register");
    let login = send("POST", &format!("{edge}/api/auth/login"), &[], Some(&json!({ "email": email, "password": account["password"] })))?;
    let session = set_cookies(&login).find(|cookie| cookie.starts_with("__Host-"));
    ensure!(session.is_some(), "no cookie of this host alone: {:?}", set_cookies(&login).collect::<Vec<_>>());
    for cookie in set_cookies(&login).chain(set_cookies(&get(&edge)?)) {
        ensure!(cookie.contains("; Secure") && cookie.contains("; HttpOnly"), "{cookie}");
    }
    Ok(Outcome::passed())
}

fn set_cookies(answer: &Answer) -> impl Iterator<Item = &str> {
    answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok())
}

fn metrics(bench: &Bench) -> Result<Outcome> {
    let edge = bench.stack.edge()?;
    let bearer = format!("Bearer {}", bench.stack.metrics_token()?);
    for number in 1..=MAX_REPLICAS {
        let url = format!("{}/metrics", bench.stack.backend(number)?);
        let stranger = get(&url)?;
        ensure!(stranger.status == 401, "backend-{number} answers a stranger with {}", stranger.status);
        let known = send("GET", &url, &[("authorization", &bearer)], None)?;
        ensure!(known.status == 200, "backend-{number} answers its token with {}", known.status);
    }
    let outside = send("GET", &format!("{edge}/metrics"), &[("authorization", &bearer)], None)?;
    ensure!(outside.status == 404, "the edge answers {}", outside.status);
    Ok(Outcome::passed())
}

/// A site without a name serves every host, so this is of a named one alone. Its own log is filtered; Caddy writes requests that
/// belong to no site to another one.
fn unlogged(bench: &Bench) -> Result<Outcome> {
    let edge = bench.stack.edge()?;
    let (query, agent) = (paths::random_password()?, paths::random_password()?);
    let headers = [("host", "elsewhere.example"), ("user-agent", agent.as_str())];
    send("GET", &format!("{edge}/version?token={query}"), &headers, None)?;
    // What is served afterwards is logged afterwards.
    let id = get(&format!("{edge}/version"))?.header("x-request-id").to_owned();
    let file = bench.folder().join("logs/caddy.log");
    wait_until("the edge has logged a request", LOG_LIMIT, || Ok(fs::read_to_string(&file)?.contains(&id)))?;
    let log = fs::read_to_string(&file)?;
    for told in [&query, &agent] {
        ensure!(!log.contains(told.as_str()), "{}", log.lines().find(|line| line.contains(told.as_str())).unwrap_or_default());
    }
    Ok(Outcome::passed())
}
