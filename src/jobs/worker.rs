//! The workers of one replica: they lease due jobs, keep the leases while they work, and say how each attempt ended.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::Instrument;
use uuid::Uuid;

use super::{Failure, Handler, Job, Queue, store};
use crate::db::{Db, StoreError};
use crate::metrics::Metrics;
use crate::metrics::labels::{JobKind, JobOutcome};

/// How long a job waits for another replica after its own has died.
const LEASE: Duration = Duration::from_secs(10);
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// Work ends this long before its lease could have, so that no other replica works beside it.
const LEASE_MARGIN: Duration = Duration::from_secs(2);
/// How soon a job is found that another replica has written.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The workers of one replica; clones share them.
#[derive(Clone)]
pub struct Workers(Arc<Inner>);

struct Inner {
    me: Uuid,
    queue: Queue,
    db: Db,
    handlers: HashMap<&'static str, Arc<dyn Handler>>,
    kinds: Vec<String>,
    slots: Arc<Semaphore>,
    running: TaskTracker,
    abandon: CancellationToken,
    metrics: Metrics,
}

impl Workers {
    /// Workers that do up to `slots` jobs at once, of the kinds that have a handler.
    #[must_use]
    pub fn new(queue: Queue, db: Db, slots: usize, handlers: Vec<(JobKind, Arc<dyn Handler>)>, metrics: Metrics) -> Self {
        let handlers: HashMap<_, _> = handlers.into_iter().map(|(kind, handler)| (kind.name(), handler)).collect();
        let kinds = handlers.keys().map(|kind| (*kind).to_owned()).collect();
        let (me, slots) = (Uuid::new_v4(), Arc::new(Semaphore::new(slots)));
        let (running, abandon) = (TaskTracker::new(), CancellationToken::new());
        Self(Arc::new(Inner { me, queue, db, handlers, kinds, slots, running, abandon, metrics }))
    }

    /// Does jobs for ever.
    pub async fn work(self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => {}
                () = self.0.queue.wake.notified() => {}
            }
            if let Err(error) = self.start_due().await {
                tracing::debug!(error = &error as &dyn Error, "no job could be leased");
            }
        }
    }

    /// Lets what is running end within `limit`, breaks off the rest, and gives its jobs back. To be called when
    /// [`Self::work`] has ended.
    pub async fn leave(&self, limit: Duration) {
        self.0.running.close();
        if tokio::time::timeout(limit, self.0.running.wait()).await.is_err() {
            self.0.abandon.cancel();
            self.0.running.wait().await;
        }
        let released = async { store::release(&mut self.0.db.acquire().await?, self.0.me).await };
        match released.await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "jobs given back"),
            Err(error) => tracing::debug!(error = &error as &dyn Error, "the leases will end by themselves"),
        }
    }

    async fn start_due(&self) -> Result<(), StoreError> {
        let Inner { me, db, kinds, slots, running, .. } = &*self.0;
        let free = slots.available_permits();
        if free == 0 {
            return Ok(());
        }
        let jobs = store::lease(&mut db.acquire().await?, *me, LEASE, kinds, i64::try_from(free).unwrap_or(1)).await?;
        for job in jobs {
            // Only this task takes slots: as many are free as jobs were leased.
            let Ok(slot) = slots.clone().try_acquire_owned() else { break };
            let workers = self.clone();
            let span = tracing::info_span!("job", id = job.id, kind = job.kind.name(), attempt = job.attempt);
            let work = async move {
                workers.attempt(&job).await;
                drop(slot);
                // The slot is free, and a job may be waiting for it or for its lane.
                workers.0.queue.wake();
            };
            running.spawn(work.instrument(span));
        }
        Ok(())
    }

    async fn attempt(&self, job: &Job) {
        let Inner { metrics, abandon, .. } = &*self.0;
        let _timer = metrics.job_duration.time(job.kind);
        let outcome = tokio::select! {
            result = self.run(job) => self.conclude(job, result).await,
            () = self.keep_lease(job) => JobOutcome::Lost,
            () = abandon.cancelled() => JobOutcome::Lost,
        };
        metrics.jobs.increment((job.kind, outcome));
    }

    /// Runs the handler in a task of its own, so that its panic is one failed attempt.
    async fn run(&self, job: &Job) -> Result<(), Failure> {
        if job.is_exhausted() {
            return Err(Failure::Permanent("every replica that tried it died".to_owned()));
        }
        let Some(handler) = self.0.handlers.get(job.kind.name()).cloned() else { return Err(Failure::LeaseLost) };
        let task = tokio::spawn({
            let job = job.clone();
            async move { handler.run(&job).await }.in_current_span()
        });
        AbortOnDropHandle::new(task).await.unwrap_or_else(|_| Err(Failure::retry("the handler panicked")))
    }

    /// Ends when the lease is lost or may soon be.
    async fn keep_lease(&self, job: &Job) {
        let mut sure_until = Instant::now() + LEASE - LEASE_MARGIN;
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let asked = Instant::now();
            let renewed = async { store::renew(&mut self.0.db.acquire().await?, job, LEASE).await };
            match renewed.await {
                Ok(true) => sure_until = asked + LEASE - LEASE_MARGIN,
                // There is no lease left to keep, and the handler is about to return.
                Ok(false) if job.is_completed() => std::future::pending().await,
                Ok(false) => return,
                Err(_) if Instant::now() + RENEW_EVERY < sure_until => {}
                Err(_) => return,
            }
        }
    }

    async fn conclude(&self, job: &Job, result: Result<(), Failure>) -> JobOutcome {
        let error = match result {
            Ok(()) if job.is_completed() => return JobOutcome::Success,
            Ok(()) => {
                // It had no effect in the database that could have completed it: run again, it would have none either.
                let _completed = self.end(job).await;
                return JobOutcome::Success;
            }
            Err(Failure::LeaseLost) => return JobOutcome::Lost,
            Err(error) => error,
        };
        let reason = error.to_string();
        let concluded = match error {
            Failure::Retry { after, .. } if !job.is_last_attempt() => {
                tracing::info!(reason, "job failed and will be tried again");
                self.retry(job, pause(job.attempt, after), &reason).await.map(|()| JobOutcome::Retry)
            }
            Failure::Retry { .. } | Failure::Permanent(_) | Failure::LeaseLost => {
                tracing::warn!(reason, "job failed for good");
                self.bury(job, &reason).await
            }
        };
        concluded.unwrap_or_else(|error| {
            tracing::warn!(error = &error as &dyn Error, "how the job ended could not be stored: its lease will end");
            JobOutcome::Lost
        })
    }

    async fn end(&self, job: &Job) -> Result<bool, StoreError> {
        store::delete(&mut self.0.db.acquire().await?, job).await
    }

    async fn retry(&self, job: &Job, pause: Duration, reason: &str) -> Result<(), StoreError> {
        store::retry(&mut self.0.db.acquire().await?, job, pause, reason).await
    }

    async fn bury(&self, job: &Job, reason: &str) -> Result<JobOutcome, StoreError> {
        let mut tx = self.0.db.begin().await?;
        if let Some(handler) = self.0.handlers.get(job.kind.name()) {
            handler.give_up(job, &mut tx, reason).await?;
        }
        if !store::bury(&mut tx, job, reason).await? {
            return Ok(JobOutcome::Lost);
        }
        tx.commit().await?;
        Ok(JobOutcome::Dead)
    }
}

/// Full jitter: any time up to a bound that doubles with each attempt.
fn pause(attempt: i32, after: Option<Duration>) -> Duration {
    let doublings = u32::try_from(attempt.clamp(1, 16) - 1).unwrap_or_default();
    let bound = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    after.unwrap_or_default() + bound.mul_f64(rand::random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_random_and_its_bound_doubles_up_to_a_limit() {
        for (attempt, bound) in [(1, 1), (2, 2), (3, 4), (4, 8), (30, 30)] {
            let pauses: Vec<Duration> = (0..200).map(|_| pause(attempt, None)).collect();
            let bound = Duration::from_secs(bound);
            assert!(pauses.iter().all(|pause| *pause <= bound), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause > bound / 2) && pauses.iter().any(|pause| *pause < bound / 2), "{attempt}");
        }
        assert!(pause(1, Some(Duration::from_secs(60))) >= Duration::from_secs(60));
    }
}
