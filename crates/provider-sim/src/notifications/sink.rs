//! Stores the latest notifications and the knobs of the receivers. It is independent of the receivers' protocols.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Kind;
use crate::knobs::Outage;

/// Maximum number of stored notifications: a new one replaces the oldest.
const KEPT: usize = 1_000;

/// The state of the alerts in a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// At least one alert fires.
    Firing,
    /// All alerts are resolved.
    Resolved,
}

/// One notification.
#[derive(Clone, Debug, Serialize)]
pub struct Notification {
    /// The receiver that accepted it.
    pub kind: Kind,
    /// The sender's name for the receiver, if the protocol has one: Alertmanager's receiver, Slack's channel.
    pub receiver: Option<String>,
    /// The distinct names of the alerts.
    pub alerts: Vec<String>,
    /// The state of the alerts.
    pub status: Status,
    /// The severity, if the sender gives one.
    pub severity: Option<String>,
    /// The key that all notifications of the same alerts have in common, if the protocol has one: `dedup_key`, `groupKey`.
    pub key: Option<String>,
    /// The human-readable text.
    pub text: String,
    /// Time of receipt.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
}

/// The knobs of a receiver: the JSON of `PUT /knobs/{receiver}`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Disorder {
    /// The outage, if the receiver is down.
    pub outage: Option<Outage>,
}

/// The stored notifications and the knobs of each receiver.
#[derive(Default)]
pub struct Sink(Mutex<State>);

#[derive(Default)]
struct State {
    kept: VecDeque<Notification>,
    disorders: BTreeMap<Kind, Disorder>,
}

impl Sink {
    /// Stores a notification, and prints it to standard output as a line of JSON.
    pub fn keep(&self, notification: Notification) {
        if let Ok(line) = serde_json::to_string(&notification) {
            // Ignore errors: standard output may be closed.
            let _ = writeln!(io::stdout(), "{line}");
        }
        let mut state = self.state();
        if state.kept.len() == KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(notification);
    }

    /// The stored notifications, oldest first.
    pub fn all(&self) -> Vec<Notification> {
        self.state().kept.iter().cloned().collect()
    }

    /// Deletes all notifications.
    pub fn clear(&self) {
        self.state().kept.clear();
    }

    /// The knobs of a receiver.
    pub fn disorder(&self, kind: Kind) -> Disorder {
        self.state().disorders.get(&kind).copied().unwrap_or_default()
    }

    /// Sets the knobs of a receiver.
    pub fn set_disorder(&self, kind: Kind, disorder: Disorder) {
        self.state().disorders.insert(kind, disorder);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_notifications_are_stored() {
        let sink = Sink::default();
        for number in 0..KEPT + 2 {
            sink.keep(Notification {
                kind: Kind::Webhook,
                receiver: None,
                alerts: Vec::new(),
                status: Status::Firing,
                severity: None,
                key: None,
                text: number.to_string(),
                received_at: OffsetDateTime::UNIX_EPOCH,
            });
        }
        let kept = sink.all();
        assert_eq!((kept.len(), kept[0].text.as_str(), kept[KEPT - 1].text.as_str()), (1_000, "2", "1001"));
        sink.clear();
        assert!(sink.all().is_empty());
    }
}
