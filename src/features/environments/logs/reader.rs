//! Reads one log from the driver and passes its lines to the writer, while a claim is held.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};
use tokio::task::coop::consume_budget;
use uuid::Uuid;

use super::model::{Claim, NewEntry, Step};
use super::position::Position;
use crate::domain::LogStream;
use crate::features::environments::driver::{DriverError, Engine, Lines};

/// Delay before a container's output is requested again, after the output has ended or the engine has failed.
const PAUSE: Duration = Duration::from_secs(1);
/// Time without output after which dropped lines are reported.
const REPORT_DELAY: Duration = Duration::from_secs(1);

/// Called when the output of an environment ends although its status is running.
pub type OnEnd = Arc<dyn Fn(Uuid) + Send + Sync>;

/// The part of the output that a reader must read. Every poll of the claims updates this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All output: the environment runs.
    Output,
    /// Only the remaining output: the environment does not run.
    Rest,
    /// Nothing: the time limit for the remaining output has passed.
    Nothing,
}

/// Reads one log.
pub struct Reader {
    pub claim: Claim,
    /// Position after the last line that was passed to the writer or dropped.
    pub position: Position,
    /// Maximum number of lines kept per second.
    pub limit: u32,
    pub engine: Engine,
    pub on_end: OnEnd,
    pub steps: mpsc::Sender<Step>,
    pub wanted: watch::Receiver<Wanted>,
}

impl Reader {
    /// Reads until the environment no longer runs and either its output has ended or the time limit for the remaining output has passed.
    /// Then releases the claim.
    pub async fn read(mut self) {
        let mut wanted = self.wanted.clone();
        tokio::select! {
            () = self.read_output() => {}
            _ = wanted.wait_for(|wanted| *wanted == Wanted::Nothing) => {}
        }
        self.report_dropped().await;
        self.step(self.position, None, 0).await;
    }

    async fn read_output(&mut self) {
        let environment = self.claim.environment;
        loop {
            let ended = match self.engine.logs(environment, self.position.since()).await {
                Ok(lines) => self.pass(lines).await,
                Err(error) => Err(error),
            };
            self.report_dropped().await;
            // After any error except `NoContainer`, there may be more output.
            if matches!(ended, Ok(()) | Err(DriverError::NoContainer)) {
                if !self.is_running_at_next_poll().await {
                    return;
                }
                (self.on_end)(environment);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits for the next poll and returns whether it found the environment running.
    async fn is_running_at_next_poll(&mut self) -> bool {
        self.wanted.mark_unchanged();
        let _replica_stops = self.wanted.changed().await;
        *self.wanted.borrow() == Wanted::Output
    }

    /// Passes new lines to the writer and drops those over the limit. Returns when the output ends.
    async fn pass(&mut self, mut lines: Lines) -> Result<(), DriverError> {
        let mut known = self.position.known();
        loop {
            let line = tokio::select! {
                biased;
                line = lines.next() => line.transpose()?,
                () = tokio::time::sleep(REPORT_DELAY), if self.position.unreported() > 0 => {
                    self.report_dropped().await;
                    continue;
                }
            };
            let Some(line) = line else { return Ok(()) };
            // Buffered lines are ready immediately. Without this call, the loop might not yield to the runtime.
            consume_budget().await;
            if known.includes(&line) {
                continue;
            }
            if self.position.is_left_by(&line) {
                self.report_dropped().await;
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

    /// Reports dropped lines in the log.
    async fn report_dropped(&mut self) {
        let (mut position, count) = (self.position, self.position.unreported());
        if count > 0 {
            position.report_dropped();
            let unit = if count == 1 { "line" } else { "lines" };
            let line = format!("{count} {unit} dropped: more than {} in one second", self.limit);
            let entry = NewEntry { stream: LogStream::System, line, at: position.newest() };
            self.step(position, Some(entry), count).await;
        }
    }

    /// Sends a step; waits while the queue is full. Cancel-safe: a cancelled call has no effect.
    async fn step(&mut self, position: Position, entry: Option<NewEntry>, dropped: u32) {
        // The writer is gone only when the application shuts down.
        let Ok(slot) = self.steps.reserve().await else { return std::future::pending().await };
        slot.send(Step { claim: self.claim, position, dropped, entry });
        self.position = position;
    }
}
