//! The interface of a connected client for features: its identity, rooms, background work and outgoing events.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError, TransportType};

use super::connection::{ConnectionState, Identity, Work};
use super::room::Room;
use crate::fault_injection::FaultInjector;
use crate::metrics::Metrics;
use crate::metrics::labels::{EventOut, Loss, Message};

/// Delay before retrying an event for a client whose queue is full. It gives the queue time to drain, because the library closes the
/// connection if a ping is due while the queue is full.
const RETRY_DELAY: Duration = Duration::from_millis(100);

/// A client that is connected to this replica. Clones refer to the same client.
#[derive(Clone)]
pub struct Client {
    socket: SocketRef,
    connection: Arc<ConnectionState>,
    faults: FaultInjector,
    metrics: Metrics,
}

/// The client's queue is full: the client reads more slowly than events arrive.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client's queue is full")]
pub struct Slow;

/// Sending must stop: the client has disconnected, or the event cannot be serialized.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has disconnected")]
pub struct Disconnected;

impl Client {
    /// The client of a socket; `None` before the socket is admitted.
    pub(super) fn of(socket: SocketRef, faults: &FaultInjector, metrics: &Metrics) -> Option<Self> {
        let connection = socket.extensions.get::<Arc<ConnectionState>>()?;
        Some(Self { socket, connection, faults: faults.clone(), metrics: metrics.clone() })
    }

    /// The identity at admission. The session may have ended since, so check the session again before acting for the user.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.connection.identity
    }

    /// Whether both values refer to the same socket.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.socket.id == other.socket.id
    }

    /// Joins a room, runs `recheck` and starts the room's background work. If `recheck` fails, the client leaves the room, and no work
    /// starts. `recheck` runs after the join, because a loss of access removes only clients that are already in the room.
    ///
    /// # Errors
    /// The error of `recheck`; the client is then not in the room.
    pub async fn subscribe<T, E, W>(
        &self,
        room: Room,
        recheck: impl AsyncFnOnce() -> Result<T, E>,
        work: impl FnOnce() -> W,
    ) -> Result<T, E>
    where
        W: Future<Output = ()> + Send + 'static,
    {
        self.socket.join(room.name());
        let checked = recheck().await.inspect_err(|_| self.leave(room))?;
        if let Some(name) = room.work() {
            self.hold(name, work());
        }
        // The client may have been removed from the room before the work started, so end the work.
        if !self.is_in(room) {
            self.leave(room);
        }
        Ok(checked)
    }

    /// Leaves a room and ends its background work.
    pub fn leave(&self, room: Room) {
        self.socket.leave(room.name());
        if let Some(name) = room.work() {
            let _was_running = self.connection.release(name);
        }
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

    /// Starts background work for the client after the current event has been acknowledged. The new work replaces running work with the
    /// same [`Work`] key. Work ends when the client disconnects, or by [`Self::release`] or [`Self::leave`].
    pub fn hold(&self, work: Work, task: impl Future<Output = ()> + Send + 'static) {
        self.connection.hold(work, task);
    }

    /// Ends this background work of the client; returns whether the work was running.
    #[must_use]
    pub fn release(&self, work: Work) -> bool {
        self.connection.release(work)
    }

    /// Whether this background work is running for the client.
    #[must_use]
    pub fn holds(&self, work: Work) -> bool {
        self.connection.holds(work)
    }

    /// Queues an event for the client. If the queue is full, drops the event and counts the loss.
    ///
    /// # Errors
    /// [`Slow`] when the queue is full. An event for a disconnected client is dropped without an error. An event that cannot be
    /// serialized is dropped and logged.
    pub fn emit(&self, event: EventOut, payload: &impl Serialize) -> Result<(), Slow> {
        match self.try_emit(event, payload) {
            Err(Refused::Slow) => {
                self.metrics.websocket_messages_dropped.increment(Loss::SlowConsumer);
                Err(Slow)
            }
            Ok(()) | Err(Refused::Disconnected) => Ok(()),
        }
    }

    /// Queues an event. Waits while the queue is full, so that a producer sends no faster than the client reads.
    ///
    /// # Errors
    /// [`Disconnected`] when the client has disconnected or the event cannot be serialized.
    pub async fn send(&self, event: EventOut, payload: &impl Serialize) -> Result<(), Disconnected> {
        loop {
            match self.try_emit(event, payload) {
                Ok(()) => return Ok(()),
                Err(Refused::Disconnected) => return Err(Disconnected),
                Err(Refused::Slow) => tokio::time::sleep(RETRY_DELAY).await,
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
            Err(SendError::Socket(SocketError::Closed)) => Err(Refused::Disconnected),
            Err(SendError::Serialize(error)) => {
                tracing::error!(event = event.name(), error = &error as &dyn std::error::Error, "failed to serialize an event");
                Err(Refused::Disconnected)
            }
        }
    }

    /// Whether the client has a connection of its own. A polling client has none.
    pub(super) fn is_websocket(&self) -> bool {
        self.socket.transport_type() == TransportType::Websocket
    }

    /// The library's socket. Features use the methods of [`Client`] instead.
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
    Disconnected,
}
