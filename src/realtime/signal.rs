//! Signals: messages between replicas that clients do not see. A signal reaches subscribers on the sending replica directly, and
//! those on other replicas unless Redis is unavailable.

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// Maximum number of unread signals of a subscriber. When a subscriber has more, it misses the oldest.
const BACKLOG: usize = 1024;

/// The topic of a signal; it determines the shape of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Sessions of accounts have ended.
    SessionsEnded,
    /// A user may have lost access to a project.
    AccessChanged,
    /// Logs have new lines.
    LogsGrown,
    /// The users present in a project, as one replica sees them.
    Presence,
    /// Sessions of environments were closed.
    TerminalsClosed,
    /// A replica's heartbeat.
    Heartbeat,
    /// The levels of log lines have changed.
    LogLevels,
}

impl Topic {
    const ALL: [Self; 7] = [
        Self::SessionsEnded,
        Self::AccessChanged,
        Self::LogsGrown,
        Self::Presence,
        Self::TerminalsClosed,
        Self::Heartbeat,
        Self::LogLevels,
    ];
}

/// The subscribers of one replica.
pub(super) struct Signals([broadcast::Sender<serde_json::Value>; Topic::ALL.len()]);

impl Signals {
    pub fn new() -> Self {
        Self(Topic::ALL.map(|_| broadcast::Sender::new(BACKLOG)))
    }

    pub fn listen(&self, topic: Topic) -> broadcast::Receiver<serde_json::Value> {
        self.0[topic as usize].subscribe()
    }

    pub fn notify(&self, topic: Topic, payload: serde_json::Value) {
        // Fails only without subscribers, which is fine.
        let _listeners = self.0[topic as usize].send(payload);
    }
}
