//! Work that one replica does for the fleet: gauges computed from the database, enqueuing of the reconcile job, and clean-up.
//!
//! The replica that holds the lease does this work. All other replicas report zero, so that `sum()` over replicas is correct.

use std::time::Duration;

use uuid::Uuid;

use crate::db::{Db, StoreError, idempotency, invalidations, lease};
use crate::features::accounts::Accounts;
use crate::features::environments::Environments;
use crate::features::oauth::Oauth;
use crate::health::Health;
use crate::jobs;
use crate::metrics::Metrics;
use crate::tasks::ticks;

const LEASE: &str = "fleet";
const TERM: Duration = Duration::from_secs(15);
const ROUND: Duration = Duration::from_secs(5);

/// Does the fleet's work on the replica that holds the lease. Clones have the same identity.
#[derive(Clone)]
pub struct Fleet {
    me: Uuid,
    db: Db,
    accounts: Accounts,
    oauth: Oauth,
    environments: Environments,
    health: Health,
    metrics: Metrics,
}

impl Fleet {
    /// A replica that does not hold the lease yet.
    #[must_use]
    pub fn new(db: Db, accounts: Accounts, oauth: Oauth, environments: Environments, health: Health, metrics: Metrics) -> Self {
        Self { me: Uuid::new_v4(), db, accounts, oauth, environments, health, metrics }
    }

    /// Competes for the lease while this replica is ready, and does the fleet's work while it holds the lease. Runs until the task is
    /// aborted.
    pub async fn lead(self) {
        let mut rounds = ticks(ROUND);
        loop {
            rounds.tick().await;
            if !self.health.readiness().is_ready() || !matches!(self.round().await, Ok(true)) {
                self.report_nothing();
            }
        }
    }

    /// Releases the lease, so that another replica takes over without waiting for its expiry.
    pub async fn resign(&self) {
        self.report_nothing();
        let resigned = async { lease::release(&mut self.db.acquire().await?, LEASE, self.me).await };
        if let Err(error) = resigned.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "failed to release the lease; it will expire");
        }
    }

    async fn round(&self) -> Result<bool, StoreError> {
        let mut conn = self.db.acquire().await?;
        if !lease::hold(&mut conn, LEASE, self.me, TERM).await? {
            return Ok(false);
        }
        self.accounts.report(&mut conn).await?;
        self.environments.report(&mut conn).await?;
        jobs::report(&mut conn, &self.metrics).await?;
        idempotency::forget_old(&mut conn).await?;
        invalidations::prune(&mut conn).await?;
        self.accounts.end_expired(&mut conn).await?;
        self.oauth.tidy_up(&mut conn).await?;
        Ok(true)
    }

    fn report_nothing(&self) {
        self.accounts.report_nothing();
        self.environments.report_nothing();
        jobs::report_nothing(&self.metrics);
    }
}
