//! One attempt at a leased job: runs the handler, renews the lease while the handler runs, and stores the outcome.
//!
//! Every statement on the job names the lease, so an attempt that lost its lease to another replica cannot change the job.

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::worker::Inner;
use super::{Failure, Job, MAX_ATTEMPTS, Workers, store};
use crate::db::StoreError;
use crate::metrics::labels::JobOutcome;
use crate::telemetry::spans;

/// Maximum length of a stored reason, in characters.
const MAX_REASON: usize = 500;

impl Workers {
    /// Attempts a job whose lease was requested at `requested_at`, and counts the outcome.
    pub(super) async fn attempt(&self, job: &Job, requested_at: Instant) {
        let Inner { policy, aborted, metrics, .. } = &*self.0;
        let timer = metrics.job_duration.time(job.kind);
        let sure_until = watch::Sender::new(requested_at + policy.sure_for());
        let result = tokio::select! {
            biased;
            () = self.keep_lease(job, &sure_until) => Some(Err(Failure::LeaseLost)),
            () = aborted.cancelled() => None,
            result = self.run(job) => Some(result),
        };
        let sure_until = *sure_until.borrow();
        let outcome = match caught(timeout_at(sure_until, self.conclude(job, result.as_ref(), sure_until))).await {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => {
                tracing::warn!("failed to store the outcome of the job in time; waiting for lease expiry");
                JobOutcome::Lost
            }
            None => {
                tracing::error!("handler panicked in `put_back` or `give_up`; waiting for lease expiry");
                JobOutcome::Lost
            }
        };
        drop(timer);
        metrics.jobs.increment((job.kind, outcome));
        if matches!(outcome, JobOutcome::Retry | JobOutcome::Dead) {
            spans::work_failed(outcome.name());
        }
    }

    async fn run(&self, job: &Job) -> Result<(), Failure> {
        if job.attempt > MAX_ATTEMPTS {
            return Err(Failure::Permanent("the last attempt did not finish".to_owned()));
        }
        let Some(handler) = self.0.handlers.get(job.kind.name()) else { return Err(Failure::LeaseLost) };
        let limit = self.0.policy.attempt;
        match timeout(limit, caught(handler.run(job))).await {
            Ok(Some(result)) => result,
            Ok(None) => Err(Failure::retry("the handler panicked")),
            Err(_) => Err(Failure::retry(format!("the attempt timed out after {}", humantime::format_duration(limit)))),
        }
    }

    /// Renews the lease; returns when it is lost or may have expired.
    async fn keep_lease(&self, job: &Job, sure_until: &watch::Sender<Instant>) {
        loop {
            let limit = *sure_until.borrow();
            match timeout_at(limit, self.renew(job)).await {
                Ok(Some(requested_at)) => drop(sure_until.send_replace(requested_at + self.0.policy.sure_for())),
                // The handler has deleted the job's row and is about to return. There is no lease to renew.
                Ok(None) if job.is_completed() => std::future::pending().await,
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Waits until a renewal is due, then renews the lease. Returns the time at which the renewal was requested, or `None` if the lease
    /// is lost.
    async fn renew(&self, job: &Job) -> Option<Instant> {
        let policy = self.0.policy;
        sleep(policy.renew_every()).await;
        loop {
            let requested_at = Instant::now();
            let renewed = async { store::renew(&mut self.0.db.acquire().await?, job, policy.lease).await };
            match renewed.await {
                Ok(renewed) => return renewed.then_some(requested_at),
                Err(error) => tracing::debug!(error = &error as &dyn Error, "failed to renew the lease"),
            }
            sleep(policy.try_again()).await;
        }
    }

    /// Stores the outcome; retries while the database fails. Returns `Lost` if the lease has been lost. `result` is `None` if the attempt
    /// was aborted because the replica shuts down.
    async fn conclude(&self, job: &Job, result: Option<&Result<(), Failure>>, sure_until: Instant) -> JobOutcome {
        loop {
            match self.store(job, result).await {
                Ok((true, outcome)) => return outcome,
                // Before `sure_until`, only this attempt can have deleted the job: its commit succeeded, but the reply did not arrive.
                Ok((false, _)) if job.is_completed() && Instant::now() < sure_until => return JobOutcome::Success,
                Ok((false, _)) => return JobOutcome::Lost,
                Err(error) => tracing::debug!(error = &error as &dyn Error, "failed to store the outcome of the job"),
            }
            sleep(self.0.policy.try_again()).await;
        }
    }

    /// Stores the outcome once; false when the database shows that the lease has been lost.
    async fn store(&self, job: &Job, result: Option<&Result<(), Failure>>) -> Result<(bool, JobOutcome), StoreError> {
        let db = &self.0.db;
        Ok(match result {
            Some(Ok(())) if job.is_completed() => (true, JobOutcome::Success),
            // The handler had no transaction in which to complete the job.
            Some(Ok(())) => (store::delete(&mut db.acquire().await?, job).await?, JobOutcome::Success),
            Some(Err(Failure::LeaseLost)) => (true, JobOutcome::Lost),
            Some(Err(Failure::Retry { reason, after })) if job.attempt < MAX_ATTEMPTS => {
                let pause = self.0.policy.pause(job.attempt, *after);
                let stored = self.put_back(job, pause, &storable(reason)).await?;
                if stored {
                    tracing::info!(reason, "job failed; it will be retried");
                }
                (stored, JobOutcome::Retry)
            }
            Some(Err(error @ (Failure::Retry { .. } | Failure::Permanent(_)))) => {
                let reason = storable(&error.to_string());
                let stored = self.dead_letter(job, &reason).await?;
                if stored {
                    tracing::warn!(reason, "job failed permanently");
                }
                (stored, JobOutcome::Dead)
            }
            None => (store::give_back(&mut db.acquire().await?, job).await?, JobOutcome::Lost),
        })
    }

    async fn put_back(&self, job: &Job, pause: Duration, reason: &str) -> Result<bool, StoreError> {
        let mut tx = self.0.db.begin().await?;
        if let Some(handler) = self.0.handlers.get(job.kind.name()) {
            handler.put_back(job, &mut tx, reason).await?;
        }
        if !store::retry(&mut tx, job, pause, reason).await? {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn dead_letter(&self, job: &Job, reason: &str) -> Result<bool, StoreError> {
        let mut tx = self.0.db.begin().await?;
        match self.0.handlers.get(job.kind.name()) {
            Some(handler) if job.attempt < 2 * MAX_ATTEMPTS => handler.give_up(job, &mut tx, reason).await?,
            _ => tracing::error!("job becomes a dead letter without `give_up`, which kept failing"),
        }
        if !store::dead_letter(&mut tx, job, reason).await? {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// The future's output, or `None` if it panicked.
async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(future).catch_unwind().await.ok()
}

/// Removes NUL, which Postgres cannot store, and truncates the reason: its text may come from a platform or a container engine.
fn storable(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(MAX_REASON).collect()
}
