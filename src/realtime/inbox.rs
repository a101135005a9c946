//! The queued events of one socket. A task, the worker, handles them in order, one at a time. The worker exists only while events are
//! queued, because most sockets are idle.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde_json::Value;
use socketioxide::extract::AckSender;

use crate::metrics::labels::EventIn;

/// Maximum number of queued events per socket.
const QUEUE_CAPACITY: usize = 64;

/// An event from a client.
pub struct Received {
    pub event: EventIn,
    /// Null if the client sent no payload, or an invalid one.
    pub payload: Value,
    pub ack: AckSender,
}

/// The queue of one socket.
#[derive(Default)]
pub struct Inbox(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Received>,
    is_worked_on: bool,
}

/// The result of queueing an event.
pub enum Put {
    /// Queued for the running worker.
    Waits,
    /// Queued; the caller must start a worker.
    WantsWorker,
    /// The queue is full: the event is returned.
    Full(Received),
}

impl Inbox {
    pub fn put(&self, received: Received) -> Put {
        let mut queue = self.0.lock();
        if queue.waiting.len() >= QUEUE_CAPACITY {
            return Put::Full(received);
        }
        queue.waiting.push_back(received);
        if std::mem::replace(&mut queue.is_worked_on, true) { Put::Waits } else { Put::WantsWorker }
    }

    /// The next event for the worker; on `None` the worker must end.
    pub fn next(&self) -> Option<Received> {
        let mut queue = self.0.lock();
        let next = queue.waiting.pop_front();
        if next.is_none() {
            queue.is_worked_on = false;
            queue.waiting.shrink_to_fit();
        }
        next
    }
}
