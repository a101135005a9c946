//! What was told to whom lately, and who is down. Nothing here knows how it was told.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Kind;
use crate::knobs::Outage;

/// Older ones are forgotten.
const KEPT: usize = 1_000;

/// Whether what was told of goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It does.
    Firing,
    /// It is over.
    Resolved,
}

/// One notification.
#[derive(Clone, Debug, Serialize)]
pub struct Notification {
    /// Who was told.
    pub kind: Kind,
    /// The sender's name for it, where it is said: Alertmanager's receiver, Slack's channel.
    pub receiver: Option<String>,
    /// The names of the alerts, each once.
    pub alerts: Vec<String>,
    /// Whether they go on.
    pub status: Status,
    /// How bad it is said to be.
    pub severity: Option<String>,
    /// By what the receiver knows that this is about the same as another, where it does.
    pub key: Option<String>,
    /// What people read.
    pub text: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
}

/// The knobs of a receiver: the JSON of `PUT /knobs/{receiver}`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Disorder {
    /// It is down, and how.
    pub outage: Option<Outage>,
}

/// Everything that was told, oldest first.
#[derive(Default)]
pub struct Sink(Mutex<State>);

#[derive(Default)]
struct State {
    kept: VecDeque<Notification>,
    disorders: BTreeMap<Kind, Disorder>,
}

impl Sink {
    /// Keeps a notification and says it on standard output, for those who read logs.
    pub fn keep(&self, notification: Notification) {
        if let Ok(line) = serde_json::to_string(&notification) {
            // Nobody may be reading it.
            let _ = writeln!(io::stdout(), "{line}");
        }
        let mut state = self.state();
        if state.kept.len() == KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(notification);
    }

    /// All that is kept.
    pub fn all(&self) -> Vec<Notification> {
        self.state().kept.iter().cloned().collect()
    }

    /// Forgets them.
    pub fn clear(&self) {
        self.state().kept.clear();
    }

    /// What is wrong with a receiver.
    pub fn disorder(&self, kind: Kind) -> Disorder {
        self.state().disorders.get(&kind).copied().unwrap_or_default()
    }

    /// From now on this is wrong with it.
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
    fn the_oldest_are_forgotten() {
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
