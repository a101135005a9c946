//! The terminal of a simulated shell. The output ends when the shell exits or after the container's run ends. A reconnect opens a new
//! shell, even for tmux: a simulated tmux session does not survive a reconnect.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::super::{DriverError, Terminal, TerminalInput, TerminalSize};
use super::shell::Shell;

/// Time without output after which the terminal checks whether the container's run has ended.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Capacity of the output queue. The shell waits while the queue is full.
const OUTPUT_QUEUE: usize = 4;
/// Maximum number of input bytes that the shell processes at once. This limit also bounds the size of a piece of output.
const MAX_INPUT: usize = 64;

/// A piece of output.
struct Output {
    bytes: Bytes,
    is_last: bool,
}

/// Opens the terminal of a new shell. `ended_at` returns the time at which the container's run ended, or `None` while it continues.
pub fn open<F, R>(hostname: String, started_at: OffsetDateTime, size: TerminalSize, ended_at: F) -> Terminal
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = Result<Option<OffsetDateTime>, DriverError>> + Send + 'static,
{
    let (sender, output) = mpsc::channel(OUTPUT_QUEUE);
    let (shell, greeting) = Shell::new(hostname, started_at, size);
    let screen = Screen { greeting: Some(greeting), output, _sender: sender.clone(), ended_at };
    Terminal { output: Box::pin(stream::try_unfold(Some(screen), Screen::step)), input: Box::new(Input { shell, output: sender }) }
}

struct Screen<F> {
    greeting: Option<String>,
    output: mpsc::Receiver<Output>,
    /// Keeps the output open after the input is dropped.
    _sender: mpsc::Sender<Output>,
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
            match tokio::time::timeout(POLL_INTERVAL, screen.output.recv()).await {
                Ok(Some(Output { bytes, is_last: false })) => return Ok(Some((bytes, Some(screen)))),
                Ok(Some(Output { bytes, is_last: true })) => return Ok(Some((bytes, None))),
                Ok(None) => return Ok(None),
                Err(_) if (screen.ended_at)().await?.is_some() => return Ok(None),
                Err(_) => {}
            }
        }
    }
}

struct Input {
    shell: Shell,
    output: mpsc::Sender<Output>,
}

#[async_trait]
impl TerminalInput for Input {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), DriverError> {
        for bytes in bytes.chunks(MAX_INPUT) {
            let slot = self.output.reserve().await.map_err(|_| DriverError::Refused("the program has exited".to_owned()))?;
            let bytes = self.shell.input(bytes, OffsetDateTime::now_utc());
            slot.send(Output { bytes: bytes.into(), is_last: self.shell.has_ended() });
        }
        Ok(())
    }

    async fn resize(&mut self, size: TerminalSize) -> Result<(), DriverError> {
        self.shell.resize(size);
        Ok(())
    }
}
