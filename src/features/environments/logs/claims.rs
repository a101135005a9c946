//! The claims on logs that one replica holds, with one reader for each. A poll renews these claims, acquires claims on further logs, and
//! informs every reader whether its environment still runs.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::events;
use super::model::{Claim, Step};
use super::reader::{OnEnd, Reader, Wanted};
use super::store::{self, Claimed};
use crate::db::{Db, StoreError};
use crate::features::environments::driver::Engine;

/// Duration of a claim, by the database's clock. After a replica dies, its logs have no reader until its claims expire.
pub const TERM: Duration = Duration::from_secs(10);
/// Maximum number of new claims per poll. Low, so that replicas share the logs.
const CLAIMS_PER_POLL: i64 = 4;
/// Maximum time to read the remaining output of an environment that no longer runs.
const REMAINDER_LIMIT: Duration = Duration::from_secs(10);

/// The claims of this replica, and the dependencies of their readers.
pub struct Claims {
    pub db: Db,
    pub engine: Engine,
    pub lines_per_second: u32,
    /// Number of entries to keep per log.
    pub kept: i64,
    pub on_end: OnEnd,
    pub steps: mpsc::Sender<Step>,
    /// Keyed by the claim's `follower`.
    pub held: HashMap<Uuid, HeldClaim>,
}

/// A claim and its reader. Dropping it aborts the reader.
pub struct HeldClaim {
    claim: Claim,
    wanted: watch::Sender<Wanted>,
    /// When a poll first found that the environment no longer runs; `None` while it runs.
    stopped_since: Option<Instant>,
    reader: AbortOnDropHandle<()>,
}

impl Claims {
    /// Renews the held claims, then claims logs that no replica follows.
    pub async fn poll(&mut self) -> Result<(), StoreError> {
        // The writer releases the claim of a finished reader.
        self.held.retain(|_, held| !held.reader.is_finished());
        let mut conn = self.db.acquire().await?;
        if !self.held.is_empty() {
            let renewed = store::renew(&mut conn, &self.claims(), TERM).await?;
            self.held.retain(|follower, held| {
                let runs = renewed.get(follower);
                match runs {
                    Some(runs) => held.update(*runs),
                    // The reader has finished since the check above, and the writer has released its claim.
                    None if held.wanted.is_closed() => {}
                    None => events::claim_lost(held.claim.environment),
                }
                runs.is_some()
            });
        }
        for claimed in store::claim(&mut conn, self.engine.name(), TERM, CLAIMS_PER_POLL).await? {
            events::claimed(claimed.claim.environment);
            self.held.insert(claimed.claim.follower, self.start_reader(claimed));
        }
        Ok(())
    }

    /// Stops every reader and releases the claims.
    pub async fn release(&mut self) -> Result<(), StoreError> {
        let claims = self.claims();
        self.held.clear();
        let count = store::release(&mut self.db.acquire().await?, &claims).await?;
        events::given_back(count);
        Ok(())
    }

    fn claims(&self) -> Vec<Claim> {
        self.held.values().map(|held| held.claim).collect()
    }

    fn start_reader(&self, Claimed { claim, position, last_seq }: Claimed) -> HeldClaim {
        let (wanted, wanted_changes) = watch::channel(Wanted::Output);
        let reader = Reader {
            claim,
            position,
            limit: self.lines_per_second,
            engine: self.engine.clone(),
            on_end: self.on_end.clone(),
            steps: self.steps.clone(),
            wanted: wanted_changes,
        };
        let (db, last_deleted) = (self.db.clone(), last_seq - self.kept);
        let reader = tokio::spawn(async move {
            tokio::join!(reader.read(), delete_up_to(db, claim.environment, last_deleted));
        });
        HeldClaim { claim, wanted, stopped_since: None, reader: AbortOnDropHandle::new(reader) }
    }
}

impl HeldClaim {
    /// Informs the reader whether its environment runs.
    fn update(&mut self, runs: bool) {
        let since = self.stopped_since.filter(|_| !runs).or_else(|| (!runs).then(Instant::now));
        self.stopped_since = since;
        let wanted = match since {
            None => Wanted::Output,
            Some(since) if since.elapsed() < REMAINDER_LIMIT => Wanted::Rest,
            Some(_) => Wanted::Nothing,
        };
        self.wanted.send_replace(wanted);
    }
}

/// Deletes a log's entries up to number `last`. The writer deletes only the entries that its own additions push out, and up to 100 older
/// ones. Even older entries remain when `LOG_LINES_KEPT` has been lowered, or when Vitrine added more than 100 of its own lines while no
/// replica followed the log.
async fn delete_up_to(db: Db, environment: Uuid, last: i64) {
    let delete_batch = async || store::remove(&mut db.acquire().await?, environment, last).await;
    while last > 0 && delete_batch().await.is_ok_and(|removed| removed == store::BITE.unsigned_abs()) {}
}
