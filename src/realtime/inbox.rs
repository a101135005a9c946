//! The events of one socket that wait: they are handled in their order and one at a time, by a task that is there only
//! while there are any, because most sockets are silent.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use socketioxide::extract::AckSender;

use crate::metrics::labels::EventIn;

/// Events that a socket may have waiting.
const WAITING: usize = 64;

/// An event that a client has sent.
pub struct Received {
    pub event: EventIn,
    /// Null without one.
    pub payload: Value,
    pub ack: AckSender,
}

/// The waiting events of one socket.
#[derive(Default)]
pub struct Inbox(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Received>,
    is_worked_on: bool,
}

/// What became of an event.
pub enum Put {
    /// It waits for the worker that is there.
    Waits,
    /// It waits for a worker, which is to be started.
    WantsWorker,
    /// There are too many.
    Full(Received),
}

impl Inbox {
    pub fn put(&self, received: Received) -> Put {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.waiting.len() >= WAITING {
            return Put::Full(received);
        }
        queue.waiting.push_back(received);
        if std::mem::replace(&mut queue.is_worked_on, true) { Put::Waits } else { Put::WantsWorker }
    }

    /// The next event for the worker; without one, the worker is to end.
    pub fn next(&self) -> Option<Received> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = queue.waiting.pop_front();
        if next.is_none() {
            queue.is_worked_on = false;
            queue.waiting.shrink_to_fit();
        }
        next
    }
}
