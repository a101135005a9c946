//! Applies changes of log levels to this replica, and tells the other replicas.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use uuid::Uuid;

use super::events;
use super::model::{Change, NewLogLevels};
use crate::domain::validation::FieldError;
use crate::realtime::{Realtime, Topic};
use crate::telemetry::levels;

/// The service of log levels; clones share it.
#[derive(Clone)]
pub struct LogLevels(Arc<Inner>);

struct Inner {
    /// The value of `LOG`.
    configured: String,
    current: watch::Sender<Option<Change>>,
    realtime: Realtime,
}

impl LogLevels {
    /// Creates the service. `configured` has the levels without a change.
    #[must_use]
    pub fn new(configured: String, realtime: Realtime) -> Self {
        Self(Arc::new(Inner { configured, current: watch::Sender::default(), realtime }))
    }

    pub(super) fn configured(&self) -> &str {
        &self.0.configured
    }

    pub(super) fn current(&self) -> Option<Change> {
        self.0.current.borrow().clone()
    }

    /// Changes the levels of every replica, until the change expires.
    pub(super) fn put(&self, user: Uuid, new: NewLogLevels) -> Result<Change, Vec<FieldError>> {
        let change = new.check(OffsetDateTime::now_utc())?;
        self.spread(user, Some(&change));
        Ok(change)
    }

    /// Ends the change on every replica.
    pub(super) fn reset(&self, user: Uuid) {
        self.spread(user, None);
    }

    fn spread(&self, user: Uuid, change: Option<&Change>) {
        events::requested(user, change);
        self.apply(change.cloned());
        self.0.realtime.signal(Topic::LogLevels, &change);
    }

    fn apply(&self, change: Option<Change>) {
        if *self.0.current.borrow() == change {
            return;
        }
        levels::set(change.as_ref().map_or(&self.0.configured, |change| &change.levels));
        events::changed(change.as_ref());
        self.0.current.send_replace(change);
    }

    /// Applies the changes that other replicas announce, and ends each change when it expires; never returns.
    pub async fn follow(self) {
        let mut signals = self.0.realtime.signals(Topic::LogLevels);
        let mut current = self.0.current.subscribe();
        loop {
            let expires_at = current.borrow_and_update().as_ref().map(|change| change.expires_at);
            let expiry = async {
                match expires_at {
                    Some(time) => tokio::time::sleep(Duration::try_from(time - OffsetDateTime::now_utc()).unwrap_or_default()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = expiry => self.apply(None),
                _ = current.changed() => {}
                signal = signals.recv() => match signal {
                    Ok(payload) => {
                        if let Ok(change) = serde_json::from_value(payload) {
                            self.apply(change);
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => pending().await,
                },
            }
        }
    }
}
