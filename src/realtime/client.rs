//! One connected client, as the features see it: its identity, rooms, background work and outgoing events.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError};

use super::connection::{ConnectionState, Identity, Work};
use super::room::Room;
use crate::fault_injection::FaultInjector;
use crate::metrics::Metrics;
use crate::metrics::labels::{EventOut, Loss, Message};

/// Pause before retrying an event for a client whose queue is full. The queue must drain meanwhile: the library closes a
/// connection whose queue is full when a ping is due.
const PAUSE: Duration = Duration::from_millis(100);

/// A client that is connected to this replica; clones refer to the same client.
#[derive(Clone)]
pub struct Client {
    socket: SocketRef,
    connection: Arc<ConnectionState>,
    faults: FaultInjector,
    metrics: Metrics,
}

/// The client's queue is full: it reads more slowly than events arrive.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client's queue is full")]
pub struct Slow;

/// The client has disconnected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has disconnected")]
pub struct Gone;

impl Client {
    /// The client of an admitted socket; `None` before its admission.
    pub(super) fn of(socket: SocketRef, faults: &FaultInjector, metrics: &Metrics) -> Option<Self> {
        let connection = socket.extensions.get::<Arc<ConnectionState>>()?;
        Some(Self { socket, connection, faults: faults.clone(), metrics: metrics.clone() })
    }

    /// The identity at admission. The session may have ended since, so verify it again before acting on it.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.connection.identity
    }

    /// Whether both refer to the same socket.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.socket.id == other.socket.id
    }

    /// Joins a room.
    pub fn join(&self, room: Room) {
        self.socket.join(room.name());
    }

    /// Leaves a room, and ends the background work that belongs to it.
    pub fn leave(&self, room: Room) {
        self.socket.leave(room.name());
        let work = match room {
            Room::Project(id) => Work::Presence(id),
            Room::Environment { id, .. } => Work::Log(id),
            Room::Session(_) | Room::User(_) => return,
        };
        let _was_done = self.connection.release(work);
    }

    /// Whether the client is in a room.
    #[must_use]
    pub fn is_in(&self, room: Room) -> bool {
        self.rooms().contains(&room)
    }

    /// The rooms that the client is in.
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        self.socket.rooms().iter().filter_map(|name| Room::named(name)).collect()
    }

    /// Runs background work for the client, from the acknowledgement of the current event until the client disconnects; see
    /// [`Work`]. It replaces earlier work of the same name.
    pub fn hold(&self, work: Work, task: impl Future<Output = ()> + Send + 'static) {
        self.connection.hold(work, task);
    }

    /// Ends the client's background work; returns whether it was running.
    #[must_use]
    pub fn release(&self, work: Work) -> bool {
        self.connection.release(work)
    }

    /// Whether this background work is running for the client.
    #[must_use]
    pub fn holds(&self, work: Work) -> bool {
        self.connection.holds(work)
    }

    /// Queues an event for the client. When the queue is full, the event is dropped and counted.
    ///
    /// # Errors
    /// [`Slow`] when the event was dropped. A disconnected client is no error.
    pub fn emit(&self, event: EventOut, payload: &impl Serialize) -> Result<(), Slow> {
        match self.try_emit(event, payload) {
            Err(Refused::Slow) => {
                self.metrics.websocket_messages_dropped.increment(Loss::SlowConsumer);
                Err(Slow)
            }
            Ok(()) | Err(Refused::Gone) => Ok(()),
        }
    }

    /// Queues an event, and waits while the queue is full: backpressure for producers of many events.
    ///
    /// # Errors
    /// [`Gone`] when the client has disconnected.
    pub async fn send(&self, event: EventOut, payload: &impl Serialize) -> Result<(), Gone> {
        loop {
            match self.try_emit(event, payload) {
                Ok(()) => return Ok(()),
                Err(Refused::Gone) => return Err(Gone),
                Err(Refused::Slow) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn try_emit(&self, event: EventOut, payload: &impl Serialize) -> Result<(), Refused> {
        if self.faults.drops_event() {
            self.metrics.websocket_messages_dropped.increment(Loss::Fault);
            return Ok(());
        }
        match self.socket.emit(event.name(), payload) {
            Ok(()) => {
                self.metrics.websocket_messages.increment(Message::Out(event));
                Ok(())
            }
            Err(SendError::Socket(SocketError::InternalChannelFull)) => Err(Refused::Slow),
            Err(SendError::Socket(SocketError::Closed)) => Err(Refused::Gone),
            Err(SendError::Serialize(error)) => {
                tracing::error!(event = event.name(), error = &error as &dyn std::error::Error, "failed to serialize an event");
                Err(Refused::Gone)
            }
        }
    }

    /// The library's socket, for closing it.
    pub(super) fn socket(&self) -> &SocketRef {
        &self.socket
    }

    /// This replica's state for the client.
    pub(super) fn connection(&self) -> &ConnectionState {
        &self.connection
    }
}

enum Refused {
    Slow,
    Gone,
}
