//! The claims of one replica, and the reader behind each. A poll renews claims, takes new ones and informs every reader whether its
//! environment runs.

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

/// Duration of a claim, by the database's clock. Bounds how long a log waits after its replica has died.
pub const TERM: Duration = Duration::from_secs(10);
/// Maximum number of claims per poll. Low, so that replicas share the logs.
const CLAIMS_PER_POLL: i64 = 4;
/// Time allowed for reading the remaining output of an environment that no longer runs.
const REST: Duration = Duration::from_secs(10);

/// Claims and the dependencies of readers.
pub struct Claims {
    pub db: Db,
    pub engine: Engine,
    pub lines_per_second: u32,
    /// Number of entries that a log keeps.
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
    /// When the environment was first seen not running.
    rests_since: Option<Instant>,
    reader: AbortOnDropHandle<()>,
}

impl Claims {
    /// Renews held claims and claims logs without a follower.
    pub async fn poll(&mut self) -> Result<(), StoreError> {
        // When a reader finishes, the writer releases its claim.
        self.held.retain(|_, held| !held.reader.is_finished());
        let mut conn = self.db.acquire().await?;
        if !self.held.is_empty() {
            let renewed = store::renew(&mut conn, &self.claims(), TERM).await?;
            self.held.retain(|follower, held| {
                let runs = renewed.get(follower);
                match runs {
                    Some(runs) => held.update(*runs),
                    None => events::claim_lost(held.claim.environment),
                }
                runs.is_some()
            });
        }
        for claimed in store::claim(&mut conn, self.engine.name(), TERM, CLAIMS_PER_POLL).await? {
            events::claimed(claimed.claim.environment);
            self.held.insert(claimed.claim.follower, self.read(claimed));
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

    fn read(&self, Claimed { claim, position, last_seq }: Claimed) -> HeldClaim {
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
        let (db, to) = (self.db.clone(), last_seq - self.kept);
        let reader = tokio::spawn(async move {
            tokio::join!(reader.read(), forget(db, claim.environment, to));
        });
        HeldClaim { claim, wanted, rests_since: None, reader: AbortOnDropHandle::new(reader) }
    }
}

impl HeldClaim {
    fn update(&mut self, runs: bool) {
        let since = self.rests_since.filter(|_| !runs).or_else(|| (!runs).then(Instant::now));
        self.rests_since = since;
        let wanted = match since {
            None => Wanted::Output,
            Some(since) if since.elapsed() < REST => Wanted::Rest,
            Some(_) => Wanted::Nothing,
        };
        self.wanted.send_replace(wanted);
    }
}

/// Deletes a log's entries up to a number. The writer deletes only what its own additions push out; more is left when the configuration
/// changes or others add lines.
async fn forget(db: Db, environment: Uuid, to: i64) {
    let bite = async || store::remove(&mut db.acquire().await?, environment, to).await;
    while to > 0 && bite().await.is_ok_and(|removed| removed == store::BITE.unsigned_abs()) {}
}
