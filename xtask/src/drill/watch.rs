//! What becomes of alerts: pending and firing as Prometheus says, told and taken back as the mail of who is on call says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::bench::Bench;
use crate::http::{get, send};
use crate::ports::Port;

/// An alert by its name, or `Name:value:…` when there have to be labels of these values, too.
pub type Key = &'static str;

/// Alerts that nobody can be told of: with no Alertmanager to send them to, the dead man's receiver raises the alarm instead.
const UNTOLD: [Key; 1] = ["MonitoringBroken:no_alertmanager"];

/// The name, and the values of labels.
pub fn parts(alert: Key) -> (&'static str, impl Iterator<Item = &'static str>) {
    let mut parts = alert.split(':');
    (parts.next().unwrap_or_default(), parts)
}

/// What happened to an alert, each as the time since its drill began.
#[derive(Clone, Copy, Default)]
pub struct Times {
    /// It was first seen to fire.
    pub firing: Option<Duration>,
    /// Somebody was told.
    pub told: Option<Duration>,
    /// Its cause was taken away.
    pub mitigated: Option<Duration>,
    /// It was seen to fire no more.
    pub resolved: Option<Duration>,
    /// Somebody was told of that.
    pub taken_back: Option<Duration>,
    /// Nobody can be told.
    pub untold: bool,
}

impl Times {
    /// Whether it fired, and somebody was told who can be.
    pub fn are_begun(self) -> bool {
        self.firing.is_some() && (self.untold || self.told.is_some())
    }

    /// Whether it came to its end.
    pub fn are_complete(self) -> bool {
        self.are_begun() && self.resolved.is_some() && (self.untold || self.taken_back.is_some())
    }
}

/// Looks at some alerts.
pub struct Watch {
    started: BTreeMap<Key, Instant>,
    times: BTreeMap<Key, Times>,
}

impl Watch {
    /// Of nothing yet; forgets the mail there is.
    pub fn new(bench: &Bench) -> Result<Self> {
        send("DELETE", &format!("{}/email/all", bench.url(Port::MailPage)?), &[], None)?;
        Ok(Self { started: BTreeMap::new(), times: BTreeMap::new() })
    }

    /// Looks at these from now on.
    pub fn begin(&mut self, alerts: &[Key]) {
        let now = Instant::now();
        for alert in alerts {
            self.started.insert(alert, now);
            self.times.insert(alert, Times { untold: UNTOLD.contains(alert), ..Times::default() });
        }
    }

    /// The cause of these is gone.
    pub fn mitigated(&mut self, alerts: &[Key]) {
        for alert in alerts {
            if let (Some(started), Some(times)) = (self.started.get(alert), self.times.get_mut(alert)) {
                times.mitigated = Some(started.elapsed());
            }
        }
    }

    /// What was seen of each.
    pub fn times(&self) -> &BTreeMap<Key, Times> {
        &self.times
    }

    /// Looks once.
    pub fn look(&mut self, bench: &Bench) -> Result<()> {
        let firing = firing(bench)?;
        let mail = mail(bench)?;
        for (alert, times) in &mut self.times {
            let since = self.started.get(alert).map(Instant::elapsed);
            let fires = firing.iter().any(|labels| is(alert, labels));
            let said = |status: &str| mail.iter().any(|mail| mail.tells_of(alert, status));
            if fires {
                times.firing = times.firing.or(since);
                // It may have been over for a moment.
                times.resolved = None;
            } else if times.firing.is_some() && times.mitigated.is_some() {
                times.resolved = times.resolved.or(since);
            }
            // Not what was still to be said of the last time.
            if times.firing.is_some() && said("FIRING") {
                times.told = times.told.or(since);
            }
            if times.resolved.is_some() && said("RESOLVED") {
                times.taken_back = times.taken_back.or(since);
            }
        }
        Ok(())
    }
}

/// The labels of each alert that fires.
pub fn firing(bench: &Bench) -> Result<Vec<Value>> {
    let answer = bench.prometheus("/api/v1/alerts")?;
    let alerts = answer["data"]["alerts"].as_array().context("Prometheus answered no list of alerts")?;
    Ok(alerts.iter().filter(|alert| alert["state"] == "firing").map(|alert| alert["labels"].clone()).collect())
}

/// Whether labels are those of an alert.
pub fn is(alert: Key, labels: &Value) -> bool {
    let (name, mut values) = parts(alert);
    labels["alertname"] == name && values.all(|value| has(labels, value))
}

/// Whether some label has this value.
pub fn has(labels: &Value, value: &str) -> bool {
    labels.as_object().is_some_and(|labels| labels.values().any(|other| other == value))
}

/// A mail to who is on call.
struct Mail {
    subject: String,
    text: String,
}

impl Mail {
    /// The subject names state and alert, the text the labels.
    fn tells_of(&self, alert: Key, status: &str) -> bool {
        let (name, mut values) = parts(alert);
        let begins = self.subject.strip_prefix('[').is_some_and(|rest| rest.starts_with(status));
        begins
            && self.subject.contains(&format!("] {name} "))
            && values.all(|value| self.subject.contains(value) || self.text.contains(value))
    }
}

/// How many mails somebody has.
pub fn mail_to(bench: &Bench, address: &str) -> Result<usize> {
    Ok(mails(bench)?.iter().filter(|mail| mail["to"][0]["address"] == address).count())
}

fn mail(bench: &Bench) -> Result<Vec<Mail>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(mails(bench)?.iter().map(|mail| Mail { subject: text(&mail["subject"]), text: text(&mail["text"]) }).collect())
}

fn mails(bench: &Bench) -> Result<Vec<Value>> {
    let answer = get(&format!("{}/email", bench.url(Port::MailPage)?))?.json()?;
    answer.as_array().cloned().context("the mail sink answered no list")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_is_known_by_its_name_and_by_labels_if_some_are_wanted() {
        let labels = json!({ "alertname": "Broken", "reason": "rules", "severity": "critical" });
        assert!(is("Broken", &labels));
        assert!(is("Broken:rules", &labels));
        assert!(is("Broken:rules:critical", &labels));
        assert!(!is("Broken:rules:warning", &labels));
        assert!(!is("Broken:notifications", &labels));
        assert!(!is("Broke", &labels));
    }

    #[test]
    fn a_mail_tells_of_an_alert_by_its_subject() {
        let mail = Mail { subject: "[FIRING 2] Broken (critical)".to_owned(), text: "reason=rules".to_owned() };
        assert!(mail.tells_of("Broken", "FIRING"));
        assert!(mail.tells_of("Broken:rules:critical", "FIRING"));
        assert!(!mail.tells_of("Broken:other", "FIRING"));
        assert!(!mail.tells_of("Broken", "RESOLVED"));
        assert!(!mail.tells_of("Broke", "FIRING"));
    }
}
