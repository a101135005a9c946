//! One replica's part in following the logs: its claims and their readers, and its writer.

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

/// How soon an environment that has begun to run is followed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Lines between the readers and the writer: at the longest, 16 MiB.
const WAITING: usize = 4096;
/// Longest time to give claims back.
const LEAVE: Duration = Duration::from_secs(5);

/// Follows logs for one replica; clones share it.
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
    /// A follower of the logs of `engine`'s environments. `on_end` is told of an environment whose output has ended
    /// although it is said to run, about every two seconds while that is so, and every replica of what was stored.
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

    /// Follows for ever; dropped, it reads and stores no more.
    pub async fn follow(self) {
        let Inner { db, engine, lines_per_second, kept, on_end, realtime, metrics, leaving, left } = &*self.0;
        let _left = left.clone().drop_guard();
        let (steps, taken) = mpsc::channel(WAITING);
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
            let mut looks = tokio::time::interval(LOOK_EVERY);
            looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while leaving.run_until_cancelled(looks.tick()).await.is_some() {
                if let Err(error) = claims.look().await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "no log could be claimed");
                }
            }
            if let Err(error) = claims.release().await {
                tracing::debug!(error = &error as &dyn std::error::Error, "the claims will end by themselves");
            }
            left.cancel();
            std::future::pending::<()>().await;
        };
        tokio::join!(writer.write(taken), looking);
    }

    /// Reads no more and gives the claims back, so that another replica follows at once. To be called while
    /// [`Self::follow`] goes on.
    pub async fn leave(&self) {
        self.0.leaving.cancel();
        let _in_time = tokio::time::timeout(LEAVE, self.0.left.cancelled()).await;
    }
}
