//! The task that keeps the active faults current. It polls them every second, logs those that start and end, and starts and ends lasting
//! effects. A fault of the kind `task` ends this task and thereby the replica.

use std::collections::HashSet;
use std::time::Duration;

use time::OffsetDateTime;

use super::events;
use super::hold::{FaultKey, LastingEffects, key_of};
use super::service::Faults;
use crate::domain::FaultKind;
use crate::fault_injection::{Effect, Fault};
use crate::tasks::ticks;

/// Poll interval. Ensures that every replica applies a change within two seconds.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl Faults {
    /// Applies faults to this replica. Returns when a fault of the kind `task` ends this task.
    pub async fn watch(self) {
        let mut ticks = ticks(POLL_INTERVAL);
        let mut effects = LastingEffects::default();
        // The faults of the first successful poll. A fault of the kind `task` that ended the replica's previous process must
        // not end this process too.
        let mut before_start: Option<HashSet<FaultKey>> = None;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.changed() => {}
            }
            let known = self.injector().faults();
            match self.list().await {
                Ok(found) => {
                    before_start.get_or_insert_with(|| found.iter().map(key_of).collect());
                    self.injector().set_faults(found.into_iter().filter(is_active));
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "failed to read faults; keeping the known ones");
                    self.injector().set_faults(known.iter().filter(|fault| is_active(fault)).cloned());
                }
            }
            let now = self.injector().faults();
            log_changes(&known, &now);
            effects.follow(&now, self.injector());
            let ends_task = |fault: &&Fault| fault.effect == Effect::Task {};
            let is_new = |fault: &Fault| before_start.as_ref().is_some_and(|before| !before.contains(&key_of(fault)));
            if now.iter().filter(ends_task).any(is_new) {
                self.injector().count(FaultKind::Task);
                return;
            }
        }
    }
}

fn is_active(fault: &Fault) -> bool {
    fault.expires_at > OffsetDateTime::now_utc()
}

/// Logs the faults that have started, and the faults that have ended.
fn log_changes(before: &[Fault], now: &[Fault]) {
    let is_among = |fault: &Fault, faults: &[Fault]| faults.iter().any(|other| key_of(other) == key_of(fault));
    for fault in before.iter().filter(|fault| !is_among(fault, now)) {
        if is_active(fault) { events::ended(fault) } else { events::expired(fault) }
    }
    for fault in now.iter().filter(|fault| !is_among(fault, before)) {
        events::begun(fault);
    }
}
