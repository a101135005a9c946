//! Observes alerts: Prometheus' API shows whether they fire, and the mails of Alertmanager show the notifications of firing and resolved
//! alerts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use devstack::ports::Port;
use serde_json::Value;

use super::test_stack::TestStack;
use crate::mails::{self, Inbox};

/// An alert by its name, or `Name:value:…`, where the alert must also have labels with these values.
pub type Key = &'static str;

/// Alerts that cannot notify: without an Alertmanager, the dead man's switch raises the alarm instead.
const WITHOUT_NOTIFICATION: [Key; 1] = ["MonitoringBroken:no_alertmanager"];

/// Splits a key into the name and the label values.
pub fn parts(alert: Key) -> (&'static str, impl Iterator<Item = &'static str>) {
    let mut parts = alert.split(':');
    (parts.next().unwrap_or_default(), parts)
}

/// The events of an alert, each as the time since its drill began.
#[derive(Clone, Copy, Default)]
pub struct Times {
    /// First seen firing.
    pub firing: Option<Duration>,
    /// The notification arrived.
    pub notified: Option<Duration>,
    /// The cause was removed.
    pub mitigated: Option<Duration>,
    /// No longer seen firing.
    pub resolved: Option<Duration>,
    /// The notification of the resolution arrived.
    pub resolution_notified: Option<Duration>,
    /// No notification is possible.
    pub cannot_notify: bool,
}

impl Times {
    /// Whether the alert fired and, unless it cannot notify, notified.
    #[must_use]
    pub fn are_begun(self) -> bool {
        self.firing.is_some() && (self.cannot_notify || self.notified.is_some())
    }

    /// Whether the alert resolved and, unless it cannot notify, notified of its resolution.
    #[must_use]
    pub fn are_complete(self) -> bool {
        self.are_begun() && self.resolved.is_some() && (self.cannot_notify || self.resolution_notified.is_some())
    }
}

/// Observes some alerts.
pub struct Watch {
    started: BTreeMap<Key, Instant>,
    times: BTreeMap<Key, Times>,
    inbox: Inbox,
}

impl Watch {
    /// Observes no alerts yet; ignores all earlier mail.
    pub fn new(test: &TestStack) -> Result<Self> {
        Ok(Self { started: BTreeMap::new(), times: BTreeMap::new(), inbox: Inbox::from_now(test.url(Port::MailPage)?)? })
    }

    /// Observes these alerts from now on.
    pub fn begin(&mut self, alerts: &[Key]) {
        let now = Instant::now();
        for alert in alerts {
            self.started.insert(alert, now);
            self.times.insert(alert, Times { cannot_notify: WITHOUT_NOTIFICATION.contains(alert), ..Times::default() });
        }
    }

    /// Records that the causes of these alerts are removed.
    pub fn mitigated(&mut self, alerts: &[Key]) {
        for alert in alerts {
            if let (Some(started), Some(times)) = (self.started.get(alert), self.times.get_mut(alert)) {
                times.mitigated = Some(started.elapsed());
            }
        }
    }

    /// The recorded events by alert.
    #[must_use]
    pub fn times(&self) -> &BTreeMap<Key, Times> {
        &self.times
    }

    /// Polls once.
    pub fn poll(&mut self, test: &TestStack) -> Result<()> {
        let firing = firing(test)?;
        let mail: Vec<Mail> = self.inbox.mails()?.iter().map(|mail| Mail::parse(mail["text"].as_str().unwrap_or_default())).collect();
        for (alert, times) in &mut self.times {
            let since = self.started.get(alert).map(Instant::elapsed);
            let fires = firing.iter().any(|labels| is(alert, labels));
            let is_reported = mail.iter().any(|mail| mail.is_about(alert, "FIRING"));
            // A key may match several alerts, for example alerts on one objective over different windows. A mail counts as the notification
            // of the resolution only if it reports none of them as firing.
            let is_retracted = mail.iter().any(|mail| mail.is_about(alert, "RESOLVED") && !mail.is_about(alert, "FIRING"));
            if fires {
                times.firing = times.firing.or(since);
                // The alert may have been inactive for a moment.
                times.resolved = None;
                times.resolution_notified = None;
            } else if times.firing.is_some() && times.mitigated.is_some() {
                times.resolved = times.resolved.or(since);
            }
            // A mail counts only after the alert was seen firing.
            if times.firing.is_some() && is_reported {
                times.notified = times.notified.or(since);
            }
            if times.resolved.is_some() && is_retracted {
                times.resolution_notified = times.resolution_notified.or(since);
            }
        }
        Ok(())
    }
}

/// The labels of every firing alert.
pub fn firing(test: &TestStack) -> Result<Vec<Value>> {
    let answer = test.prometheus("/api/v1/alerts")?;
    let alerts = answer["data"]["alerts"].as_array().context("Prometheus returned no list of alerts")?;
    Ok(alerts.iter().filter(|alert| alert["state"] == "firing").map(|alert| alert["labels"].clone()).collect())
}

/// Whether the labels match the key of an alert.
#[must_use]
pub fn is(alert: Key, labels: &Value) -> bool {
    let (name, mut values) = parts(alert);
    labels["alertname"] == name && values.all(|value| has(labels, value))
}

/// Whether any label has this value.
#[must_use]
pub fn has(labels: &Value, value: &str) -> bool {
    labels.as_object().is_some_and(|labels| labels.values().any(|other| other == value))
}

/// A mail of Alertmanager: the state and the labels of each alert in it. One may have resolved while another still fires.
struct Mail {
    alerts: Vec<(String, Value)>,
}

impl Mail {
    /// Reads the text, in which each alert is a block that begins with the state and ends with the labels.
    fn parse(text: &str) -> Self {
        let (mut state, mut alerts) = ("", Vec::new());
        for line in text.lines() {
            if let Some((found @ ("FIRING" | "RESOLVED"), _)) = line.split_once(':') {
                state = found;
            }
            if let Some(labels) = line.strip_prefix("Labels:") {
                let labels = labels.split_whitespace().filter_map(|label| label.split_once('='));
                alerts.push((state.to_owned(), labels.collect()));
            }
        }
        Self { alerts }
    }

    /// Whether this mail reports the alert in this state.
    fn is_about(&self, alert: Key, state: &str) -> bool {
        self.alerts.iter().any(|(found, labels)| found == state && is(alert, labels))
    }
}

/// Counts the mails to an address.
pub fn mail_to(test: &TestStack, address: &str) -> Result<usize> {
    Ok(mails::all(&test.url(Port::MailPage)?)?.iter().filter(|mail| mail["to"][0]["address"] == address).count())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alert_matches_by_its_name_and_the_given_labels() {
        let labels = json!({ "alertname": "Broken", "reason": "rules", "severity": "critical" });
        assert!(is("Broken", &labels));
        assert!(is("Broken:rules", &labels));
        assert!(is("Broken:rules:critical", &labels));
        assert!(!is("Broken:rules:warning", &labels));
        assert!(!is("Broken:notifications", &labels));
        assert!(!is("Broke", &labels));
    }

    #[test]
    fn a_mail_reports_each_of_its_alerts_in_its_own_state() {
        let text = "FIRING: It is broken\nLabels:    alertname=Broken reason=rules severity=critical \n\n\
            RESOLVED: It is broken\nLabels:    alertname=Broken reason=mail severity=critical \n\n";
        let mail = Mail::parse(text);
        assert!(mail.is_about("Broken", "FIRING"));
        assert!(mail.is_about("Broken:rules:critical", "FIRING"));
        assert!(!mail.is_about("Broken:rules", "RESOLVED"));
        assert!(mail.is_about("Broken:mail", "RESOLVED"));
        assert!(!mail.is_about("Broken:other", "FIRING"));
        assert!(!mail.is_about("Broke", "FIRING"));
    }
}
