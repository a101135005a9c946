//! The registry of this replica's open terminals. It finds the terminal for a client's input event.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::super::driver::TerminalSize;
use crate::realtime::Client;

/// Maximum number of terminals per client. With Docker, each terminal needs two programs in a container and two connections to the engine.
const MAX_TERMINALS: usize = 8;
/// Capacity of a terminal's input queue, in events. An event holds at most 16 KiB of text.
const INPUT_QUEUE: usize = 16;

/// An input event for the program of a terminal.
pub enum InputEvent {
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
pub struct Terminals(Arc<Mutex<HashMap<Uuid, Vec<OpenTerminal>>>>);

struct OpenTerminal {
    client: Client,
    input: mpsc::Sender<InputEvent>,
}

/// The registration of an open terminal. Dropping it removes the terminal from the registry.
pub struct Registration {
    terminals: Terminals,
    client: Client,
    session: Uuid,
}

impl Terminals {
    /// Registers a terminal of a session. Returns the registration and the receiver of its input.
    pub fn register(&self, client: &Client, session: Uuid) -> Result<(Registration, mpsc::Receiver<InputEvent>), Refused> {
        let mut terminals = self.lock();
        let is_open = |of_session: &Vec<OpenTerminal>| of_session.iter().any(|terminal| terminal.client.is(client));
        if terminals.get(&session).is_some_and(is_open) {
            return Err(Refused::Busy);
        }
        if terminals.values().filter(|of_session| is_open(of_session)).count() >= MAX_TERMINALS {
            return Err(Refused::TooMany(MAX_TERMINALS));
        }
        let (input, events) = mpsc::channel(INPUT_QUEUE);
        terminals.entry(session).or_default().push(OpenTerminal { client: client.clone(), input });
        Ok((Registration { terminals: self.clone(), client: client.clone(), session }, events))
    }

    /// The input channel of an open terminal of this client.
    pub fn input_of(&self, client: &Client, session: Uuid) -> Option<mpsc::Sender<InputEvent>> {
        self.lock().get(&session)?.iter().find(|terminal| terminal.client.is(client)).map(|terminal| terminal.input.clone())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<OpenTerminal>>> {
        self.0.lock()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut terminals = self.terminals.lock();
        if let Some(of_session) = terminals.get_mut(&self.session) {
            of_session.retain(|terminal| !terminal.client.is(&self.client));
            if of_session.is_empty() {
                terminals.remove(&self.session);
            }
        }
    }
}
