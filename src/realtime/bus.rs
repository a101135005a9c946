//! The bus between replicas: a channel of Redis on which each replica says what the others have to know and hears what
//! they say. Why this and not the library's adapter: `docs/adr/0013-realtime.md`.
//!
//! Nothing waits for it. What Redis does not take is counted and lost; when it is back, the next word is heard, without
//! anybody's doing. Whoever must not miss a thing looks at the database as well.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::room::Room;
use super::signal::Topic;
use crate::cache::Link;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::metrics::labels::Loss;

/// Words that wait until Redis takes them.
const BACKLOG: usize = 4096;
/// Words of others that wait until they are acted on.
const INBOX: usize = 4096;

/// What a replica says. Others may be of another version: variants and fields are added, never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// An event for the sockets in these rooms, each once.
    Emit {
        /// Who gets it.
        rooms: Vec<Room>,
        /// Its name.
        event: String,
        /// What it says.
        payload: Value,
    },
    /// For whoever listens to the topic.
    Signal {
        /// What it is about.
        topic: Topic,
        /// What it says.
        payload: Value,
    },
    /// The canary sets out.
    Ping(u64),
    /// It is sent back to this replica.
    Pong(Uuid, u64),
}

impl Word {
    /// Whether clients miss something when it is lost.
    fn is_emit(&self) -> bool {
        matches!(self, Self::Emit { .. })
    }
}

/// A word and who says it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Said {
    /// The replica.
    pub by: Uuid,
    /// What it says.
    pub word: Word,
}

/// One replica's place on the bus; clones share it.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    me: Uuid,
    channel: String,
    commands: Link,
    listening: Link,
    backlog: mpsc::Sender<Word>,
    /// Taken by the tasks that empty them.
    queues: Mutex<Option<Queues>>,
    metrics: Metrics,
}

struct Queues {
    backlog: mpsc::Receiver<Word>,
    inbox: mpsc::Receiver<Vec<u8>>,
}

impl Bus {
    /// A place on the bus; [`Self::run`] takes it. Publishes over `commands`.
    ///
    /// # Errors
    /// When `REDIS_URL` is not understood.
    pub fn new(config: &Config, commands: Link, metrics: Metrics) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let channel = format!("{}:bus", config.redis_key_prefix);
        let (to_inbox, inbox) = mpsc::channel(INBOX);
        let (backlog, from_backlog) = mpsc::channel(BACKLOG);
        let counts = metrics.clone();
        let heard = move |bytes| {
            if to_inbox.try_send(bytes).is_err() {
                counts.websocket_messages_dropped.increment(Loss::Inbox);
            }
        };
        let listening = Link::listening(config, channel.clone(), heard, metrics.clone())?;
        let queues = Mutex::new(Some(Queues { backlog: from_backlog, inbox }));
        Ok(Self(Arc::new(Inner { me: Uuid::new_v4(), channel, commands, listening, backlog, queues, metrics })))
    }

    /// By what the others know this replica.
    pub fn me(&self) -> Uuid {
        self.0.me
    }

    /// Says something to the other replicas, as soon as Redis takes it.
    pub fn say(&self, word: Word) {
        let is_emit = word.is_emit();
        if self.0.backlog.try_send(word).is_err() && is_emit {
            self.0.metrics.websocket_messages_dropped.increment(Loss::BusBacklog);
        }
    }

    /// Keeps listening, says what is to be said, and gives `hear` what is heard, this replica's own words included; for ever.
    pub async fn run(self, mut hear: impl FnMut(Said) + Send) {
        let queues = self.0.queues.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Queues { mut backlog, mut inbox }) = queues else { return };
        let publish = async {
            while let Some(word) = backlog.recv().await {
                let is_emit = word.is_emit();
                let Ok(text) = serde_json::to_string(&Said { by: self.0.me, word }) else { continue };
                if self.0.commands.publish(&self.0.channel, &text).await.is_err() && is_emit {
                    self.0.metrics.websocket_messages_dropped.increment(Loss::BusAway);
                }
            }
        };
        let listen = async {
            while let Some(bytes) = inbox.recv().await {
                match serde_json::from_slice(&bytes) {
                    Ok(said) => hear(said),
                    // Another version says what this one does not know.
                    Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "failed to parse a message from the bus"),
                }
            }
        };
        tokio::join!(self.0.listening.clone().keep_connected(), publish, listen);
    }
}
