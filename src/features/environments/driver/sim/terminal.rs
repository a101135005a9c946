//! A simulated shell's terminal: its input and output, and its end with that of its container. tmux is no more than a
//! shell here: who comes back finds a new one.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::super::{DriverError, Terminal, TerminalInput, TerminalSize};
use super::shell::Shell;

/// How often the container is asked whether it still runs.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Pieces of output that wait for a reader; the shell waits after them.
const UNREAD: usize = 4;
/// Bytes of input that are answered together, so that a piece of output has its limit.
const AT_ONCE: usize = 64;

/// A piece of output.
struct Said {
    bytes: Bytes,
    is_last: bool,
}

/// The terminal of a new shell; `ended_at` tells when the container's run ended, if it has.
pub fn open<F, R>(hostname: String, started_at: OffsetDateTime, size: TerminalSize, ended_at: F) -> Terminal
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = Result<Option<OffsetDateTime>, DriverError>> + Send + 'static,
{
    let (said, heard) = mpsc::channel(UNREAD);
    let (shell, greeting) = Shell::new(hostname, started_at, size);
    let screen = Screen { greeting: Some(greeting), heard, _said: said.clone(), ended_at };
    Terminal { output: Box::pin(stream::try_unfold(Some(screen), Screen::step)), input: Box::new(Input { shell, said }) }
}

struct Screen<F> {
    greeting: Option<String>,
    heard: mpsc::Receiver<Said>,
    /// Keeps the output open when the input is dropped.
    _said: mpsc::Sender<Said>,
    ended_at: F,
}

impl<F, R> Screen<F>
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = Result<Option<OffsetDateTime>, DriverError>> + Send + 'static,
{
    async fn step(screen: Option<Self>) -> Result<Option<(Bytes, Option<Self>)>, DriverError> {
        let Some(mut screen) = screen else { return Ok(None) };
        if let Some(greeting) = screen.greeting.take() {
            return Ok(Some((greeting.into(), Some(screen))));
        }
        loop {
            match tokio::time::timeout(LOOK_EVERY, screen.heard.recv()).await {
                Ok(Some(Said { bytes, is_last: false })) => return Ok(Some((bytes, Some(screen)))),
                Ok(Some(Said { bytes, is_last: true })) => return Ok(Some((bytes, None))),
                Ok(None) => return Ok(None),
                Err(_) if (screen.ended_at)().await?.is_some() => return Ok(None),
                Err(_) => {}
            }
        }
    }
}

struct Input {
    shell: Shell,
    said: mpsc::Sender<Said>,
}

#[async_trait]
impl TerminalInput for Input {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), DriverError> {
        for bytes in bytes.chunks(AT_ONCE) {
            let place = self.said.reserve().await.map_err(|_| DriverError::Refused("the program has ended".to_owned()))?;
            let said = self.shell.input(bytes, OffsetDateTime::now_utc());
            place.send(Said { bytes: said.into(), is_last: self.shell.has_ended() });
        }
        Ok(())
    }

    async fn resize(&mut self, size: TerminalSize) -> Result<(), DriverError> {
        self.shell.resize(size);
        Ok(())
    }
}
