//! Terminals: interactive programs in containers, and what a client says to them. How a driver runs one is the driver's.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use uuid::Uuid;

use super::DriverError;

/// Columns, and rows, that a terminal has at most.
const MAX_SIDE: u16 = 500;

/// How large a terminal is, in characters: 1 to 500 columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    cols: u16,
    rows: u16,
}

impl TerminalSize {
    /// A size within the limits.
    #[must_use]
    pub fn new(cols: u16, rows: u16) -> Option<Self> {
        let sides = 1..=MAX_SIDE;
        (sides.contains(&cols) && sides.contains(&rows)).then_some(Self { cols, rows })
    }

    /// Characters in a row.
    #[must_use]
    pub fn cols(self) -> u16 {
        self.cols
    }

    /// Rows.
    #[must_use]
    pub fn rows(self) -> u16 {
        self.rows
    }
}

/// What runs in a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// A shell of its own: bash where the image has it, else sh.
    Shell,
    /// A client of the tmux session of this name, which is made when it is not there and outlives its clients.
    Tmux(Uuid),
}

/// What bytes a program writes, as they come: whoever does not read slows it down. Ends when the program does; an error
/// is the end as well.
pub type TerminalOutput = BoxStream<'static, Result<Bytes, DriverError>>;

/// A program with a terminal in a running container.
pub struct Terminal {
    /// Dropped, it ends the program and whatever else runs in the terminal.
    pub output: TerminalOutput,
    /// Dropped, it ends nothing.
    pub input: Box<dyn TerminalInput>,
}

/// What is said to a program.
#[async_trait]
pub trait TerminalInput: Send {
    /// Types, and waits while the program does not read.
    ///
    /// # Errors
    /// When the program has ended, or the way to it.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), DriverError>;

    /// Tells the program how large its terminal is now.
    ///
    /// # Errors
    /// As above.
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
