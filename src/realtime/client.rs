//! One connected client, as the features see it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError};

use super::room::Room;
use super::seat::{Identity, Seat, Work};
use crate::faults::Armed;
use crate::metrics::Metrics;
use crate::metrics::labels::{EventOut, Loss, Message};

/// How long to wait before offering an event again to a client whose queue is full. The queue must drain in between: the
/// library closes a connection whose queue is full when a ping is due.
const PAUSE: Duration = Duration::from_millis(100);

/// A client that is connected to this replica; clones are the same one.
#[derive(Clone)]
pub struct Client {
    socket: SocketRef,
    seat: Arc<Seat>,
    faults: Armed,
    metrics: Metrics,
}

/// The client takes no more now.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client's queue is full")]
pub struct Slow;

/// The client is not there any more.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client has disconnected")]
pub struct Gone;

impl Client {
    /// The client of a socket that was admitted.
    pub(super) fn of(socket: SocketRef, faults: &Armed, metrics: &Metrics) -> Option<Self> {
        let seat = socket.extensions.get::<Arc<Seat>>()?;
        Some(Self { socket, seat, faults: faults.clone(), metrics: metrics.clone() })
    }

    /// Whom it was admitted as. The session may have ended since: whoever acts on it proves it anew.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.seat.identity
    }

    /// Whether two are the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.socket.id == other.socket.id
    }

    /// Enters a room.
    pub fn join(&self, room: Room) {
        self.socket.join(room.name());
    }

    /// Leaves a room; what is done for the client because it is there ends.
    pub fn leave(&self, room: Room) {
        self.socket.leave(room.name());
        let work = match room {
            Room::Project(id) => Work::Presence(id),
            Room::Environment { id, .. } => Work::Log(id),
            Room::Session(_) | Room::User(_) => return,
        };
        let _was_done = self.seat.release(work);
    }

    /// Whether it is in a room.
    #[must_use]
    pub fn is_in(&self, room: Room) -> bool {
        self.rooms().contains(&room)
    }

    /// The rooms in which it is.
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        self.socket.rooms().iter().filter_map(|name| Room::named(name)).collect()
    }

    /// Does something for the client until it leaves, and not before the event at hand was answered; see [`Work`]. What was done under the same name before ends.
    pub fn hold(&self, work: Work, task: impl Future<Output = ()> + Send + 'static) {
        self.seat.hold(work, task);
    }

    /// Ends what is done for the client; answers whether it was.
    #[must_use]
    pub fn release(&self, work: Work) -> bool {
        self.seat.release(work)
    }

    /// Whether this is being done for the client.
    #[must_use]
    pub fn holds(&self, work: Work) -> bool {
        self.seat.holds(work)
    }

    /// Puts an event on its way. An event that a slow client does not take is lost and counted.
    ///
    /// # Errors
    /// [`Slow`] when it was lost. A client that has left misses nothing.
    pub fn emit(&self, event: EventOut, payload: &impl Serialize) -> Result<(), Slow> {
        match self.try_emit(event, payload) {
            Err(Refused::Slow) => {
                self.metrics.websocket_messages_dropped.increment(Loss::SlowConsumer);
                Err(Slow)
            }
            Ok(()) | Err(Refused::Gone) => Ok(()),
        }
    }

    /// Puts an event on its way as soon as the client takes it. So what makes many of them waits for a slow client.
    ///
    /// # Errors
    /// [`Gone`] when it has left.
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

    /// The library's socket, for what ends it.
    pub(super) fn socket(&self) -> &SocketRef {
        &self.socket
    }

    /// What this replica keeps of it.
    pub(super) fn seat(&self) -> &Seat {
        &self.seat
    }
}

enum Refused {
    Slow,
    Gone,
}
