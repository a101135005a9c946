//! Signs out the connected clients of sessions that have ended, on every replica.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::model::TokenHash;
use super::service::Accounts;
use crate::cache::Stale;
use crate::db::StoreError;
use crate::metrics::labels::CacheType;
use crate::realtime::{Client, Realtime, Topic};
use crate::tasks::ticks;

/// Poll interval. A poll finds the ended sessions that no message reported: those that expired or were idle for too long, and those whose
/// messages were lost.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Signs out this replica's clients whose sessions have ended. Runs until the task is aborted.
pub async fn sign_out_ended(accounts: Accounts, realtime: Realtime) {
    let mut signals = realtime.signals(Topic::SessionsEnded);
    // Postgres announces ended sessions too, in case the replica that ended one cannot reach Redis.
    let mut invalidated = accounts.invalidated();
    let mut polls = ticks(POLL_INTERVAL);
    loop {
        let ended = tokio::select! {
            signal = signals.recv() => signal.ok().and_then(|sessions| serde_json::from_value(sessions).ok()).unwrap_or_default(),
            stale = invalidated.recv() => match stale {
                Ok(stale) => sessions_of(&realtime, &stale),
                Err(_) => poll(&accounts, &realtime).await.unwrap_or_default(),
            },
            _ = polls.tick() => poll(&accounts, &realtime).await.unwrap_or_default(),
        };
        for session in ended {
            realtime.log_out(session);
        }
    }
}

/// The sessions that have connected clients, and whose cache entry is in `stale`.
fn sessions_of(realtime: &Realtime, stale: &[Stale]) -> Vec<Uuid> {
    let ended: HashSet<&str> = stale.iter().filter(|stale| stale.cache == CacheType::Session).map(|stale| &*stale.entry).collect();
    if ended.is_empty() {
        return Vec::new();
    }
    let clients = realtime.clients();
    let identities = clients.iter().map(Client::identity);
    identities.filter(|one| ended.contains(&*TokenHash(one.token_hash.to_vec()).cache_id())).map(|one| one.session).collect()
}

/// The sessions that have connected clients but have ended according to the database.
async fn poll(accounts: &Accounts, realtime: &Realtime) -> Result<Vec<Uuid>, StoreError> {
    let connected: HashSet<Uuid> = realtime.clients().iter().map(|client| client.identity().session).collect();
    if connected.is_empty() {
        return Ok(Vec::new());
    }
    accounts.ended_among(&Vec::from_iter(connected)).await
}
