//! The task that keeps the armed set true: it looks each second which faults there are, tells of those that begin and end, and
//! lets those that last begin and end. Ended by a fault of the kind `task`, it takes the replica with it.

use std::collections::HashSet;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::events;
use super::hold::Held;
use super::service::Faults;
use crate::faults::{Effect, Fault};
use crate::metrics::labels::FaultKind;

/// Within two seconds every replica knows.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One making of a fault: made anew under the same name it is another.
pub type Making = (Uuid, OffsetDateTime);

/// Which one it is.
pub fn making(fault: &Fault) -> Making {
    (fault.id, fault.begun_at)
}

impl Faults {
    /// Lets faults strike this replica, until one ends this task.
    pub async fn watch(self) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut held = Held::default();
        // What ended this replica's task before must not end it again.
        let mut before_start: Option<HashSet<Making>> = None;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.changed() => {}
            }
            let known = self.armed().faults();
            match self.list().await {
                Ok(found) => {
                    before_start.get_or_insert_with(|| found.iter().map(making).collect());
                    self.armed().arm(found.into_iter().filter(lives));
                }
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "the faults cannot be read: those that are known hold");
                    self.armed().arm(known.iter().filter(|fault| lives(fault)).cloned());
                }
            }
            let now = self.armed().faults();
            tell(&known, &now);
            held.follow(&now, self.armed());
            let ends_task = |fault: &&Fault| fault.effect == Effect::Task {};
            let is_new = |fault: &Fault| before_start.as_ref().is_some_and(|before| !before.contains(&making(fault)));
            if now.iter().filter(ends_task).any(is_new) {
                self.armed().count(FaultKind::Task);
                return;
            }
        }
    }
}

fn lives(fault: &Fault) -> bool {
    fault.expires_at > OffsetDateTime::now_utc()
}

/// Tells what has begun and ended.
fn tell(before: &[Fault], now: &[Fault]) {
    let is_among = |fault: &Fault, faults: &[Fault]| faults.iter().any(|other| making(other) == making(fault));
    for fault in before.iter().filter(|fault| !is_among(fault, now)) {
        if lives(fault) { events::ended(fault) } else { events::expired(fault) }
    }
    for fault in now.iter().filter(|fault| !is_among(fault, before)) {
        events::begun(fault);
    }
}
