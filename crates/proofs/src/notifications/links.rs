//! Checks the links in notifications. A running Prometheus fires every alert of the rules with its real annotations. In the received mail,
//! Slack, `PagerDuty` and webhook messages, the links to runbooks and to the page for silences must open, and linked dashboards must exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::cargo;
use devstack::http::{get, is_ok};
use devstack::ports::{Port, Ports};
use devstack::process::{Daemon, wait_until};
use devstack::report::Outcome;
use devstack::stack;
use devstack::tools::{ALERTMANAGER, CADDY, MAILDEV, PROMETHEUS};
use rule_tools::rules::{self, RuleFile};
use serde_json::{Value, json};

use super::receivers::{Notification, Receivers};

/// At this speed, Alertmanager waits for at most a second before it notifies of a new group of alerts. Within half a minute, it repeats
/// only the notifications of Watchdog.
const SPEED: u32 = 60;
const LIMIT: Duration = Duration::from_mins(1);

/// Checks every link of every alert.
pub fn check() -> Result<Outcome> {
    if [&MAILDEV, &ALERTMANAGER, &CADDY, &PROMETHEUS].iter().any(|tool| tool.find().is_none()) {
        let note = "SKIPPED: Prometheus, Alertmanager, Caddy or maildev is missing: links of notifications are NOT tested";
        eprintln!("{note}");
        return Ok(Outcome::skipped(note));
    }
    cargo::build(false, false)?;
    let mut receivers = Receivers::start(SPEED)?;
    let runbooks = Daemon::new("runbooks", &CADDY.path()?, receivers.root());
    receivers.add(stack::runbooks(runbooks, &receivers.ports, &receivers.root().join("runbooks"))?);
    let meant = raise(&mut receivers)?;
    let mut missing = BTreeSet::new();
    let all_notified = wait_until("the receivers of every alert are notified", LIMIT, || {
        let arrived: BTreeSet<_> =
            receivers.received()?.into_iter().map(|notification| (notification.alert, notification.receiver)).collect();
        missing = meant.difference(&arrived).cloned().collect();
        Ok(missing.is_empty())
    });
    all_notified.with_context(|| format!("{} notifications are missing, such as {:?}", missing.len(), missing.first()))?;
    let pages: BTreeMap<_, _> = receivers.ports.pages()?.into();
    let notifications = receivers.received()?;
    let links: BTreeSet<String> =
        notifications.iter().map(|notification| links_of(notification, &pages)).collect::<Result<Vec<_>>>()?.concat().into_iter().collect();
    let dashboards = links.iter().filter_map(|link| link.strip_prefix(&format!("{}/d/", pages["GRAFANA_URL"])));
    let dashboards: BTreeSet<&str> = dashboards.collect();
    let committed = rule_tools::dashboards::committed()?;
    for uid in &dashboards {
        ensure!(committed.iter().any(|dashboard| dashboard.uid == *uid), "no dashboard has the identifier {uid} that alerts link to");
    }
    let runbooks = open_runbooks(&receivers.ports, &links, &pages["RUNBOOKS_URL"])?;
    let silence = pages["ALERTMANAGER_URL"].clone();
    ensure!(is_ok(&silence), "{silence} does not open");
    let (messages, dashboards) = (notifications.len(), dashboards.len());
    Ok(Outcome::passed().with_note(format!("{messages} messages: {runbooks} runbooks opened, {dashboards} dashboards exist")))
}

/// Starts a Prometheus in which every alert fires; returns the expected pairs of alert and receiver.
fn raise(receivers: &mut Receivers) -> Result<BTreeSet<(String, String)>> {
    let home = receivers.root().join("prometheus");
    let written: Value = rules::read(&home.join("prometheus.yml"))?;
    // Each alert gets a `component` and a `cluster` of its own below. These labels put it into a separate group and prevent inhibition,
    // which `inhibitions` tests.
    let mut cases = BTreeMap::new();
    for file in rules::names(&home.join("rules"))? {
        let file: RuleFile = rules::read(&home.join(format!("rules/{file}.yml")))?;
        for rule in file.groups.into_iter().flat_map(|group| group.rules).filter(|rule| rule.alert.is_some()) {
            let severity = rule.labels.get("severity").cloned().unwrap_or_default();
            cases.insert(
                (rule.name().to_owned(), severity, rule.annotations["runbook_url"].clone(), rule.annotations["dashboard_url"].clone()),
                rule,
            );
        }
    }
    let meant = cases
        .keys()
        .flat_map(|(name, severity, ..)| receivers_of(severity).iter().map(|receiver| (name.clone(), (*receiver).to_owned())))
        .collect();
    let firing: Vec<Value> = cases
        .into_values()
        .enumerate()
        .map(|(number, rule)| {
            let mut labels = json!(rule.labels);
            labels["component"] = json!(format!("case-{number}"));
            labels["cluster"] = labels["component"].clone();
            json!({ "alert": rule.alert, "expr": "vector(1)", "labels": labels, "annotations": rule.annotations })
        })
        .collect();
    // JSON is valid YAML.
    let groups = json!({ "groups": [{ "name": "every alert", "rules": firing }] });
    fs::write(home.join("every.yml"), groups.to_string()).context("failed to write the rules")?;
    let global = json!({ "evaluation_interval": "1s", "external_labels": written["global"]["external_labels"] });
    let config = json!({ "global": global, "alerting": written["alerting"], "rule_files": ["every.yml"] });
    fs::write(home.join("every-config.yml"), config.to_string()).context("failed to write Prometheus' configuration")?;
    let prometheus = prometheus(receivers, &home)?;
    receivers.add(prometheus);
    Ok(meant)
}

fn prometheus(receivers: &Receivers, home: &Path) -> Result<devstack::process::Process> {
    let url = receivers.ports.url(Port::Prometheus)?;
    let mut prometheus = Daemon::new("prometheus", &PROMETHEUS.path()?, receivers.root())
        .args([
            format!("--config.file={}", home.join("every-config.yml").display()),
            format!("--storage.tsdb.path={}", receivers.root().join("series").display()),
            format!("--web.listen-address={}", receivers.ports.address(Port::Prometheus)?),
            // Sends alerts again soon, because the first ones fire before Prometheus has discovered Alertmanager.
            "--rules.alert.resend-delay=5s".to_owned(),
        ])
        .start()?;
    prometheus.wait_ready(LIMIT, || is_ok(&format!("{url}/-/ready")))?;
    Ok(prometheus)
}

fn receivers_of(severity: &str) -> &'static [&'static str] {
    match severity {
        "critical" => &["pagerduty", "slack", "page@vitrine.example"],
        "warning" => &["slack", "team@vitrine.example"],
        "info" => &["log", "log@vitrine.example"],
        _ => &["dead-man", "dead-man@vitrine.example"],
    }
}

/// Returns the links of a message. Every message must link to the runbook and to a dashboard; except for those to webhooks and
/// `PagerDuty`, messages must also link to the page for silences.
fn links_of(notification: &Notification, pages: &BTreeMap<&str, String>) -> Result<Vec<String>> {
    let words = notification.text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '|'));
    let links: Vec<String> = words.filter(|word| word.starts_with("http")).map(str::to_owned).collect();
    let wrong = |what: &str| format!("{what} in the message to {}: {}", notification.receiver, notification.text);
    ensure!(links.contains(&format!("{}/{}", pages["RUNBOOKS_URL"], notification.alert)), wrong("no link to the runbook"));
    ensure!(links.iter().any(|link| link.starts_with(&format!("{}/d/", pages["GRAFANA_URL"]))), wrong("no link to a dashboard"));
    let is_short = ["pagerduty", "log", "dead-man"].contains(&&*notification.receiver);
    ensure!(is_short || links.contains(&format!("{}/#/alerts", pages["ALERTMANAGER_URL"])), wrong("no link to the page for silences"));
    // A URL label would make a new alert whenever the URL changes.
    ensure!(!notification.text.contains("_url="), wrong("a URL among the labels"));
    Ok(links)
}

/// Opens the runbooks behind these links and returns their number. The title of each page must be the name of its alert.
fn open_runbooks(ports: &Ports, links: &BTreeSet<String>, base: &str) -> Result<usize> {
    let list = get(&ports.page(Port::Runbooks)?)?;
    let mut opened = 0;
    for (link, name) in links.iter().filter_map(|link| Some((link, link.strip_prefix(base)?.strip_prefix('/')?))) {
        let page = get(link)?;
        let title = format!(">{name}</h1>");
        ensure!(page.status == 200 && page.header("content-type").starts_with("text/html"), "{link} returned {}", page.status);
        ensure!(page.body.contains(&title) && page.body.contains("<h2"), "{link} is not the runbook: {}", page.body);
        ensure!(
            page.body.contains(&format!("{}/alerts?search={name}", ports.page(Port::Prometheus)?)),
            "{link} does not link to the alert in Prometheus"
        );
        ensure!(list.body.contains(&format!("href=\"./{name}\"")), "{name} is not in the list of runbooks");
        opened += 1;
    }
    let secret = get(&format!("{base}/monitoring/runbooks/site/Caddyfile"))?;
    ensure!(opened > 0 && secret.status == 404, "{opened} runbooks opened; the Caddyfile returned {}", secret.status);
    Ok(opened)
}
