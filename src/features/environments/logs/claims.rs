//! The claims of one replica, and the reader behind each. A look renews them, takes new ones and tells every reader
//! whether its environment runs.

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

/// How long a log waits for another replica after its own has died. By the database's clock.
pub const TERM: Duration = Duration::from_secs(10);
/// Logs that a look may claim: few, so that replicas share them.
const CLAIMS_PER_LOOK: i64 = 4;
/// How long the rest of the output of an environment that does not run may take.
const REST: Duration = Duration::from_secs(10);

/// What readers are made with.
pub struct Claims {
    pub db: Db,
    pub engine: Engine,
    pub lines_per_second: u32,
    /// Entries that a log keeps.
    pub kept: i64,
    pub on_end: OnEnd,
    pub steps: mpsc::Sender<Step>,
    /// By the claim's own identifier.
    pub held: HashMap<Uuid, Held>,
}

/// A claim and its reader, which ends with it.
pub struct Held {
    claim: Claim,
    wanted: watch::Sender<Wanted>,
    /// Since when the environment does not run.
    rests_since: Option<Instant>,
    reader: AbortOnDropHandle<()>,
}

impl Claims {
    /// Renews what is held and claims what nobody holds.
    pub async fn look(&mut self) -> Result<(), StoreError> {
        // The writer gives the claim of a reader back that has ended.
        self.held.retain(|_, held| !held.reader.is_finished());
        let mut conn = self.db.acquire().await?;
        if !self.held.is_empty() {
            let renewed = store::renew(&mut conn, &self.claims(), TERM).await?;
            self.held.retain(|follower, held| {
                let runs = renewed.get(follower);
                match runs {
                    Some(runs) => held.tell(*runs),
                    None => events::claim_lost(held.claim.environment),
                }
                runs.is_some()
            });
        }
        for claimed in store::claim(&mut conn, self.engine.name(), TERM, CLAIMS_PER_LOOK).await? {
            events::claimed(claimed.claim.environment);
            self.held.insert(claimed.claim.follower, self.read(claimed));
        }
        Ok(())
    }

    /// Ends every reader and gives the claims back.
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

    fn read(&self, Claimed { claim, position, last_seq }: Claimed) -> Held {
        let (wanted, told) = watch::channel(Wanted::Output);
        let reader = Reader {
            claim,
            position,
            limit: self.lines_per_second,
            engine: self.engine.clone(),
            on_end: self.on_end.clone(),
            steps: self.steps.clone(),
            wanted: told,
        };
        let (db, to) = (self.db.clone(), last_seq - self.kept);
        let reader = tokio::spawn(async move {
            tokio::join!(reader.read(), forget(db, claim.environment, to));
        });
        Held { claim, wanted, rests_since: None, reader: AbortOnDropHandle::new(reader) }
    }
}

impl Held {
    fn tell(&mut self, runs: bool) {
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

/// Removes what a log holds up to a number: the writer leaves things there when the configuration changes, and others add.
async fn forget(db: Db, environment: Uuid, to: i64) {
    let bite = async || store::remove(&mut db.acquire().await?, environment, to).await;
    while to > 0 && bite().await.is_ok_and(|removed| removed == store::BITE.unsigned_abs()) {}
}
