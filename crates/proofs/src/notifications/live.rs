//! Sends alerts through a running Alertmanager to the simulated Slack, `PagerDuty` and webhook, and to the mail sink. Checks routing,
//! inhibition, a silence that stops the repetition, and the notification of the resolution. Alertmanager's waits are shortened: half an
//! hour takes one second.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use devstack::cargo;
use devstack::http::send;
use devstack::ports::Port;
use devstack::process::{capture_ok, task, wait_until};
use devstack::report::Outcome;
use devstack::tools::{ALERTMANAGER, AMTOOL, MAILDEV};
use rule_tools::checks;
use serde_json::{Value, json};

use super::receivers::Receivers;
use crate::mails::Inbox;

/// At this speed, Alertmanager repeats a page (the notification of a critical alert) every second or two.
const SPEED: u32 = 1800;
const LIMIT: Duration = Duration::from_secs(20);
/// An `endsAt` in the past resolves an alert; one in the future keeps it firing.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";
const FAR_FUTURE: &str = "2100-01-01T00:00:00Z";

const PAGED: [&str; 3] = ["pagerduty", "slack", "page@vitrine.example"];
const TEAM: [&str; 2] = ["slack", "team@vitrine.example"];

/// The whole scenario.
pub fn check() -> Result<Outcome> {
    if MAILDEV.find().is_none() || ALERTMANAGER.find().is_none() {
        let note = "SKIPPED: no Alertmanager or no maildev here: notifications are NOT tested";
        eprintln!("{note}");
        return Ok(Outcome::skipped(note));
    }
    cargo::build(false, false)?;
    let mut receivers = Receivers::start(SPEED)?;
    receivers.alerts_reach_their_receivers()?;
    receivers.a_silence_ends_the_repetition()?;
    receivers.resolutions_are_notified()?;
    receivers.with_no_replica_left()?;
    Ok(Outcome::passed().with_note("notified, inhibited, silenced, resolved: PagerDuty, Slack, webhook, mail"))
}

/// The labels of an alert other than its name.
type Labels<'a> = &'a [(&'a str, &'a str)];

const REPLICA_DOWN: Labels = &[("severity", "critical"), ("component", "backend"), ("instance", "backend-2:4002"), ("job", "backend")];
const ITS_TARGET: Labels = &[("severity", "warning"), ("component", "monitoring"), ("instance", "backend-2:4002"), ("job", "backend")];
const VERY_SLOW: Labels = &[("severity", "critical"), ("component", "database"), ("operation", "select"), ("table", "projects")];
const SLOW: Labels = &[("severity", "warning"), ("component", "database"), ("operation", "select"), ("table", "projects")];
const PANIC: Labels = &[("severity", "critical"), ("component", "runtime"), ("instance", "backend-1:4001"), ("job", "backend")];
const MEMORY: Labels = &[("severity", "warning"), ("component", "runtime"), ("instance", "backend-3:4003"), ("job", "backend")];

impl Receivers {
    /// Every receiver gets the alerts of its severity with the runbook's link; alerts that follow from a critical one are inhibited.
    fn alerts_reach_their_receivers(&self) -> Result<()> {
        self.raise(&[
            ("Watchdog", &[("severity", "none"), ("component", "monitoring")]),
            ("ServiceDown", REPLICA_DOWN),
            ("TargetDown", ITS_TARGET),
            ("TargetDown", &[("severity", "warning"), ("component", "monitoring"), ("instance", "redis-exporter:9121"), ("job", "redis")]),
            ("ReplicaNotReady", &[("severity", "warning"), ("component", "backend"), ("instance", "backend-3:4003"), ("job", "backend")]),
            // An alert about one replica must not inhibit an alert about another.
            ("PanicDetected", PANIC),
            ("HighMemoryUsage", MEMORY),
            ("VerySlowDatabaseQueries", VERY_SLOW),
            ("SlowDatabaseQueries", SLOW),
            ("LowCacheHitRate", &[("severity", "info"), ("component", "cache")]),
        ])?;
        for (alert, receivers) in [
            ("Watchdog", &["dead-man", "dead-man@vitrine.example"][..]),
            ("ServiceDown", &PAGED),
            ("VerySlowDatabaseQueries", &PAGED),
            ("PanicDetected", &PAGED),
            ("HighMemoryUsage", &TEAM),
            ("TargetDown", &TEAM),
            ("ReplicaNotReady", &TEAM),
            ("LowCacheHitRate", &["log", "log@vitrine.example"]),
        ] {
            for receiver in receivers {
                self.await_notification(receiver, alert, false, 1)?;
            }
        }
        // Once receivers have been notified of ServiceDown and Watchdog a second time, any wrong notification has arrived, too.
        self.await_notification("pagerduty", "ServiceDown", false, 2)?;
        self.await_notification("dead-man", "Watchdog", false, 2)?;
        for notification in self.received()? {
            let runbook = format!("http://localhost:3002/{}", notification.alert);
            ensure!(
                notification.text.contains(&runbook),
                "no link to the runbook in the message to {}: {}",
                notification.receiver,
                notification.text
            );
            ensure!(!notification.resolved, "{} was notified that {} has resolved", notification.receiver, notification.alert);
            let meant: &[&str] = match &*notification.alert {
                "Watchdog" => &["dead-man", "dead-man@vitrine.example"],
                "ServiceDown" | "VerySlowDatabaseQueries" | "PanicDetected" => &PAGED,
                "TargetDown" | "ReplicaNotReady" | "HighMemoryUsage" => &TEAM,
                "LowCacheHitRate" => &["log", "log@vitrine.example"],
                _ => &[],
            };
            ensure!(meant.contains(&&*notification.receiver), "{} was notified of {}", notification.receiver, notification.alert);
            let names_it = notification.alert == "TargetDown" && notification.text.contains("backend-2:4002");
            ensure!(
                !names_it,
                "{} was notified of TargetDown, although ServiceDown inhibits it: {}",
                notification.receiver,
                notification.text
            );
        }
        Ok(())
    }

    fn a_silence_ends_the_repetition(&self) -> Result<()> {
        let mut silence = checks::tool(&AMTOOL)?;
        silence.args(["--alertmanager.url", &self.ports.url(Port::Alertmanager)?, "silence", "add", "alertname=VerySlowDatabaseQueries"]);
        capture_ok(silence.args(["--author", "somebody", "--comment", "working on it", "--duration", "1h"]))?;
        // Notifications in flight arrive before the next page.
        self.await_another_page()?;
        let before = self.count("pagerduty", "VerySlowDatabaseQueries", false)?;
        self.await_another_page()?;
        let after = self.count("pagerduty", "VerySlowDatabaseQueries", false)?;
        ensure!(before == after, "a page was repeated despite a silence");
        Ok(())
    }

    /// Receivers are notified of the resolution, and of an alert that is no longer inhibited but still fires.
    fn resolutions_are_notified(&self) -> Result<()> {
        self.send(&[("ServiceDown", REPLICA_DOWN)], LONG_AGO)?;
        for receiver in PAGED {
            self.await_notification(receiver, "ServiceDown", true, 1)?;
        }
        let all = self.received()?;
        let mut keys = all
            .iter()
            .filter(|notification| notification.receiver == "pagerduty" && notification.alert == "ServiceDown")
            .map(|notification| &notification.key);
        let first = keys.next().context("PagerDuty received no page")?;
        ensure!(keys.all(|key| key == first), "PagerDuty received different keys for one incident");
        wait_until("the receiver is notified of the TargetDown that ServiceDown inhibited", LIMIT, || {
            Ok(self.received()?.iter().any(|notification| {
                notification.receiver == "slack" && notification.alert == "TargetDown" && notification.text.contains("backend-2:4002")
            }))
        })
    }

    /// If no replica is left, `AllReplicasDown` notifies, and inhibits the alerts that follow from it.
    fn with_no_replica_left(&mut self) -> Result<()> {
        self.clear()?;
        let replica: Labels = &[("severity", "critical"), ("component", "backend"), ("instance", "backend-1:4001"), ("job", "backend")];
        let warning: Labels = &[("severity", "warning"), ("component", "edge"), ("instance", "backend-3:4003"), ("job", "backend")];
        self.raise(&[
            ("AllReplicasDown", &[("severity", "critical"), ("component", "backend")]),
            ("ServiceDown", replica),
            ("TargetDown", warning),
            ("ReplicaNotReady", warning),
            ("EdgeUpstreamUnhealthy", warning),
            ("EdgeErrors", &[("severity", "critical"), ("component", "edge")]),
            ("HighErrorRate", &[("severity", "critical"), ("component", "http")]),
            ("LowSuccessRate", &[("severity", "critical"), ("component", "http")]),
        ])?;
        for receiver in PAGED {
            self.await_notification(receiver, "AllReplicasDown", false, 2)?;
        }
        let follows = ["ServiceDown", "ReplicaNotReady", "EdgeUpstreamUnhealthy", "EdgeErrors", "HighErrorRate", "LowSuccessRate"];
        for notification in self.received()? {
            let explained = follows.contains(&&*notification.alert)
                || (notification.alert == "TargetDown" && notification.text.contains("backend-3:4003"));
            ensure!(
                !explained || notification.resolved,
                "{} was notified of {}, although no replica is left",
                notification.receiver,
                notification.alert
            );
        }
        Ok(())
    }

    fn raise(&self, alerts: &[(&str, Labels)]) -> Result<()> {
        self.send(alerts, FAR_FUTURE)
    }

    fn send(&self, alerts: &[(&str, Labels)], ends_at: &str) -> Result<()> {
        // A firing alert starts now. If it were older than the group wait, Alertmanager would notify immediately, before it has received
        // the inhibiting alerts.
        let now = capture_ok(task("date").args(["--utc", "+%FT%T.%NZ"]))?;
        let starts_at = now.trim().min(ends_at);
        let alert = |(name, labels): &(&str, Labels)| {
            let mut pairs = json!({ "alertname": name, "cluster": "vitrine" });
            for (label, value) in *labels {
                pairs[*label] = json!(value);
            }
            let place = labels.iter().find(|(label, _)| *label == "instance").map_or("here", |(_, value)| value);
            let annotations = json!({
                "summary": format!("{name} is under test"),
                "description": format!("{name} at {place}."),
                "runbook_url": format!("http://localhost:3002/{name}"),
                "dashboard_url": "http://localhost:3001/d/vitrine-overview",
            });
            json!({ "labels": pairs, "annotations": annotations, "startsAt": starts_at, "endsAt": ends_at })
        };
        let body: Value = alerts.iter().map(alert).collect();
        let answer = send("POST", &format!("{}/api/v2/alerts", self.ports.url(Port::Alertmanager)?), &[], Some(&body))?;
        ensure!(answer.status == 200, "Alertmanager rejected alerts: {}", answer.body);
        Ok(())
    }

    fn await_notification(&self, receiver: &str, alert: &str, resolved: bool, times: usize) -> Result<()> {
        let arrived =
            wait_until(&format!("{receiver} is notified of {alert}"), LIMIT, || Ok(self.count(receiver, alert, resolved)? >= times));
        arrived.inspect_err(|_| {
            for notification in self.received().unwrap_or_default() {
                eprintln!("{notification:?}");
            }
        })
    }

    fn await_another_page(&self) -> Result<()> {
        let so_far = self.count("pagerduty", "ServiceDown", false)?;
        self.await_notification("pagerduty", "ServiceDown", false, so_far + 1)
    }

    fn count(&self, receiver: &str, alert: &str, resolved: bool) -> Result<usize> {
        let all = self.received()?;
        Ok(all
            .iter()
            .filter(|notification| notification.receiver == receiver && notification.alert == alert && notification.resolved == resolved)
            .count())
    }

    fn clear(&mut self) -> Result<()> {
        let answer = send("DELETE", &format!("{}/notifications", self.ports.url(Port::ProviderSim)?), &[], None)?;
        ensure!(answer.status < 300, "DELETE notifications: {}", answer.status);
        self.inbox = Inbox::from_now(self.ports.url(Port::MailPage)?)?;
        Ok(())
    }
}
