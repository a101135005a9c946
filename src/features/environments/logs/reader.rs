//! The reader of one log: from the driver to the writer, as long as a claim is held.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::task::coop::consume_budget;
use uuid::Uuid;

use super::model::{Claim, NewEntry, Step};
use super::position::Position;
use crate::features::environments::driver::{DriverError, Engine, Lines};
use crate::metrics::labels::LogStream;

/// Between the end of a container's output and the next question for it.
const PAUSE: Duration = Duration::from_secs(1);
/// After so long a silence the log tells what was dropped before it.
const SILENCE: Duration = Duration::from_secs(1);

/// What is called when the output of an environment ends that is said to run.
pub type OnEnd = Arc<dyn Fn(Uuid) + Send + Sync>;

/// What is wanted of a reader, told anew with every look at its environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The environment runs.
    Output,
    /// It does not: what is left of its output.
    Rest,
    /// The rest has had its time.
    Nothing,
}

/// Reads one log.
pub struct Reader {
    pub claim: Claim,
    /// Where the last step was that the writer has.
    pub position: Position,
    /// Lines that are kept of one second.
    pub limit: u32,
    pub engine: Engine,
    pub on_end: OnEnd,
    pub steps: mpsc::Sender<Step>,
    pub wanted: watch::Receiver<Wanted>,
}

impl Reader {
    /// Reads until the environment does not run and its output has ended, and gives the claim back.
    pub async fn read(mut self) {
        let mut wanted = self.wanted.clone();
        tokio::select! {
            () = self.read_output() => {}
            _ = wanted.wait_for(|wanted| *wanted == Wanted::Nothing) => {}
        }
        self.tell_dropped().await;
        self.step(self.position, None, 0).await;
    }

    async fn read_output(&mut self) {
        let environment = self.claim.environment;
        loop {
            let ended = match self.engine.logs(environment, self.position.since()).await {
                Ok(lines) => self.pass(lines).await,
                Err(error) => Err(error),
            };
            self.tell_dropped().await;
            // An engine that failed may have more to tell.
            if matches!(ended, Ok(()) | Err(DriverError::NoContainer)) {
                if !self.look_again().await {
                    return;
                }
                (self.on_end)(environment);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether the environment runs, by a look that is later than the call.
    async fn look_again(&mut self) -> bool {
        self.wanted.mark_unchanged();
        let _whoever_looks_has_left = self.wanted.changed().await;
        *self.wanted.borrow() == Wanted::Output
    }

    /// Hands every line to the writer that it does not have.
    async fn pass(&mut self, mut lines: Lines) -> Result<(), DriverError> {
        let mut known = self.position.known();
        loop {
            let line = tokio::select! {
                biased;
                line = lines.next() => line.transpose()?,
                () = tokio::time::sleep(SILENCE), if self.position.untold() > 0 => {
                    self.tell_dropped().await;
                    continue;
                }
            };
            let Some(line) = line else { return Ok(()) };
            // Lines that are there already would else keep a thread of the runtime to themselves.
            consume_budget().await;
            if known.includes(&line) {
                continue;
            }
            if self.position.is_left_by(&line) {
                self.tell_dropped().await;
            }
            let mut position = self.position;
            if position.pass(&line, self.limit) {
                let entry = NewEntry { stream: line.stream, line: line.text, at: line.at };
                self.step(position, Some(entry), 0).await;
            } else {
                self.position = position;
            }
        }
    }

    /// Has the log tell of lines that were dropped.
    async fn tell_dropped(&mut self) {
        let (mut position, count) = (self.position, self.position.untold());
        if count > 0 {
            position.tell();
            let line = format!("{count} lines were dropped: more than {} in one second", self.limit);
            let entry = NewEntry { stream: LogStream::System, line, at: position.newest() };
            self.step(position, Some(entry), count).await;
        }
    }

    /// Waits for the writer. Cancelled, it has done nothing.
    async fn step(&mut self, position: Position, entry: Option<NewEntry>, dropped: u32) {
        // Without a writer the application is ending.
        let Ok(place) = self.steps.reserve().await else { return std::future::pending().await };
        place.send(Step { claim: self.claim, position, dropped, entry });
        self.position = position;
    }
}
