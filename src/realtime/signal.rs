//! Signals: words between replicas that no client sees. One reaches every replica, the one that sends it included,
//! unless Redis is away.

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// Signals that a listener may leave unheard before it misses some.
const BACKLOG: usize = 1024;

/// What a signal is about. Whoever listens knows the shape of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Sessions of accounts have ended.
    SessionsEnded,
    /// Somebody may have lost a project.
    AccessChanged,
    /// Lines were added to logs.
    LogsGrown,
    /// Who is in a project, as one replica sees it.
    Presence,
    /// Sessions in environments were closed.
    TerminalsClosed,
    /// What a replica says of itself.
    Pulse,
}

impl Topic {
    const ALL: [Self; 6] = [Self::SessionsEnded, Self::AccessChanged, Self::LogsGrown, Self::Presence, Self::TerminalsClosed, Self::Pulse];
}

/// The listeners of one replica.
pub(super) struct Signals([broadcast::Sender<serde_json::Value>; Topic::ALL.len()]);

impl Signals {
    pub fn new() -> Self {
        Self(Topic::ALL.map(|_| broadcast::Sender::new(BACKLOG)))
    }

    pub fn listen(&self, topic: Topic) -> broadcast::Receiver<serde_json::Value> {
        self.0[topic as usize].subscribe()
    }

    pub fn tell(&self, topic: Topic, payload: serde_json::Value) {
        // Nobody may be listening.
        let _listeners = self.0[topic as usize].send(payload);
    }
}
