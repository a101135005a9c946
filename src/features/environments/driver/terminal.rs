//! Terminals: interactive programs in containers. Each driver implements them.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use uuid::Uuid;

use super::DriverError;

/// Maximum number of columns and of rows.
const MAX_SIDE: u16 = 500;

/// Size of a terminal in characters: 1 to 500 columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    cols: u16,
    rows: u16,
}

impl TerminalSize {
    /// Returns `None` if the number of columns or rows is out of range.
    #[must_use]
    pub fn new(cols: u16, rows: u16) -> Option<Self> {
        let sides = 1..=MAX_SIDE;
        (sides.contains(&cols) && sides.contains(&rows)).then_some(Self { cols, rows })
    }

    /// Number of columns.
    #[must_use]
    pub fn cols(self) -> u16 {
        self.cols
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(self) -> u16 {
        self.rows
    }
}

/// The program in a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// A new shell: bash if the image has it, otherwise sh.
    Shell,
    /// A client of the tmux session of this name. The session is created if needed and outlives its clients. The driver `sim` starts its
    /// simulated shell instead.
    Tmux(Uuid),
}

/// Output of a program. Backpressure applies: an unread stream slows the program down. The stream ends when the program exits, or with an
/// error.
pub type TerminalOutput = BoxStream<'static, Result<Bytes, DriverError>>;

/// A program with a terminal in a running container.
pub struct Terminal {
    /// Dropping the output ends the program and everything else in the terminal.
    pub output: TerminalOutput,
    /// The program continues after the input is dropped.
    pub input: Box<dyn TerminalInput>,
}

/// Input of a program with a terminal.
#[async_trait]
pub trait TerminalInput: Send {
    /// Writes input; waits while the program does not read it.
    ///
    /// # Errors
    /// When the program has exited or the connection to it is lost.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), DriverError>;

    /// Informs the program of its terminal's new size.
    ///
    /// # Errors
    /// As [`Self::write`].
    async fn resize(&mut self, size: TerminalSize) -> Result<(), DriverError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_limits() {
        for (cols, rows) in [(1, 1), (80, 24), (500, 500)] {
            let size = TerminalSize::new(cols, rows).unwrap();
            assert_eq!((size.cols(), size.rows()), (cols, rows));
        }
        for (cols, rows) in [(0, 24), (80, 0), (501, 24), (80, 501), (u16::MAX, u16::MAX)] {
            assert_eq!(TerminalSize::new(cols, rows), None);
        }
    }
}
