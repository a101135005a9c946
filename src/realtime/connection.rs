//! The state of each connected socket: identity, rate limits, background work and the reason for its disconnection. The state ends
//! with the socket. This file also limits the connections per network and account.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use parking_lot::Mutex;
use socketioxide::TransportType;
use socketioxide::socket::Sid;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::inbox::Inbox;
use crate::http::address::ClientNetwork;
use crate::metrics::Metrics;
use crate::metrics::labels::{Disconnection, SocketError, Transport};
use crate::server::HangUp;

/// A client may send as many events at once as the permitted rate allows in this many seconds.
const BURST: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");
/// Flood factor: a websocket is closed when its events above the permitted rate exceed this multiple of that rate.
const FLOOD_FACTOR: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// The identity with which a connection was admitted.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The account's identifier.
    pub user: Uuid,
    /// The session that authenticated the connection.
    pub session: Uuid,
    /// The hash of the session's token, for later checks of the session.
    pub token_hash: Arc<[u8]>,
}

/// Background work for a socket; it ends with the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// Sends the log of this environment.
    Log(Uuid),
    /// Keeps the user present in this project.
    Presence(Uuid),
    /// Runs the terminal of this environment session.
    Terminal(Uuid),
}

/// The connection state of one socket.
pub struct ConnectionState {
    pub identity: Identity,
    pub events: Inbox,
    /// The rate limiter: events above its rate are refused.
    pub limiter: DefaultDirectRateLimiter,
    /// The flood limiter, which counts the events that the rate limiter refuses. A websocket that exceeds the flood limiter is closed; a
    /// polling client has no connection of its own to close. Events that are refused because the queue is full do not count: their rate
    /// is permitted.
    pub flood_limiter: DefaultDirectRateLimiter,
    tasks: Mutex<HashMap<Work, AbortOnDropHandle<()>>>,
    /// Notified after the acknowledgement of each queued event, but not when an event is refused without being queued. Background work
    /// waits until the event that started the work is acknowledged.
    answered: watch::Sender<()>,
    /// The reason, if the server ends the connection.
    end_reason: OnceLock<Disconnection>,
    left: OnceLock<()>,
    _permit: Permit,
    metrics: Metrics,
}

impl ConnectionState {
    pub fn new(identity: Identity, events_per_second: NonZeroU32, permit: Permit, metrics: Metrics) -> Self {
        let quota = |times| {
            let rate = events_per_second.saturating_mul(times);
            Quota::per_second(rate).allow_burst(rate.saturating_mul(BURST))
        };
        Self {
            identity,
            events: Inbox::default(),
            limiter: RateLimiter::direct(quota(NonZeroU32::MIN)),
            flood_limiter: RateLimiter::direct(quota(FLOOD_FACTOR)),
            tasks: Mutex::default(),
            answered: watch::Sender::default(),
            end_reason: OnceLock::new(),
            left: OnceLock::new(),
            _permit: permit,
            metrics,
        }
    }

    /// Runs background work from the acknowledgement of the current event until the socket disconnects, [`Self::release`] ends
    /// the work, or work with the same key replaces it.
    pub fn hold(&self, work: Work, task: impl Future<Output = ()> + Send + 'static) {
        let mut answered = self.answered.subscribe();
        let task = async move {
            let _answered = answered.changed().await;
            task.await;
        };
        let mut tasks = self.tasks.lock();
        tasks.retain(|_, task| !task.is_finished());
        // Checked under the lock: `leave` sets `left` first and then clears the map, so no work outlives the socket.
        if self.left.get().is_none() {
            tasks.insert(work, AbortOnDropHandle::new(tokio::spawn(task)));
        }
    }

    /// Records that the current event was acknowledged.
    pub fn answered(&self) {
        self.answered.send_replace(());
    }

    pub fn release(&self, work: Work) -> bool {
        self.tasks.lock().remove(&work).is_some_and(|task| !task.is_finished())
    }

    pub fn holds(&self, work: Work) -> bool {
        self.tasks.lock().get(&work).is_some_and(|task| !task.is_finished())
    }

    /// Records why the server is about to end the connection; the first reason counts.
    pub fn set_end_reason(&self, reason: Disconnection) {
        let _first = self.end_reason.set(reason);
    }

    /// Records the disconnection: counts its reason once, and ends the background work.
    pub fn leave(&self, reason: Disconnection) {
        if self.left.set(()).is_err() {
            return;
        }
        let reason = *self.end_reason.get().unwrap_or(&reason);
        self.metrics.websocket_disconnections.increment(reason);
        if let Some(error) = error_of(reason) {
            self.metrics.websocket_errors.increment(error);
        }
        self.tasks.lock().clear();
    }
}

/// Records the disconnection if it is not recorded yet: the library does not report a client that disconnects after its admission, but
/// before its connection is confirmed.
impl Drop for ConnectionState {
    fn drop(&mut self) {
        self.leave(Disconnection::TransportClose);
    }
}

/// The current transport of a socket as a label.
pub fn carried(transport: TransportType) -> Transport {
    match transport {
        TransportType::Polling => Transport::Polling,
        TransportType::Websocket => Transport::Websocket,
    }
}

/// The error that caused a disconnection, if any.
fn error_of(reason: Disconnection) -> Option<SocketError> {
    match reason {
        Disconnection::TransportError => Some(SocketError::Transport),
        Disconnection::HeartbeatTimeout => Some(SocketError::Heartbeat),
        Disconnection::MalformedPacket => Some(SocketError::MalformedPacket),
        Disconnection::TransportClose | Disconnection::Client | Disconnection::Logout | Disconnection::Flood | Disconnection::Draining => {
            None
        }
    }
}

/// A connection limiter: counts the permits of each key.
pub struct ConnectionLimiter<K>(Arc<Mutex<HashMap<K, u32>>>);

impl<K> Default for ConnectionLimiter<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// A permit for one connection, released on drop.
pub struct Permit(Box<dyn Fn() + Send + Sync>);

impl Drop for Permit {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl<K: std::hash::Hash + Eq + Clone + Send + Sync + 'static> ConnectionLimiter<K> {
    /// Takes a permit for the key, unless the key already holds `limit` permits.
    pub fn take(&self, who: &K, limit: u32) -> Option<Permit> {
        let mut permits = self.0.lock();
        let taken = permits.entry(who.clone()).or_default();
        if *taken >= limit {
            return None;
        }
        *taken += 1;
        let (all, who) = (self.0.clone(), who.clone());
        Some(Permit(Box::new(move || {
            let mut permits = all.lock();
            if let Some(taken) = permits.get_mut(&who) {
                *taken -= 1;
                if *taken == 0 {
                    permits.remove(&who);
                }
            }
        })))
    }
}

/// The handles that close the connections of upgraded sockets. A socket that began as a websocket has its handle in the request
/// that opened it; the handle of a socket that was upgraded from polling is here.
///
/// A client can request several upgrades of a socket. The library does not tell which of these connections the socket uses, so the handles
/// of all of them are kept. The library itself closes the connections that the socket does not use.
#[derive(Default)]
pub struct HangUps(Mutex<HashMap<Sid, Vec<HangUp>>>);

impl HangUps {
    pub fn note(&self, sid: Sid, hang_up: HangUp) {
        self.0.lock().entry(sid).or_default().push(hang_up);
    }

    pub fn of(&self, sid: Sid) -> Vec<HangUp> {
        self.0.lock().get(&sid).cloned().unwrap_or_default()
    }

    /// Removes the handles of closed connections.
    pub fn tidy_up(&self) {
        self.0.lock().retain(|_, hang_ups| {
            hang_ups.retain(|hang_up| !hang_up.is_over());
            !hang_ups.is_empty()
        });
    }
}

/// The connection limiters by network and by account.
#[derive(Default)]
pub struct Limits {
    pub networks: ConnectionLimiter<ClientNetwork>,
    pub users: ConnectionLimiter<Uuid>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_released_permit_can_be_taken_again() {
        let permits = ConnectionLimiter::default();
        let held: Vec<Permit> = (0..2).filter_map(|_| permits.take(&1, 2)).collect();
        assert_eq!(held.len(), 2);
        assert!(permits.take(&1, 2).is_none());
        assert!(permits.take(&2, 2).is_some());
        drop(held);
        assert!(permits.take(&1, 1).is_some());
        assert!(permits.0.lock().is_empty());
    }
}
