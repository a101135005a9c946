//! The terminals of sessions over Socket.IO: opened by the user whose session it is, held by the socket that opened it,
//! and ended with it. The session goes on without one, so that its user may come back, to whatever replica.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::super::driver::{Terminal, TerminalInput, TerminalOutput, TerminalSize, Utf8Decoder};
use super::super::events;
use super::model::{Closed, Session, TerminalEnd};
use super::terminals::{Held, Refused, Said};
use crate::features::accounts::CurrentUser;
use crate::http::fields::Fields;
use crate::http::{ApiError, Code};
use crate::metrics::labels::{EventIn, EventOut};
use crate::realtime::{Client, Done, Events, Topic, Work};
use crate::state::AppState;

/// Bytes of text in an event, either way.
const PIECE: usize = 16 << 10;
/// How long an event waits for a program that does not read.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon the end of a right or of a session is found that no signal told of.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The events of this file.
pub fn sockets() -> Events {
    Events::default()
        .on(EventIn::SessionOpen, open)
        .on(EventIn::SessionInput, input)
        .on(EventIn::SessionResize, resize)
        .on(EventIn::SessionClose, close)
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
                fields.refuse(field, "out_of_range", "wants 1 to 500");
            }
            fields.finish(()).map_or_else(ApiError::validation, |()| ApiError::new(Code::ValidationFailed))
        })
    }
}

/// Starts the program of a session of the user's own.
async fn open(state: AppState, client: Client, body: Sized) -> Result<Done, ApiError> {
    let (id, size) = (body.session_id, body.size()?);
    let CurrentUser { user, .. } = CurrentUser::of(&state, &client).await?;
    let (held, said) = state.environments.terminals().hold(&client, id).map_err(|refused| match refused {
        Refused::Busy => ApiError::new(Code::TerminalBusy),
        Refused::TooMany(most) => ApiError::new(Code::TooManyTerminals).detail(format!("A connection may hold {most}: close one first")),
    })?;
    let (session, terminal) = state.environments.open_terminal(&user, id, size).await?;
    client.hold(Work::Terminal(id), Attended { state, client: client.clone(), session }.run(terminal, said, held));
    Ok(Done {})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    session_id: Uuid,
    data: String,
}

/// Types in a terminal that the client holds.
async fn input(state: AppState, client: Client, Typed { session_id, data }: Typed) -> Result<Done, ApiError> {
    if data.len() > PIECE {
        return Err(ApiError::new(Code::PayloadTooLarge).detail(format!("An event may type {PIECE} bytes")));
    }
    say(&state, &client, session_id, Said::Typed(data)).await
}

/// Tells a terminal that the client holds how large it is now.
async fn resize(state: AppState, client: Client, body: Sized) -> Result<Done, ApiError> {
    say(&state, &client, body.session_id, Said::Resized(body.size()?)).await
}

async fn say(state: &AppState, client: &Client, session: Uuid, said: Said) -> Result<Done, ApiError> {
    let terminal = state.environments.terminals().held(client, session).ok_or_else(|| ApiError::new(Code::NotFound))?;
    match terminal.send_timeout(said, PATIENCE).await {
        Ok(()) => Ok(Done {}),
        Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
            Err(ApiError::new(Code::TooManyEvents).detail("The program does not read").retry_after(1))
        }
        Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(ApiError::new(Code::NotFound)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    session_id: Uuid,
}

/// Closes the session of a terminal that the client holds: every terminal of the session learns of it and ends.
async fn close(state: AppState, client: Client, Named { session_id }: Named) -> Result<Done, ApiError> {
    state.environments.terminals().held(&client, session_id).ok_or_else(|| ApiError::new(Code::NotFound))?;
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

/// A terminal that a client holds.
struct Attended {
    state: AppState,
    client: Client,
    session: Session,
}

impl Attended {
    /// Carries what is written and typed until the end, and tells of that.
    async fn run(self, Terminal { output, input }: Terminal, said: mpsc::Receiver<Said>, held: Held) {
        let Self { client, session, .. } = &self;
        let reason = tokio::select! {
            is_whole = self.show(output) => self.why(is_whole).await,
            reason = self.watch() => reason,
            never = obey(said, input) => match never {},
        };
        events::terminal_ended(session, reason);
        // Before the client hears it: it may open the terminal again.
        drop(held);
        let _gone = client.send(EventOut::SessionClosed, &Ended { session_id: session.id, reason }).await;
    }

    /// Sends what the program writes, no faster than the client takes it. Answers whether the output came to its end.
    async fn show(&self, mut output: TerminalOutput) -> bool {
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
                // The seat of a client that has left ends this.
                std::future::pending::<()>().await;
            }
            text = rest;
        }
    }

    /// Why the output has ended.
    async fn why(&self, is_whole: bool) -> TerminalEnd {
        let Self { state, client, session } = self;
        match CurrentUser::of(state, client).await {
            Ok(CurrentUser { user, .. }) => state.environments.terminal_output_ended(&user, session, is_whole).await,
            Err(_) => TerminalEnd::Stopped,
        }
    }

    /// Waits until the terminal may not go on.
    async fn watch(&self) -> TerminalEnd {
        let Self { state, client, session } = self;
        let (mut closed, mut access) = (state.realtime.signals(Topic::TerminalsClosed), state.realtime.signals(Topic::AccessChanged));
        // The first look is at once: something may have ended while the program was started.
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                signal = closed.recv() => if !concerns(signal, session) { continue },
                _ = access.recv() => {}
                _ = looks.tick() => {}
            }
            // A client whose own session has ended is signed out, and a store that is away is asked again.
            let Ok(CurrentUser { user, .. }) = CurrentUser::of(state, client).await else { continue };
            if let Ok(Some(reason)) = state.environments.terminal_end(&user, session).await {
                return reason;
            }
        }
    }
}

/// Does what the client says; why that fails, the end of the output tells.
async fn obey(mut said: mpsc::Receiver<Said>, mut input: Box<dyn TerminalInput>) -> Infallible {
    while let Some(said) = said.recv().await {
        let _ended = match said {
            Said::Typed(data) => input.write(data.as_bytes()).await,
            Said::Resized(size) => input.resize(size).await,
        };
    }
    std::future::pending().await
}

/// Whether a signal is about this session, as far as it is understood.
fn concerns(signal: Result<serde_json::Value, broadcast::error::RecvError>, session: &Session) -> bool {
    let closed = signal.ok().and_then(|closed| serde_json::from_value(closed).ok());
    closed.is_none_or(|closed: Closed| closed.concerns(session))
}
