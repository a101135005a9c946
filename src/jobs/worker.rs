//! The workers of one replica. They lease due jobs while slots are free; [`attempt`](super::attempt) runs a leased job. At shutdown,
//! they finish their jobs or give them back.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

use super::{Handler, LeasePolicy, Queue, store};
use crate::db::{Conn, Db, StoreError};
use crate::metrics::Metrics;
use crate::metrics::labels::JobKind;
use crate::tasks::ticks;
use crate::telemetry::trace_context::TraceContext;
use crate::telemetry::{log_spans, spans};

/// The workers of one replica; clones share them.
#[derive(Clone)]
pub struct Workers(pub(super) Arc<Inner>);

pub(super) struct Inner {
    queue: Queue,
    pub(super) db: Db,
    pub(super) policy: LeasePolicy,
    pub(super) handlers: HashMap<&'static str, Arc<dyn Handler>>,
    kinds: Vec<String>,
    slots: Arc<Semaphore>,
    /// The identifier of a lease whose statement has not returned a result. Postgres may have granted this lease.
    unconfirmed_lease: Mutex<Option<Uuid>>,
    running: TaskTracker,
    leaving: CancellationToken,
    pub(super) aborted: CancellationToken,
    pub(super) metrics: Metrics,
}

impl Workers {
    /// Creates workers that run up to `slots` jobs concurrently. They lease only jobs of the kinds in `handlers`.
    #[must_use]
    pub fn new(queue: Queue, db: Db, slots: usize, handlers: Vec<(JobKind, Arc<dyn Handler>)>, metrics: Metrics) -> Self {
        Self::with_policy(LeasePolicy::default(), queue, db, slots, handlers, metrics)
    }

    /// Like [`Self::new`], with other durations.
    #[must_use]
    pub fn with_policy(
        policy: LeasePolicy,
        queue: Queue,
        db: Db,
        slots: usize,
        handlers: Vec<(JobKind, Arc<dyn Handler>)>,
        metrics: Metrics,
    ) -> Self {
        let handlers: HashMap<_, _> = handlers.into_iter().map(|(kind, handler)| (kind.name(), handler)).collect();
        let kinds = handlers.keys().map(|kind| (*kind).to_owned()).collect();
        let (slots, unconfirmed_lease, running) = (Arc::new(Semaphore::new(slots)), Mutex::default(), TaskTracker::new());
        let (leaving, aborted) = (CancellationToken::new(), CancellationToken::new());
        Self(Arc::new(Inner { queue, db, policy, handlers, kinds, slots, unconfirmed_lease, running, leaving, aborted, metrics }))
    }

    /// Runs jobs until [`Self::leave`] is called. Call this once.
    pub async fn work(self) {
        let Inner { queue, policy, running, leaving, .. } = &*self.0;
        let mut polls = ticks(policy.poll_interval);
        loop {
            tokio::select! {
                biased;
                () = leaving.cancelled() => return,
                () = queue.wake.notified() => {}
                _ = polls.tick() => {}
            }
            if let Err(error) = running.track_future(self.lease_due()).await {
                tracing::debug!(error = &error as &dyn Error, "failed to lease jobs");
            }
        }
    }

    /// Stops leasing jobs, and waits up to `limit` for the running ones. Then aborts the rest and gives them back to the queue.
    pub async fn leave(&self, limit: Duration) {
        let Inner { db, unconfirmed_lease, running, leaving, aborted, .. } = &*self.0;
        leaving.cancel();
        running.close();
        if tokio::time::timeout(limit, running.wait()).await.is_err() {
            aborted.cancel();
            // A handler that never yields cannot be aborted; its lease expires.
            let _given_back = tokio::time::timeout(db.longest_load(), running.wait()).await;
        }
        if unconfirmed_lease.lock().is_some() {
            let given_back = async { self.release_unconfirmed(&mut db.acquire().await?).await };
            if let Err(error) = given_back.await {
                tracing::debug!(error = &error as &dyn Error, "failed to give back an unconfirmed lease; it will expire");
            }
        }
    }

    async fn lease_due(&self) -> Result<(), StoreError> {
        let Inner { queue, db, policy, kinds, slots, running, .. } = &*self.0;
        let available = slots.available_permits();
        let (Ok(count), Ok(limit)) = (u32::try_from(available), i64::try_from(available)) else { return Ok(()) };
        let Ok(mut free_slots) = slots.clone().try_acquire_many_owned(count) else { return Ok(()) };
        if limit == 0 {
            return Ok(());
        }
        let mut conn = db.acquire().await?;
        self.release_unconfirmed(&mut conn).await?;
        let (lease, requested_at) = (Uuid::new_v4(), Instant::now());
        self.set_unconfirmed(Some(lease));
        let jobs = store::lease(&mut conn, lease, policy.lease, kinds, limit).await?;
        self.set_unconfirmed(None);
        for job in jobs {
            let Some(slot) = free_slots.split(1) else { break };
            let (workers, queue) = (self.clone(), queue.clone());
            let attempt = TraceContext::root();
            let span = spans::job(&attempt, job.id, job.kind, job.attempt, job.cause);
            let log_span = log_spans::job(job.id, job.kind, job.attempt, job.cause);
            let inside = span.inside();
            let work = async move {
                workers.attempt(&job, requested_at).await;
                drop((span, slot));
                // Another job may be waiting for this slot, or a later job of the same lane may be waiting for this job to end.
                queue.wake();
            };
            running.spawn(attempt.scope(inside.around(work.instrument(log_span))));
        }
        Ok(())
    }

    async fn release_unconfirmed(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let unconfirmed_lease = *self.0.unconfirmed_lease.lock();
        if let Some(lease) = unconfirmed_lease {
            store::give_back_all(conn, lease).await?;
            self.set_unconfirmed(None);
        }
        Ok(())
    }

    fn set_unconfirmed(&self, lease: Option<Uuid>) {
        *self.0.unconfirmed_lease.lock() = lease;
    }
}
