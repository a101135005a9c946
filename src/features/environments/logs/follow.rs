//! Follows logs on one replica, with the replica's claims, their readers, and the writer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::claims::Claims;
use super::reader::OnEnd;
use super::writer::Writer;
use crate::config::Config;
use crate::db::Db;
use crate::features::environments::driver::Engine;
use crate::metrics::Metrics;
use crate::realtime::Realtime;
use crate::tasks::ticks;

/// Poll interval for new and held claims. It determines how soon the log of a started environment is followed.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Capacity of the queue between readers and writer, in lines: at most 16 MiB.
const QUEUE_CAPACITY: usize = 4096;
/// Timeout for releasing the claims at shutdown.
const LEAVE: Duration = Duration::from_secs(5);

/// Follows logs for one replica. Clones refer to the same follower.
#[derive(Clone)]
pub struct Follower(Arc<Inner>);

struct Inner {
    db: Db,
    engine: Engine,
    lines_per_second: u32,
    kept: i64,
    on_end: OnEnd,
    realtime: Realtime,
    metrics: Metrics,
    leaving: CancellationToken,
    left: CancellationToken,
}

impl Follower {
    /// Creates a follower of the logs of `engine`'s environments. `on_end` is called when the output of an environment has ended although
    /// its status is running, about every two seconds while that lasts. All replicas are notified of stored lines.
    #[must_use]
    pub fn new(
        db: Db,
        engine: Engine,
        config: &Config,
        on_end: impl Fn(Uuid) + Send + Sync + 'static,
        realtime: Realtime,
        metrics: Metrics,
    ) -> Self {
        Self(Arc::new(Inner {
            db,
            engine,
            lines_per_second: config.log_lines_per_second,
            kept: config.log_lines_kept.into(),
            on_end: Arc::new(on_end),
            realtime,
            metrics,
            leaving: CancellationToken::new(),
            left: CancellationToken::new(),
        }))
    }

    /// Follows logs. Runs until the future is dropped.
    pub async fn follow(self) {
        let Inner { db, engine, lines_per_second, kept, on_end, realtime, metrics, leaving, left } = &*self.0;
        let _left = left.clone().drop_guard();
        let (steps, taken) = mpsc::channel(QUEUE_CAPACITY);
        let writer = Writer { db: db.clone(), kept: *kept, realtime: realtime.clone(), metrics: metrics.clone() };
        let mut claims = Claims {
            db: db.clone(),
            engine: engine.clone(),
            lines_per_second: *lines_per_second,
            kept: *kept,
            on_end: on_end.clone(),
            steps,
            held: HashMap::new(),
        };
        let looking = async {
            let mut polls = ticks(POLL_INTERVAL);
            while leaving.run_until_cancelled(polls.tick()).await.is_some() {
                if let Err(error) = claims.poll().await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "failed to renew or acquire log claims");
                }
            }
            if let Err(error) = claims.release().await {
                tracing::debug!(error = &error as &dyn std::error::Error, "failed to release log claims; they will expire");
            }
            left.cancel();
            std::future::pending::<()>().await;
        };
        tokio::join!(writer.write(taken), looking);
    }

    /// Stops reading and releases the claims, so that other replicas need not wait until the claims expire. Call it while [`Self::follow`]
    /// still runs.
    pub async fn leave(&self) {
        self.0.leaving.cancel();
        let _in_time = tokio::time::timeout(LEAVE, self.0.left.cancelled()).await;
    }
}
