//! The terminals of sessions over Socket.IO. Only the session's user may open one. A terminal belongs to the connection that opened it, and
//! ends with that connection; the session continues, so that its user can open a terminal again on any replica.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use super::super::driver::{Terminal, TerminalInput, TerminalOutput, TerminalSize, Utf8Decoder};
use super::super::events;
use super::model::{Closed, Session, TerminalEnd};
use super::terminals::{InputEvent, Refused, Registration};
use crate::domain::validation::Fields;
use crate::features::accounts::CurrentUser;
use crate::http::{ApiError, Code};
use crate::metrics::labels::{EventIn, EventOut};
use crate::realtime::{Client, Done, Events, Topic, Work};
use crate::state::AppState;
use crate::tasks::ticks;

/// Maximum number of bytes of text in one event, in both directions.
const PIECE: usize = 16 << 10;
/// Maximum time for which an input event waits while the terminal's input queue is full.
const INPUT_TIMEOUT: Duration = Duration::from_secs(1);
/// Poll interval of the checks in [`TerminalTask::wait_for_end`]. Even without a signal, a terminal outlives its session, or its user's
/// access, by at most this time while the database is available.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The Socket.IO events of terminals.
pub fn sockets(state: &AppState) -> Events {
    Events::default()
        .on(EventIn::SessionOpen, state, open)
        .on(EventIn::SessionInput, state, input)
        .on(EventIn::SessionResize, state, resize)
        .on(EventIn::SessionClose, state, close)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sized {
    session_id: Uuid,
    cols: u16,
    rows: u16,
}

impl Sized {
    fn size(&self) -> Result<TerminalSize, ApiError> {
        let Self { cols, rows, .. } = *self;
        TerminalSize::new(cols, rows).ok_or_else(|| {
            let mut fields = Fields::default();
            for (field, _) in [("cols", cols), ("rows", rows)].into_iter().filter(|(_, side)| TerminalSize::new(*side, 1).is_none()) {
                fields.refuse(field, "out_of_range", "must be 1 to 500");
            }
            fields.finish(()).map_or_else(ApiError::validation, |()| ApiError::new(Code::ValidationFailed))
        })
    }
}

/// Starts the program of one of the user's own sessions.
async fn open(state: AppState, client: Client, body: Sized) -> Result<Done, ApiError> {
    let (id, size) = (body.session_id, body.size()?);
    let CurrentUser { user, .. } = CurrentUser::of(&state, &client).await?;
    let (registration, events) = state.environments.terminals().register(&client, id).map_err(|refused| match refused {
        Refused::Busy => ApiError::new(Code::TerminalBusy),
        Refused::TooMany(most) => ApiError::new(Code::TooManyTerminals).detail(format!("At most {most} open terminals. Close one first.")),
    })?;
    let (session, terminal) = state.environments.open_terminal(&user, id, size).await?;
    client.hold(Work::Terminal(id), TerminalTask { state, client: client.clone(), session }.run(terminal, events, registration));
    Ok(Done {})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    session_id: Uuid,
    data: String,
}

/// Sends input to an open terminal of this connection.
async fn input(state: AppState, client: Client, Typed { session_id, data }: Typed) -> Result<Done, ApiError> {
    if data.len() > PIECE {
        return Err(ApiError::new(Code::PayloadTooLarge).detail(format!("At most {PIECE} bytes per event")));
    }
    send_input(&state, &client, session_id, InputEvent::Typed(data)).await
}

/// Resizes an open terminal of this connection.
async fn resize(state: AppState, client: Client, body: Sized) -> Result<Done, ApiError> {
    send_input(&state, &client, body.session_id, InputEvent::Resized(body.size()?)).await
}

async fn send_input(state: &AppState, client: &Client, session: Uuid, event: InputEvent) -> Result<Done, ApiError> {
    let input = state.environments.terminals().input_of(client, session).ok_or_else(|| ApiError::new(Code::NotFound))?;
    match input.send_timeout(event, INPUT_TIMEOUT).await {
        Ok(()) => Ok(Done {}),
        Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
            Err(ApiError::new(Code::TooManyEvents).detail("The program is not reading its input").retry_after(1))
        }
        Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(ApiError::new(Code::NotFound)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    session_id: Uuid,
}

/// Closes the session of one of this connection's open terminals. This ends every terminal of the session.
async fn close(state: AppState, client: Client, Close { session_id }: Close) -> Result<Done, ApiError> {
    state.environments.terminals().input_of(&client, session_id).ok_or_else(|| ApiError::new(Code::NotFound))?;
    let CurrentUser { user, .. } = CurrentUser::of(&state, &client).await?;
    state.environments.close_session(&user, session_id).await?;
    Ok(Done {})
}

#[derive(Serialize)]
struct Output<'a> {
    session_id: Uuid,
    data: &'a str,
}

#[derive(Serialize)]
struct Ended {
    session_id: Uuid,
    reason: TerminalEnd,
}

/// An open terminal of a connection.
struct TerminalTask {
    state: AppState,
    client: Client,
    session: Session,
}

impl TerminalTask {
    /// Forwards input and output until the terminal ends, then notifies the client.
    async fn run(self, Terminal { output, input }: Terminal, events: mpsc::Receiver<InputEvent>, registration: Registration) {
        let Self { client, session, .. } = &self;
        let reason = tokio::select! {
            is_whole = self.send_output(output) => self.end_reason(is_whole).await,
            reason = self.wait_for_end() => reason,
            never = forward_input(events, input) => match never {},
        };
        events::terminal_ended(session, reason);
        // Drop the registration first, because the client may reopen the terminal as soon as it is notified.
        drop(registration);
        let _gone = client.send(EventOut::SessionClosed, &Ended { session_id: session.id, reason }).await;
    }

    /// Sends the program's output, no faster than the client reads it. Returns whether the output ended without an error.
    async fn send_output(&self, mut output: TerminalOutput) -> bool {
        let mut decoder = Utf8Decoder::default();
        while let Some(piece) = output.next().await {
            let Ok(piece) = piece else { return false };
            self.send(&decoder.decode(&piece)).await;
        }
        self.send(&decoder.finish()).await;
        true
    }

    async fn send(&self, mut text: &str) {
        while !text.is_empty() {
            let (data, rest) = text.split_at(text.floor_char_boundary(PIECE));
            if self.client.send(EventOut::SessionOutput, &Output { session_id: self.session.id, data }).await.is_err() {
                // The client has disconnected, and the end of its connection drops this task.
                std::future::pending::<()>().await;
            }
            text = rest;
        }
    }

    /// Determines why the output has ended.
    async fn end_reason(&self, is_whole: bool) -> TerminalEnd {
        let Self { state, client, session } = self;
        match CurrentUser::of(state, client).await {
            Ok(CurrentUser { user, .. }) => state.environments.terminal_output_ended(&user, session, is_whole).await,
            Err(_) => TerminalEnd::Stopped,
        }
    }

    /// Waits until the terminal must end.
    async fn wait_for_end(&self) -> TerminalEnd {
        let Self { state, client, session } = self;
        let (mut closed, mut access) = (state.realtime.signals(Topic::TerminalsClosed), state.realtime.signals(Topic::AccessChanged));
        // The first tick is immediate, because the session may have ended while the program was starting.
        let mut polls = ticks(POLL_INTERVAL);
        loop {
            tokio::select! {
                signal = closed.recv() => if !concerns(signal, session) { continue },
                _ = access.recv() => {}
                _ = polls.tick() => {}
            }
            // If the user's sign-in has ended, `accounts` disconnects the client. If the database is unavailable, the next tick retries.
            let Ok(CurrentUser { user, .. }) = CurrentUser::of(state, client).await else { continue };
            if let Ok(Some(reason)) = state.environments.terminal_end(&user, session).await {
                return reason;
            }
        }
    }
}

/// Forwards input to the program. Errors are ignored: if the program has ended, its output ends too, and that ends the terminal.
async fn forward_input(mut events: mpsc::Receiver<InputEvent>, mut input: Box<dyn TerminalInput>) -> Infallible {
    while let Some(event) = events.recv().await {
        let _ended = match event {
            InputEvent::Typed(data) => input.write(data.as_bytes()).await,
            InputEvent::Resized(size) => input.resize(size).await,
        };
    }
    std::future::pending().await
}

/// Whether a signal may concern this session. A lost or unreadable signal may concern any session.
fn concerns(signal: Result<serde_json::Value, broadcast::error::RecvError>, session: &Session) -> bool {
    let closed = signal.ok().and_then(|closed| serde_json::from_value(closed).ok());
    closed.is_none_or(|closed: Closed| closed.concerns(session))
}
