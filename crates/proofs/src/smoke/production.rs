//! Proves that the stack works as docs/OPERATIONS.md sets it up for a domain. Covers a user's first minutes over HTTPS, the differences
//! from the demo (redirects, HSTS, cookies, the token for metrics), alerts about the edge and a replica, and the panels of the edge. All
//! checks use one stack.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use devstack::form::Form;
use devstack::http::{Answer, get, send};
use devstack::paths;
use devstack::ports::{MAX_REPLICAS, Port};
use devstack::process::wait_until;
use devstack::report::{Outcome, Report};
use serde_json::json;

use crate::drill::test_stack::TestStack;
use crate::drill::{run, schedule};
use crate::exposure;
use crate::panels::Proof;

/// The speed of the monitoring: its intervals and waits are divided by this number.
const SPEED: u32 = 30;
/// Time limit from a response to its log line.
const LOG_LIMIT: Duration = Duration::from_secs(10);

/// Adds the proof's steps to a report.
pub fn all(report: &mut Report) -> Result<()> {
    let folder = paths::temporary("production")?;
    let started = report.obtain("production: a stack behind a host name", || {
        Ok((TestStack::start(folder.path().to_owned(), SPEED, Form::Production)?, Outcome::passed()))
    })?;
    let Some(mut test) = started else { return Ok(()) };
    super::use_it(report, test.stack.ports())?;
    report.step("plain HTTP is redirected", || redirected(&test))?;
    report.step("HSTS is set", || strict(&test))?;
    report.step("cookies are Secure and bound to this host", || cookies(&test))?;
    report.step("metrics need the token", || metrics(&test))?;
    report.step("nothing internal answers over HTTP/2", || exposure::over_http2(&test))?;
    report.step("requests for other hosts leave no client data in the log", || unlogged(&test))?;
    Proof::of_the_edge(SPEED)?.run(report, &mut test)?;
    run::batch(report, &mut test, schedule::PRODUCTION, SPEED).map(drop)
}

/// Checks that plain HTTP is redirected to the HTTPS URL of the same page. That URL has no port: in production, HTTPS uses its default one.
fn redirected(test: &TestStack) -> Result<Outcome> {
    let port = test.stack.ports().of(Port::Edge)?;
    for path in ["/", "/api/projects?limit=1", "/metrics"] {
        let answer = get(&format!("http://localhost:{port}{path}"))?;
        let target = format!("https://localhost{path}");
        ensure!(answer.status == 308 && answer.header("location") == target, "{path}: {} {}", answer.status, answer.header("location"));
    }
    Ok(Outcome::passed())
}

fn strict(test: &TestStack) -> Result<Outcome> {
    let edge = test.stack.edge()?;
    // A page of a replica, an error of the edge itself, and an error of a replica.
    for path in ["/", "/metrics", "/no-such-page"] {
        let answer = get(&format!("{edge}{path}"))?;
        let policy = answer.header("strict-transport-security");
        ensure!(policy == "max-age=31536000; includeSubDomains", "{path}: '{policy}'");
    }
    Ok(Outcome::passed())
}

fn cookies(test: &TestStack) -> Result<Outcome> {
    let edge = test.stack.edge()?;
    let email = format!("cookie-{}@example.org", paths::random_password()?);
    let account = json!({ "email": email, "password": paths::random_password()?, "display_name": "Cookie" });
    let post = |path: &str| send("POST", &format!("{edge}/api/auth/{path}"), &[], Some(&account));
    ensure!(post("register")?.status == 201, "register");
    let login = send("POST", &format!("{edge}/api/auth/login"), &[], Some(&json!({ "email": email, "password": account["password"] })))?;
    let session = set_cookies(&login).find(|cookie| cookie.starts_with("__Host-"));
    ensure!(session.is_some(), "no cookie bound to this host: {:?}", set_cookies(&login).collect::<Vec<_>>());
    for cookie in set_cookies(&login).chain(set_cookies(&get(&edge)?)) {
        ensure!(cookie.contains("; Secure") && cookie.contains("; HttpOnly"), "{cookie}");
    }
    Ok(Outcome::passed())
}

fn set_cookies(answer: &Answer) -> impl Iterator<Item = &str> {
    answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok())
}

fn metrics(test: &TestStack) -> Result<Outcome> {
    let edge = test.stack.edge()?;
    let bearer = format!("Bearer {}", test.stack.metrics_token()?);
    for number in 1..=MAX_REPLICAS {
        let url = format!("{}/metrics", test.stack.backend(number)?);
        let stranger = get(&url)?;
        ensure!(stranger.status == 401, "backend-{number} returned {} without a token", stranger.status);
        let known = send("GET", &url, &[("authorization", &bearer)], None)?;
        ensure!(known.status == 200, "backend-{number} returned {} with its token", known.status);
    }
    let outside = send("GET", &format!("{edge}/metrics"), &[("authorization", &bearer)], None)?;
    ensure!(outside.status == 404, "the edge returned {}", outside.status);
    Ok(Outcome::passed())
}

/// Checks that the log has no client data of a request for an unknown host. Such requests exist only if the site has a host name: a site
/// without one serves every host. Caddy does not write them to the site's log, and the Caddyfile excludes them from Caddy's default log.
fn unlogged(test: &TestStack) -> Result<Outcome> {
    let edge = test.stack.edge()?;
    let (query, agent) = (paths::random_password()?, paths::random_password()?);
    let headers = [("host", "elsewhere.example"), ("user-agent", agent.as_str())];
    send("GET", &format!("{edge}/version?token={query}"), &headers, None)?;
    // Once the log contains this later request, it also contains every line about the one above.
    let id = get(&format!("{edge}/version"))?.header("x-request-id").to_owned();
    let file = test.folder().join("logs/caddy.log");
    wait_until("the edge has logged a request", LOG_LIMIT, || Ok(fs::read_to_string(&file)?.contains(&id)))?;
    let log = fs::read_to_string(&file)?;
    for secret in [&query, &agent] {
        ensure!(!log.contains(secret.as_str()), "{}", log.lines().find(|line| line.contains(secret.as_str())).unwrap_or_default());
    }
    Ok(Outcome::passed())
}
