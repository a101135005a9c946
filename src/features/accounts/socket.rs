//! Sockets of sessions that have ended: they are signed out, on whatever replica they are.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::service::Accounts;
use crate::db::StoreError;
use crate::realtime::{Realtime, Topic};

/// How soon the end of a session is found that no signal told of: it expired, or Redis was away.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Signs out, for ever, the clients of this replica whose sessions have ended.
pub async fn sign_out_ended(accounts: Accounts, realtime: Realtime) {
    let mut signals = realtime.signals(Topic::SessionsEnded);
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let ended = tokio::select! {
            signal = signals.recv() => signal.ok().and_then(|sessions| serde_json::from_value(sessions).ok()).unwrap_or_default(),
            _ = looks.tick() => look(&accounts, &realtime).await.unwrap_or_default(),
        };
        for session in ended {
            realtime.log_out(session);
        }
    }
}

/// Sessions that have ended although somebody is connected by them.
async fn look(accounts: &Accounts, realtime: &Realtime) -> Result<Vec<Uuid>, StoreError> {
    let connected: HashSet<Uuid> = realtime.clients().iter().map(|client| client.identity().session).collect();
    if connected.is_empty() {
        return Ok(Vec::new());
    }
    accounts.ended_among(&Vec::from_iter(connected)).await
}
