//! The writer of one replica. It receives the steps of every reader and commits many of them in one transaction.
//!
//! Each attempt first checks the claim and the stored position of every log. An attempt with an unknown outcome, such as a commit whose
//! response was lost, can therefore be repeated: the repetition detects lines that are already stored.

use std::time::Duration;

use tokio::sync::mpsc;

use super::events;
use super::model::{Claim, NewEntry, Step};
use super::position::Position;
use super::store::{self, Addition};
use crate::db::{Db, StoreError};
use crate::metrics::Metrics;
use crate::realtime::Realtime;

/// Maximum number of steps per transaction: so few that even lines of 4 KiB are inserted long before the statement's deadline.
const BATCH: usize = 1_000;
/// Delay after a batch that was not full, so that single lines are stored together.
const BATCH_DELAY: Duration = Duration::from_millis(50);
const RETRY: Duration = Duration::from_millis(250);

/// Stores the output of readers.
pub struct Writer {
    pub db: Db,
    /// Number of entries to keep per log.
    pub kept: i64,
    pub realtime: Realtime,
    pub metrics: Metrics,
}

/// The steps of one reader in a batch.
struct Run {
    claim: Claim,
    entries: Vec<NewEntry>,
    dropped: u64,
    /// The reader's position after the steps.
    position: Position,
    is_last: bool,
}

impl Writer {
    /// Stores batches until every sender is dropped. Readers wait while the queue of steps is full.
    pub async fn write(self, mut steps: mpsc::Receiver<Step>) {
        let mut batch = Vec::with_capacity(BATCH);
        while steps.recv_many(&mut batch, BATCH).await > 0 {
            let is_full = batch.len() == BATCH;
            let runs = runs(batch.drain(..));
            while let Err(error) = self.store(&runs).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to store log lines; retrying");
                tokio::time::sleep(RETRY).await;
            }
            if !is_full {
                tokio::time::sleep(BATCH_DELAY).await;
            }
        }
    }

    async fn store(&self, runs: &[Run]) -> Result<(), StoreError> {
        let mut environments: Vec<_> = runs.iter().map(|run| run.claim.environment).collect();
        environments.sort_unstable();
        environments.dedup();
        let mut tx = self.db.begin().await?;
        let streams = store::lock(&mut tx, &environments).await?;
        let (mut additions, mut stored) = (Vec::new(), Vec::new());
        for run in runs {
            // The environment was deleted together with its log.
            let Some(stream) = streams.get(&run.claim.environment) else { continue };
            let is_stored = stream.position == run.position;
            if stream.follower == Some(run.claim.follower) {
                let entries = if is_stored { &[] } else { run.entries.as_slice() };
                let Run { claim, position, is_last, .. } = *run;
                additions.push(Addition { environment: claim.environment, last_seq: stream.last_seq, entries, position, is_last });
                stored.push(run);
            } else if is_stored {
                stored.push(run);
            }
            // Otherwise this claim has ended, and the holder of the next claim reads the same lines.
        }
        if !additions.is_empty() {
            store::advance(&mut tx, &additions).await?;
            store::insert(&mut tx, &additions).await?;
            store::push_out(&mut tx, &additions, self.kept).await?;
            tx.commit().await?;
        }
        let dropped = stored.iter().map(|run| run.dropped).sum();
        events::stored(&self.metrics, &self.realtime, &environments, stored.iter().flat_map(|run| &run.entries), dropped);
        Ok(())
    }
}

/// Groups steps by reader. A linear search suffices, since a batch has few readers.
fn runs(steps: impl Iterator<Item = Step>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for Step { claim, position, dropped, entry } in steps {
        let index = runs.iter().rposition(|run| run.claim == claim).unwrap_or_else(|| {
            runs.push(Run { claim, entries: Vec::new(), dropped: 0, position, is_last: false });
            runs.len() - 1
        });
        let run = &mut runs[index];
        run.position = position;
        run.dropped += u64::from(dropped);
        run.is_last |= entry.is_none();
        run.entries.extend(entry);
    }
    runs
}
