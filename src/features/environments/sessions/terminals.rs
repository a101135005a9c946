//! The registry of this replica's open terminals. It finds the terminal that a client's input event is for.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::super::driver::TerminalSize;
use crate::realtime::Client;

/// Maximum number of terminals per client. Each needs two programs in a container and two connections to the engine.
const MOST: usize = 8;
/// Capacity of a terminal's input queue in events of at most 16 KiB.
const WAITING: usize = 16;

/// An input event for the program of a terminal.
pub enum Said {
    Typed(String),
    Resized(TerminalSize),
}

/// Why a client may not open another terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The client already has an open terminal of this session.
    Busy,
    /// The client already has this many terminals, the maximum.
    TooMany(usize),
}

/// The clients with an open terminal, by session. Clones share one registry.
#[derive(Clone, Default)]
pub struct Terminals(Arc<Mutex<HashMap<Uuid, Vec<Holder>>>>);

struct Holder {
    client: Client,
    said: mpsc::Sender<Said>,
}

/// The registration of an open terminal. Dropping it removes the terminal from the registry.
pub struct Held {
    terminals: Terminals,
    client: Client,
    session: Uuid,
}

impl Terminals {
    /// Registers a terminal of a session. Returns the registration and the receiver of its input.
    pub fn hold(&self, client: &Client, session: Uuid) -> Result<(Held, mpsc::Receiver<Said>), Refused> {
        let mut holders = self.lock();
        let is_held = |holders: &Vec<Holder>| holders.iter().any(|holder| holder.client.is(client));
        if holders.get(&session).is_some_and(is_held) {
            return Err(Refused::Busy);
        }
        if holders.values().filter(|holders| is_held(holders)).count() >= MOST {
            return Err(Refused::TooMany(MOST));
        }
        let (said, heard) = mpsc::channel(WAITING);
        holders.entry(session).or_default().push(Holder { client: client.clone(), said });
        Ok((Held { terminals: self.clone(), client: client.clone(), session }, heard))
    }

    /// The input channel of an open terminal of this client.
    pub fn held(&self, client: &Client, session: Uuid) -> Option<mpsc::Sender<Said>> {
        self.lock().get(&session)?.iter().find(|holder| holder.client.is(client)).map(|holder| holder.said.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<Holder>>> {
        self.0.lock()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut holders = self.terminals.lock();
        if let Some(of_session) = holders.get_mut(&self.session) {
            of_session.retain(|holder| !holder.client.is(&self.client));
            if of_session.is_empty() {
                holders.remove(&self.session);
            }
        }
    }
}
