//! A user of a driver's terminal, who types, reads the screen, and sees the program end.

use std::time::Duration;

use futures_util::StreamExt;
use vitrine::features::environments::driver::{DriverError, Terminal, TerminalInput, TerminalOutput, TerminalSize};

/// Time limit for output that must arrive; long, because the machine may be busy.
const DEADLINE: Duration = Duration::from_mins(1);

pub struct AtTerminal {
    pub input: Box<dyn TerminalInput>,
    pub output: TerminalOutput,
    /// Output that [`Self::sees`] has not consumed yet.
    pub screen: Vec<u8>,
    /// All output so far.
    history: Vec<u8>,
}

impl AtTerminal {
    pub fn of(Terminal { input, output }: Terminal) -> Self {
        Self { input, output, screen: Vec::new(), history: Vec::new() }
    }

    pub async fn types(&mut self, text: &str) {
        self.input.write(text.as_bytes()).await.unwrap();
    }

    pub async fn resizes(&mut self, cols: u16, rows: u16) {
        self.input.resize(TerminalSize::new(cols, rows).unwrap()).await.unwrap();
    }

    /// Reads until this text has appeared, and consumes the output up to the end of the text.
    pub async fn sees(&mut self, wanted: impl AsRef<[u8]>) {
        let wanted = wanted.as_ref();
        loop {
            if let Some(at) = self.screen.windows(wanted.len()).position(|window| window == wanted) {
                self.screen.drain(..at + wanted.len());
                return;
            }
            let piece = self.piece().await.unwrap_or_else(|| panic!("the output ended before {wanted:?}: {}", self.history())).unwrap();
            self.screen.extend_from_slice(&piece);
        }
    }

    /// Reads to the end; an error counts as an end.
    pub async fn ends(&mut self) {
        while let Some(Ok(piece)) = self.piece().await {
            self.screen.extend_from_slice(&piece);
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.screen).into_owned()
    }

    async fn piece(&mut self) -> Option<Result<Vec<u8>, DriverError>> {
        let piece = tokio::time::timeout(DEADLINE, self.output.next()).await;
        let piece = piece.unwrap_or_else(|_| panic!("no output after {}", self.history()));
        if let Some(Ok(bytes)) = &piece {
            self.history.extend_from_slice(bytes);
        }
        piece.map(|piece| piece.map(|bytes| bytes.to_vec()))
    }

    fn history(&self) -> String {
        format!("{:?}", String::from_utf8_lossy(&self.history))
    }
}
