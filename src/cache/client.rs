//! The Redis client: one multiplexed connection that a background task keeps alive. A replica has two clients: one for
//! commands, and one that subscribes to a channel.
//!
//! Without a connection, a command fails at once instead of waiting, so that an unavailable or hanging Redis does not delay
//! requests. This module measures every command that it sends and every attempt to connect.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, PushInfo, PushKind, Value};
use tokio::sync::Notify;

use super::address::{Address, hello, is_replica, require_primary};
use super::unavailable::RedisUnavailable;
use crate::config::Config;
use crate::diagnosis::Cause;
use crate::metrics::Metrics;
use crate::metrics::labels::{Outcome, RedisCommand, RedisRole, Severity, SystemError};
use crate::telemetry::spans;

/// Longest pause between pings while connected, and between attempts to connect while disconnected.
const BEAT: Duration = Duration::from_millis(250);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest pause between attempts to connect while Redis refuses connections for a reason that only an operator can remove.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A connection and its number: a late failure on an old connection must not discard the new one.
type Numbered = (u64, MultiplexedConnection);

/// A client of Redis; clones share its connection.
#[derive(Clone)]
pub struct RedisClient(Arc<Inner>);

struct Subscription {
    channel: String,
    on_message: OnMessage,
}

/// Receives each message on the connection's own task, so it must not block.
type OnMessage = Arc<dyn Fn(Vec<u8>) + Send + Sync>;

struct Inner {
    address: Address,
    role: RedisRole,
    subscription: Option<Subscription>,
    timeout: Duration,
    connection: RwLock<Option<Numbered>>,
    /// Why the last attempt to connect failed, if an operator must mend it.
    cause: Mutex<Option<Cause>>,
    /// Pending invalidations by key: a command to run before the next connection is used, and the time when it becomes irrelevant.
    pending_invalidations: Mutex<HashMap<String, (Cmd, Instant)>>,
    lost: Notify,
    connections: AtomicU64,
    metrics: Metrics,
}

impl RedisClient {
    /// A client that is not connected yet; [`Self::keep_connected`] connects it.
    ///
    /// # Errors
    /// When `REDIS_URL` is invalid.
    pub fn new(config: &Config, metrics: Metrics) -> redis::RedisResult<Self> {
        Self::with(config, RedisRole::Commands, None, metrics)
    }

    /// As [`Self::new`], for a connection that subscribes to a channel: `on_message` receives each message, and must not block.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn listening(
        config: &Config,
        channel: String,
        on_message: impl Fn(Vec<u8>) + Send + Sync + 'static,
        metrics: Metrics,
    ) -> redis::RedisResult<Self> {
        let subscription = Subscription { channel, on_message: Arc::new(on_message) };
        Self::with(config, RedisRole::Pubsub, Some(subscription), metrics)
    }

    fn with(config: &Config, role: RedisRole, subscription: Option<Subscription>, metrics: Metrics) -> redis::RedisResult<Self> {
        Ok(Self(Arc::new(Inner {
            address: Address::of(config)?,
            role,
            subscription,
            timeout: config.redis_timeout,
            connection: RwLock::default(),
            cause: Mutex::default(),
            pending_invalidations: Mutex::default(),
            lost: Notify::new(),
            connections: AtomicU64::new(0),
            metrics,
        })))
    }

    /// Runs a command.
    ///
    /// # Errors
    /// [`RedisUnavailable`]; the command may nevertheless have had its effect.
    pub async fn run<T: FromRedisValue>(&self, label: RedisCommand, command: &Cmd) -> Result<T, RedisUnavailable> {
        let connection = self.0.connection.read().clone();
        let Some((number, connection)) = connection else { return Err(RedisUnavailable::Disconnected) };
        let result = self.run_on(connection, label, command).await;
        let broken = match &result {
            Err(RedisUnavailable::Timeout) => true,
            Err(RedisUnavailable::Failed(error)) => {
                // After a failover, the old primary is a replica, which refuses changes.
                error.is_unrecoverable_error() || error.is_io_error() || matches!(error.code(), Some("READONLY" | "MASTERDOWN"))
            }
            Ok(_) | Err(RedisUnavailable::Disconnected | RedisUnavailable::Refused(_)) => false,
        };
        if broken {
            self.replace(None, |current| current == Some(number));
            self.0.lost.notify_one();
        }
        Ok(T::from_redis_value(result?).map_err(redis::RedisError::from)?)
    }

    /// Publishes a message on a channel.
    ///
    /// # Errors
    /// [`RedisUnavailable`]; the message may nevertheless have been published.
    pub async fn publish(&self, channel: &str, message: &str) -> Result<(), RedisUnavailable> {
        self.run::<Value>(RedisCommand::Publish, redis::cmd("PUBLISH").arg(channel).arg(message)).await.map(drop)
    }

    /// Discards the current connection, and runs the command on the next connection before callers can use it. If `matters_for` has
    /// passed by then, the command does not run. A later command with the same key replaces an earlier one.
    pub fn run_before_next_use(&self, key: String, command: Cmd, matters_for: Duration) {
        let until = Instant::now() + matters_for;
        let mut pending_invalidations = self.0.pending_invalidations.lock();
        pending_invalidations.retain(|_, (_, until)| *until > Instant::now());
        pending_invalidations.insert(key, (command, until));
        // Pending invalidations must be flushed before the cache is read again: callers get no connection until then.
        self.replace(None, |_| true);
        drop(pending_invalidations);
        self.0.lost.notify_one();
    }

    /// Whether callers have a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.connection.read().is_some()
    }

    /// Why Redis refuses connections, if an operator must mend it.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        *self.0.cause.lock()
    }

    /// Connects, pings and reconnects. Runs until the task is aborted.
    pub async fn keep_connected(self) {
        let mut pause = BEAT;
        loop {
            if self.is_connected() {
                self.beat().await;
            } else {
                self.connect().await;
            }
            if self.cause().is_some_and(Cause::is_lasting) {
                tokio::time::sleep(pause).await;
                pause = MAX_PAUSE.min(2 * pause);
                continue;
            }
            pause = BEAT;
            let wake = tokio::time::timeout(BEAT, self.0.lost.notified()).await;
            if wake.is_ok() && !self.is_connected() {
                self.connect().await;
            }
        }
    }

    /// Pings, and discards the connection if its server has become a replica. A subscriber changes nothing, so it would not notice.
    async fn beat(&self) {
        let number = self.0.connection.read().as_ref().map(|(number, _)| *number);
        if self.run::<Value>(RedisCommand::Ping, &hello()).await.is_ok_and(|answer| is_replica(&answer)) {
            self.replace(None, |current| current == number);
            self.0.lost.notify_one();
        }
    }

    /// Tries to connect once. Short-lived programs call this instead of [`Self::keep_connected`].
    pub async fn connect(&self) {
        let result = self.try_to_connect().await;
        let was_connected = self.0.connections.load(Ordering::Relaxed) > 0;
        *self.0.cause.lock() = result.as_ref().err().and_then(|error| self.0.address.cause(error, was_connected));
        if let Err(error) = result {
            tracing::debug!(error = &error as &dyn std::error::Error, role = self.0.role.name(), "failed to connect to Redis");
        }
    }

    async fn try_to_connect(&self) -> Result<(), RedisUnavailable> {
        let mut config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
        if let Some(Subscription { on_message, .. }) = &self.0.subscription {
            let on_message = on_message.clone();
            config = config.set_push_sender(move |push| {
                if let Some(message) = message(push) {
                    on_message(message);
                }
                Ok::<_, std::convert::Infallible>(())
            });
        }
        let mut connection = self
            .measure(RedisCommand::Connect, async {
                let client = self.0.address.client()?;
                let attempt = async {
                    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
                    require_primary(&mut connection).await.map(|()| connection)
                };
                tokio::time::timeout(CONNECT_TIMEOUT, attempt).await.map_err(|_| RedisUnavailable::Timeout)?
            })
            .await?;
        if let Some(Subscription { channel, .. }) = &self.0.subscription {
            self.measure(RedisCommand::Subscribe, async {
                let answer = tokio::time::timeout(self.0.timeout, connection.subscribe(channel));
                answer.await.map_err(|_| RedisUnavailable::Timeout)?.map_err(RedisUnavailable::Failed)
            })
            .await?;
        }
        self.flush_and_install(connection).await
    }

    /// Flushes the pending invalidations over a connection that no caller uses yet, then hands it to callers.
    async fn flush_and_install(&self, connection: MultiplexedConnection) -> Result<(), RedisUnavailable> {
        loop {
            let next = {
                let mut pending_invalidations = self.0.pending_invalidations.lock();
                pending_invalidations.retain(|_, (_, until)| *until > Instant::now());
                let next = pending_invalidations.iter().next().map(|(key, (command, until))| (key.clone(), command.clone(), *until));
                if next.is_none() {
                    // Under the lock, so that no invalidation becomes pending between the check and the replacement.
                    let number = self.0.connections.fetch_add(1, Ordering::Relaxed);
                    self.replace(Some((number, connection.clone())), |_| true);
                }
                next
            };
            let Some((key, command, until)) = next else { return Ok(()) };
            self.run_on(connection.clone(), RedisCommand::Eval, &command).await?;
            let mut pending_invalidations = self.0.pending_invalidations.lock();
            // Keep a newer command with the same key: it has not run yet.
            if pending_invalidations.get(&key).is_some_and(|(_, later)| *later == until) {
                pending_invalidations.remove(&key);
            }
        }
    }

    async fn run_on(&self, mut connection: MultiplexedConnection, label: RedisCommand, command: &Cmd) -> Result<Value, RedisUnavailable> {
        self.measure(label, async {
            let answer = tokio::time::timeout(self.0.timeout, connection.req_packed_command(command));
            answer.await.map_err(|_| RedisUnavailable::Timeout)?.and_then(Value::extract_error).map_err(RedisUnavailable::Failed)
        })
        .await
    }

    async fn measure<T>(
        &self,
        label: RedisCommand,
        command: impl Future<Output = Result<T, RedisUnavailable>>,
    ) -> Result<T, RedisUnavailable> {
        let metrics = &self.0.metrics;
        let (timer, span) = (metrics.redis_command_duration.time(label), spans::command(label));
        let result = command.await;
        drop(timer);
        if result.is_err() {
            span.failed(Outcome::Error.name());
        }
        metrics.redis_commands.increment((label, if result.is_ok() { Outcome::Success } else { Outcome::Error }));
        result
    }

    /// Installs `connection`, or removes the current connection if `connection` is `None`. Does nothing unless `may` accepts the number of
    /// the current connection.
    fn replace(&self, connection: Option<Numbered>, may: impl FnOnce(Option<u64>) -> bool) {
        let connected = connection.is_some();
        let mut current = self.0.connection.write();
        if !may(current.as_ref().map(|(number, _)| *number)) {
            return;
        }
        let before = std::mem::replace(&mut *current, connection);
        drop(current);
        self.0.metrics.redis_connections_active.set(self.0.role, f64::from(u8::from(connected)));
        if before.is_some() != connected {
            if connected {
                tracing::info!(role = self.0.role.name(), "connected to Redis");
            } else {
                self.0.metrics.system_errors.increment((SystemError::Redis, Severity::Warning));
                tracing::warn!(role = self.0.role.name(), "Redis is unavailable; continuing without it");
            }
        }
    }
}

/// The payload of a published message; other push messages have none.
fn message(push: PushInfo) -> Option<Vec<u8>> {
    if push.kind != PushKind::Message {
        return None;
    }
    match push.data.into_iter().nth(1)? {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

/// A duration in milliseconds, the unit of Redis.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
