//! What a replica keeps of one connected socket, and the seats of all of them: who sits there, what is done for it, and
//! how it is let go. It ends with the socket.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use socketioxide::socket::Sid;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::inbox::Inbox;
use crate::http::address::ClientNetwork;
use crate::metrics::Metrics;
use crate::metrics::labels::{Disconnection, SocketError};
use crate::server::HangUp;

/// Events at once, in seconds' worth of them.
const BURST: NonZeroU32 = NonZeroU32::new(2).expect("two is not zero");
/// As many times as it may send are endured of a socket.
const ENDURED: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// Whom a connection was admitted as.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The account.
    pub user: Uuid,
    /// The session that proved it.
    pub session: Uuid,
    /// What the session's token hashes to, for who asks again.
    pub token_hash: Arc<[u8]>,
}

/// What is done for a socket as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// It is sent the log of this environment.
    Log(Uuid),
    /// It counts as present in this project.
    Presence(Uuid),
    /// It is the terminal of this session.
    Terminal(Uuid),
}

/// The seat of one socket.
pub struct Seat {
    pub identity: Identity,
    pub events: Inbox,
    /// What the socket may send.
    pub limiter: DefaultDirectRateLimiter,
    /// What is endured of it: beyond that it is hung up on.
    pub patience: DefaultDirectRateLimiter,
    works: Mutex<HashMap<Work, AbortOnDropHandle<()>>>,
    /// Told when an event was answered: what it began waits for that.
    answered: watch::Sender<()>,
    /// Why it is let go, when that is the server's doing.
    let_go: OnceLock<Disconnection>,
    left: OnceLock<()>,
    _place: Place,
    metrics: Metrics,
}

impl Seat {
    pub fn new(identity: Identity, events_per_second: NonZeroU32, place: Place, metrics: Metrics) -> Self {
        let quota = |times| {
            let rate = events_per_second.saturating_mul(times);
            Quota::per_second(rate).allow_burst(rate.saturating_mul(BURST))
        };
        Self {
            identity,
            events: Inbox::default(),
            limiter: RateLimiter::direct(quota(NonZeroU32::MIN)),
            patience: RateLimiter::direct(quota(ENDURED)),
            works: Mutex::default(),
            answered: watch::Sender::default(),
            let_go: OnceLock::new(),
            left: OnceLock::new(),
            _place: place,
            metrics,
        }
    }

    /// Does something for the socket, from the answer of the event that is being handled on, until it leaves, or
    /// [`Self::release`] or another work of the same name ends it.
    pub fn hold(&self, work: Work, task: impl Future<Output = ()> + Send + 'static) {
        let mut answered = self.answered.subscribe();
        let task = async move {
            let _answered = answered.changed().await;
            task.await;
        };
        let mut works = lock(&self.works);
        works.retain(|_, task| !task.is_finished());
        // Under the lock: whoever leaves ends what is held after that.
        if self.left.get().is_none() {
            works.insert(work, AbortOnDropHandle::new(tokio::spawn(task)));
        }
    }

    /// The event that was being handled has been answered.
    pub fn answered(&self) {
        self.answered.send_replace(());
    }

    pub fn release(&self, work: Work) -> bool {
        lock(&self.works).remove(&work).is_some_and(|task| !task.is_finished())
    }

    pub fn holds(&self, work: Work) -> bool {
        lock(&self.works).get(&work).is_some_and(|task| !task.is_finished())
    }

    /// Notes why the server ends the connection, before it does.
    pub fn let_go(&self, reason: Disconnection) {
        let _first = self.let_go.set(reason);
    }

    /// The socket is gone: counts why, once, and ends what was done for it.
    pub fn leave(&self, reason: Disconnection) {
        if self.left.set(()).is_err() {
            return;
        }
        let reason = *self.let_go.get().unwrap_or(&reason);
        self.metrics.websocket_disconnections.increment(reason);
        if let Some(error) = error_of(reason) {
            self.metrics.websocket_errors.increment(error);
        }
        lock(&self.works).clear();
    }
}

/// A socket that was admitted and whose client had left before it heard so is told to nobody.
impl Drop for Seat {
    fn drop(&mut self) {
        self.leave(Disconnection::TransportClose);
    }
}

/// What went wrong when a connection ended so.
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

/// How many places are taken, by whom.
pub struct Places<K>(Arc<Mutex<HashMap<K, u32>>>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

/// A place that is given back when it is dropped.
pub struct Place(Box<dyn Fn() + Send + Sync>);

impl Drop for Place {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl<K: std::hash::Hash + Eq + Clone + Send + Sync + 'static> Places<K> {
    /// One more place for somebody, unless that would be more than the limit.
    pub fn take(&self, who: &K, limit: u32) -> Option<Place> {
        let mut places = lock(&self.0);
        let taken = places.entry(who.clone()).or_default();
        if *taken >= limit {
            return None;
        }
        *taken += 1;
        let (all, who) = (self.0.clone(), who.clone());
        Some(Place(Box::new(move || {
            let mut places = lock(&all);
            if let Some(taken) = places.get_mut(&who) {
                *taken -= 1;
                if *taken == 0 {
                    places.remove(&who);
                }
            }
        })))
    }
}

/// How connections are hung up on, by their sockets. The request that opened a socket tells of its own connection; one that
/// was upgraded later is noted here.
#[derive(Default)]
pub struct HangUps(Mutex<HashMap<Sid, HangUp>>);

impl HangUps {
    pub fn note(&self, sid: Sid, hang_up: HangUp) {
        lock(&self.0).insert(sid, hang_up);
    }

    pub fn of(&self, sid: Sid) -> Option<HangUp> {
        lock(&self.0).get(&sid).cloned()
    }

    /// Forgets connections that are over.
    pub fn tidy_up(&self) {
        lock(&self.0).retain(|_, hang_up| !hang_up.is_over());
    }
}

/// Who holds connections: networks and accounts.
#[derive(Default)]
pub struct Limits {
    pub networks: Places<ClientNetwork>,
    pub users: Places<Uuid>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again() {
        let places = Places::default();
        let held: Vec<Place> = (0..2).filter_map(|_| places.take(&1, 2)).collect();
        assert_eq!(held.len(), 2);
        assert!(places.take(&1, 2).is_none());
        assert!(places.take(&2, 2).is_some());
        drop(held);
        assert!(places.take(&1, 1).is_some());
        assert!(lock(&places.0).is_empty());
    }
}
