//! The terminals that the clients of this replica hold: by them an event finds its program.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::super::driver::TerminalSize;
use crate::realtime::Client;

/// Terminals that one client may hold: each is two programs in a container and two connections to the engine.
const MOST: usize = 8;
/// Things said that wait for a program; of 16 KiB each at most.
const WAITING: usize = 16;

/// What a client says to a program.
pub enum Said {
    Typed(String),
    Resized(TerminalSize),
}

/// Why a client may not hold another terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It holds that of this session.
    Busy,
    /// It holds so many.
    TooMany(usize),
}

/// Who holds which terminals; clones share them.
#[derive(Clone, Default)]
pub struct Terminals(Arc<Mutex<HashMap<Uuid, Vec<Holder>>>>);

struct Holder {
    client: Client,
    said: mpsc::Sender<Said>,
}

/// A terminal's place among them; dropped, it is free.
pub struct Held {
    terminals: Terminals,
    client: Client,
    session: Uuid,
}

impl Terminals {
    /// A place for the terminal of a session, and what will be said to it.
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

    /// The way to a terminal that the client holds.
    pub fn held(&self, client: &Client, session: Uuid) -> Option<mpsc::Sender<Said>> {
        self.lock().get(&session)?.iter().find(|holder| holder.client.is(client)).map(|holder| holder.said.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<Holder>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
