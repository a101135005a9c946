//! A connection to Redis: one multiplexed connection that a task of its own keeps alive. A replica has two: one for
//! commands, and one on which it hears what is published.
//!
//! While there is none, a command fails at once instead of waiting, so that a Redis that is away or hangs costs a
//! request nothing. Every command and every attempt to connect is measured here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, Value};
use secrecy::ExposeSecret;
use tokio::sync::Notify;

use crate::config::Config;
use crate::metrics::Metrics;
use crate::metrics::labels::{Outcome, RedisCommand, RedisRole, Severity, SystemError};

/// Between signs of life while connected, and between attempts while not.
const BEAT: Duration = Duration::from_millis(250);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Redis cannot be used now.
#[derive(Debug, thiserror::Error)]
pub enum Away {
    /// There is no connection.
    #[error("Redis is not connected")]
    Disconnected,
    /// The command was not answered in time.
    #[error("Redis did not answer in time")]
    Timeout,
    /// Redis or the connection failed the command.
    #[error(transparent)]
    Failed(#[from] redis::RedisError),
}

/// A connection and its number, so that a straggler of an old one does not condemn the new one.
type Numbered = (u64, MultiplexedConnection);

/// A handle on the connection; clones share it.
#[derive(Clone)]
pub struct Link(Arc<Inner>);

/// What a connection listens to.
struct Subscription {
    channel: String,
    heard: Heard,
}

/// Is given each message, on the connection's own task: it must not block.
type Heard = Arc<dyn Fn(Vec<u8>) + Send + Sync>;

struct Inner {
    client: Client,
    role: RedisRole,
    subscription: Option<Subscription>,
    timeout: Duration,
    connection: RwLock<Option<Numbered>>,
    /// Commands to run before the next connection is used, by key, and when they no longer matter.
    owed: Mutex<HashMap<String, (Cmd, Instant)>>,
    lost: Notify,
    connections: AtomicU64,
    metrics: Metrics,
}

impl Link {
    /// Prepares the link; [`Self::keep_connected`] makes the connection.
    ///
    /// # Errors
    /// When `REDIS_URL` is not understood.
    pub fn new(config: &Config, metrics: Metrics) -> redis::RedisResult<Self> {
        Self::with(config, RedisRole::Commands, None, metrics)
    }

    /// As [`Self::new`], for a connection that listens to a channel: `heard` gets each message, and must not block.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn listening(
        config: &Config,
        channel: String,
        heard: impl Fn(Vec<u8>) + Send + Sync + 'static,
        metrics: Metrics,
    ) -> redis::RedisResult<Self> {
        let subscription = Subscription { channel, heard: Arc::new(heard) };
        Self::with(config, RedisRole::Pubsub, Some(subscription), metrics)
    }

    fn with(config: &Config, role: RedisRole, subscription: Option<Subscription>, metrics: Metrics) -> redis::RedisResult<Self> {
        let info = config.redis_url.expose_secret().into_connection_info()?;
        // Only this protocol lets a connection hear messages and be asked for signs of life.
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok(Self(Arc::new(Inner {
            client: Client::open(info.set_redis_settings(settings))?,
            role,
            subscription,
            timeout: config.redis_timeout,
            connection: RwLock::default(),
            owed: Mutex::default(),
            lost: Notify::new(),
            connections: AtomicU64::new(0),
            metrics,
        })))
    }

    /// Runs a command.
    ///
    /// # Errors
    /// [`Away`]; whether the command had its effect is then not known.
    pub async fn run<T: FromRedisValue>(&self, label: RedisCommand, command: &Cmd) -> Result<T, Away> {
        let connection = self.0.connection.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((number, connection)) = connection else { return Err(Away::Disconnected) };
        let result = self.run_on(connection, label, command).await;
        let broken = match &result {
            Err(Away::Timeout) => true,
            Err(Away::Failed(error)) => error.is_unrecoverable_error() || error.is_io_error(),
            Ok(_) | Err(Away::Disconnected) => false,
        };
        if broken {
            self.replace(None, |current| current == Some(number));
            self.0.lost.notify_one();
        }
        Ok(T::from_redis_value(result?).map_err(redis::RedisError::from)?)
    }

    /// Publishes to whoever listens to a channel.
    ///
    /// # Errors
    /// [`Away`]; whether it was published is then not known.
    pub async fn publish(&self, channel: &str, message: &str) -> Result<(), Away> {
        self.run::<Value>(RedisCommand::Publish, redis::cmd("PUBLISH").arg(channel).arg(message)).await.map(drop)
    }

    /// Runs the command on the next connection before anything else, unless `matters_for` has passed by then.
    pub fn run_before_next_use(&self, key: String, command: Cmd, matters_for: Duration) {
        let until = Instant::now() + matters_for;
        let mut owed = self.0.owed.lock().unwrap_or_else(PoisonError::into_inner);
        owed.retain(|_, (_, until)| *until > Instant::now());
        owed.insert(key, (command, until));
        // What is owed must be paid before the cache is read again: no connection is published meanwhile.
        self.replace(None, |_| true);
        drop(owed);
        self.0.lost.notify_one();
    }

    /// Whether Redis can be used now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.connection.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Connects, listens for signs of life and connects again, for ever.
    pub async fn keep_connected(self) {
        loop {
            let connection = self.0.connection.read().unwrap_or_else(PoisonError::into_inner).clone();
            match connection {
                Some(_) => drop(self.run::<Value>(RedisCommand::Ping, &redis::cmd("PING")).await),
                None => self.connect().await,
            }
            let wake = tokio::time::timeout(BEAT, self.0.lost.notified()).await;
            if wake.is_ok() && !self.is_connected() {
                self.connect().await;
            }
        }
    }

    /// Tries to connect, once: for who has no time for [`Self::keep_connected`].
    pub async fn connect(&self) {
        let mut config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
        if let Some(Subscription { heard, .. }) = &self.0.subscription {
            let heard = heard.clone();
            config = config.set_push_sender(move |push| {
                if let Some(message) = message(push) {
                    heard(message);
                }
                Ok::<_, std::convert::Infallible>(())
            });
        }
        let attempt = self.0.client.get_multiplexed_async_connection_with_config(&config);
        let connection = self.measure(RedisCommand::Connect, async {
            tokio::time::timeout(CONNECT_TIMEOUT, attempt).await.map_err(|_| Away::Timeout)?.map_err(Away::Failed)
        });
        let Ok(mut connection) = connection.await else { return };
        if let Some(Subscription { channel, .. }) = &self.0.subscription {
            let subscribed = self.measure(RedisCommand::Subscribe, async {
                let answer = tokio::time::timeout(self.0.timeout, connection.subscribe(channel));
                answer.await.map_err(|_| Away::Timeout)?.map_err(Away::Failed)
            });
            if subscribed.await.is_err() {
                return;
            }
        }
        if let Err(error) = self.pay_and_publish(connection).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "failed to flush pending invalidations");
        }
    }

    /// Runs what is owed on a connection that nobody else uses yet, then lets everybody use it.
    async fn pay_and_publish(&self, connection: MultiplexedConnection) -> Result<(), Away> {
        loop {
            let next = {
                let mut owed = self.0.owed.lock().unwrap_or_else(PoisonError::into_inner);
                owed.retain(|_, (_, until)| *until > Instant::now());
                let next = owed.iter().next().map(|(key, (command, until))| (key.clone(), command.clone(), *until));
                if next.is_none() {
                    // Under the lock: nothing can become owed between the look and the publication.
                    let number = self.0.connections.fetch_add(1, Ordering::Relaxed);
                    self.replace(Some((number, connection.clone())), |_| true);
                }
                next
            };
            let Some((key, command, until)) = next else { return Ok(()) };
            self.run_on(connection.clone(), RedisCommand::Eval, &command).await?;
            let mut owed = self.0.owed.lock().unwrap_or_else(PoisonError::into_inner);
            // A later debt of the same key is not paid by this.
            if owed.get(&key).is_some_and(|(_, later)| *later == until) {
                owed.remove(&key);
            }
        }
    }

    async fn run_on(&self, mut connection: MultiplexedConnection, label: RedisCommand, command: &Cmd) -> Result<Value, Away> {
        self.measure(label, async {
            let answer = tokio::time::timeout(self.0.timeout, connection.req_packed_command(command));
            answer.await.map_err(|_| Away::Timeout)?.and_then(Value::extract_error).map_err(Away::Failed)
        })
        .await
    }

    async fn measure<T>(&self, label: RedisCommand, command: impl Future<Output = Result<T, Away>>) -> Result<T, Away> {
        let metrics = &self.0.metrics;
        let timer = metrics.redis_command_duration.time(label);
        let result = command.await;
        drop(timer);
        metrics.redis_commands.increment((label, if result.is_ok() { Outcome::Success } else { Outcome::Error }));
        result
    }

    /// Puts another connection, or none, in the place of the current one, if `may` says so of its number.
    fn replace(&self, connection: Option<Numbered>, may: impl FnOnce(Option<u64>) -> bool) {
        let connected = connection.is_some();
        let mut current = self.0.connection.write().unwrap_or_else(PoisonError::into_inner);
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

/// What was published, of everything that a server says unasked.
fn message(push: PushInfo) -> Option<Vec<u8>> {
    if push.kind != PushKind::Message {
        return None;
    }
    match push.data.into_iter().nth(1)? {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}
