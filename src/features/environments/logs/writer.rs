//! The writer of one replica: takes the steps of every reader, and makes many of them true in one transaction.
//!
//! Each attempt looks first at who follows a log and how far it is stored. So an attempt whose end is not known, such as
//! a commit that was never answered, is simply made again: what it stored is found stored.

use std::time::Duration;

use tokio::sync::mpsc;

use super::events;
use super::model::{Claim, NewEntry, Step};
use super::position::Position;
use super::store::{self, Addition};
use crate::db::{Db, StoreError};
use crate::metrics::Metrics;
use crate::realtime::Realtime;

/// Steps of one transaction. At 4 KiB a line it stays far from a statement's time limit.
const BATCH: usize = 1_000;
/// Lines that come one by one are stored together with those that follow within this time.
const GATHER: Duration = Duration::from_millis(50);
const RETRY: Duration = Duration::from_millis(250);

/// Stores what readers read.
pub struct Writer {
    pub db: Db,
    /// Entries that a log keeps.
    pub kept: i64,
    pub realtime: Realtime,
    pub metrics: Metrics,
}

/// The steps of one reader in a batch.
struct Run {
    claim: Claim,
    entries: Vec<NewEntry>,
    dropped: u64,
    /// Where the reader is after them.
    position: Position,
    is_last: bool,
}

impl Writer {
    /// Stores for ever: readers wait while it does.
    pub async fn write(self, mut steps: mpsc::Receiver<Step>) {
        let mut batch = Vec::with_capacity(BATCH);
        while steps.recv_many(&mut batch, BATCH).await > 0 {
            let is_full = batch.len() == BATCH;
            let runs = runs(batch.drain(..));
            while let Err(error) = self.store(&runs).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "lines of logs wait for the database");
                tokio::time::sleep(RETRY).await;
            }
            if !is_full {
                tokio::time::sleep(GATHER).await;
            }
        }
    }

    async fn store(&self, runs: &[Run]) -> Result<(), StoreError> {
        let mut environments: Vec<_> = runs.iter().map(|run| run.claim.environment).collect();
        environments.sort_unstable();
        environments.dedup();
        let mut tx = self.db.begin().await?;
        let streams = store::hold(&mut tx, &environments).await?;
        let (mut additions, mut stored) = (Vec::new(), Vec::new());
        for run in runs {
            // An environment that is gone has no log.
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
            // Else another replica has the claim and reads the same lines.
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

/// The steps by reader. A batch holds few readers.
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
