//! The message bus between replicas: a Redis channel to which every replica publishes and subscribes.
//! `docs/adr/0013-realtime.md` explains why the bus does not use the adapter of the Socket.IO library.
//!
//! Publishing never blocks its caller. A message that Redis does not accept is lost; if it is an event, the loss is counted. Delivery
//! resumes by itself when Redis is back. Code that must not miss a fact also reads the fact from the database.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::room::Room;
use super::signal::Topic;
use crate::cache::RedisClient;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::metrics::labels::Loss;
use crate::telemetry::trace_context::Traceparent;

/// Maximum number of messages that wait to be published.
const BACKLOG: usize = 4096;
/// Maximum number of received messages that wait to be handled.
const INBOX: usize = 4096;

/// A message between replicas. Replicas may run different versions, so add variants and optional fields, but never change existing ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// An event for the sockets in these rooms; a socket in several of them receives it once.
    Emit {
        /// The rooms whose sockets receive the event.
        rooms: Vec<Room>,
        /// The name of an [`EventOut`](crate::metrics::labels::EventOut).
        event: String,
        /// The event's payload, as clients receive it.
        payload: Value,
    },
    /// A signal for the subscribers of a topic.
    Signal {
        /// The topic, which determines the shape of the payload.
        topic: Topic,
        /// The signal's payload.
        payload: Value,
    },
    /// A canary with its number.
    Ping(u64),
    /// The reply to a canary: the replica that sent the canary, and the canary's number.
    Pong(Uuid, u64),
}

impl Message {
    /// Whether clients miss an event if this message is lost.
    fn is_emit(&self) -> bool {
        matches!(self, Self::Emit { .. })
    }
}

/// A message and its sender.
#[derive(Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// The replica that sent the message; see [`Bus::me`].
    pub by: Uuid,
    /// The emission of an event, while traces are on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Traceparent>,
    /// The message.
    pub message: Message,
}

/// One replica's connection to the bus; clones share it.
#[derive(Clone)]
pub struct Bus(Arc<Inner>);

struct Inner {
    me: Uuid,
    channel: String,
    commands: RedisClient,
    listening: RedisClient,
    backlog: mpsc::Sender<(Option<Traceparent>, Message)>,
    /// [`Bus::run`] takes the receiving ends.
    queues: Mutex<Option<Queues>>,
    metrics: Metrics,
}

struct Queues {
    backlog: mpsc::Receiver<(Option<Traceparent>, Message)>,
    inbox: mpsc::Receiver<Vec<u8>>,
}

impl Bus {
    /// A connection to the bus that publishes over `commands`. It sends and receives while [`Self::run`] runs.
    ///
    /// # Errors
    /// When `REDIS_URL` is invalid.
    pub fn new(config: &Config, commands: RedisClient, metrics: Metrics) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let channel = format!("{}:bus", config.redis_key_prefix);
        let (to_inbox, inbox) = mpsc::channel(INBOX);
        let (backlog, from_backlog) = mpsc::channel(BACKLOG);
        let counts = metrics.clone();
        let receive = move |bytes| {
            if to_inbox.try_send(bytes).is_err() {
                counts.websocket_messages_dropped.increment(Loss::Inbox);
            }
        };
        let listening = RedisClient::listening(config, channel.clone(), receive, metrics.clone())?;
        let queues = Mutex::new(Some(Queues { backlog: from_backlog, inbox }));
        Ok(Self(Arc::new(Inner { me: Uuid::new_v4(), channel, commands, listening, backlog, queues, metrics })))
    }

    /// This replica's identifier on the bus.
    pub fn me(&self) -> Uuid {
        self.0.me
    }

    /// Queues a message for the other replicas. Never blocks; a full queue drops the message.
    pub fn publish(&self, message: Message) {
        self.publish_from(None, message);
    }

    /// As [`Self::publish`], for a message whose delivery is part of a trace.
    pub fn publish_from(&self, cause: Option<Traceparent>, message: Message) {
        let is_emit = message.is_emit();
        if self.0.backlog.try_send((cause, message)).is_err() && is_emit {
            self.0.metrics.websocket_messages_dropped.increment(Loss::BusBacklog);
        }
    }

    /// Publishes the queued messages, and passes every received message to `handle`, including this replica's own. The first call never
    /// returns; a second call does nothing.
    pub async fn run(self, mut handle: impl FnMut(Envelope) + Send) {
        let queues = self.0.queues.lock().take();
        let Some(Queues { mut backlog, mut inbox }) = queues else { return };
        let publish = async {
            while let Some((cause, message)) = backlog.recv().await {
                let is_emit = message.is_emit();
                let Ok(text) = serde_json::to_string(&Envelope { by: self.0.me, cause, message }) else { continue };
                if self.0.commands.publish(&self.0.channel, &text).await.is_err() && is_emit {
                    self.0.metrics.websocket_messages_dropped.increment(Loss::BusAway);
                }
            }
        };
        let listen = async {
            while let Some(bytes) = inbox.recv().await {
                match serde_json::from_slice(&bytes) {
                    Ok(envelope) => handle(envelope),
                    // Another version may send messages that this one does not know.
                    Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "failed to parse a message from the bus"),
                }
            }
        };
        tokio::join!(self.0.listening.clone().keep_connected(), publish, listen);
    }
}
