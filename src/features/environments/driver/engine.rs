//! The configured driver, with a deadline and metrics for every call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Container, Docker, Driver, DriverError, Exit, Image, Lines, Program, Script, Sim, Terminal, TerminalSize};
use crate::config::Config;
use crate::db::Db;
use crate::domain::{DriverName, DriverOperation};
use crate::fault_injection::{CallFault, FaultInjector};
use crate::metrics::Metrics;
use crate::metrics::labels::Ending;
use crate::telemetry::spans::{self, Span};

/// Maximum deadline of a ping. Short, because readiness can depend on pings.
const PING_TIMEOUT: Duration = Duration::from_secs(1);
/// A long call may take this many times as long as an ordinary call. Long calls are pulls, which transfer hundreds of megabytes, and
/// scripts, which run programs.
const LONG_CALL_FACTOR: u32 = 10;

/// The configured driver. Clones share it.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    driver: Box<dyn Driver>,
    timeout: Duration,
    faults: FaultInjector,
    metrics: Metrics,
}

impl Engine {
    /// Creates an engine with the configured driver. The simulated driver uses the database connections of `background`.
    ///
    /// # Errors
    /// When the configuration of the driver is invalid.
    pub fn of(config: &Config, background: &Db, faults: FaultInjector, metrics: Metrics) -> Result<Self, DriverError> {
        let driver: Box<dyn Driver> = match config.environment_driver {
            DriverName::Docker => Box::new(Docker::new(config)?),
            DriverName::Sim => Box::new(Sim::new(config, background.clone())),
        };
        Ok(Self::with(driver, config.environment_timeout, faults, metrics))
    }

    /// Creates an engine. `timeout` is the deadline of an ordinary call; a long call may take ten times as long, a ping at most a second.
    #[must_use]
    pub fn new(driver: Box<dyn Driver>, timeout: Duration, metrics: Metrics) -> Self {
        Self::with(driver, timeout, FaultInjector::default(), metrics)
    }

    fn with(driver: Box<dyn Driver>, timeout: Duration, faults: FaultInjector, metrics: Metrics) -> Self {
        let name = driver.name().name();
        for operation in DriverOperation::MEMBERS {
            for ending in Ending::MEMBERS {
                metrics.docker_operations.touch(&[name, operation.name(), ending.name()]);
            }
            // Creates the histogram, so that it is exported before the first call.
            drop(metrics.docker_operation_duration.with(&[name, operation.name()]));
        }
        Self(Arc::new(Inner { driver, timeout, faults, metrics }))
    }

    /// The name of the configured driver.
    #[must_use]
    pub fn name(&self) -> DriverName {
        self.0.driver.name()
    }

    /// See [`Driver::ping`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn ping(&self) -> Result<(), DriverError> {
        self.call(DriverOperation::Ping, PING_TIMEOUT.min(self.0.timeout), self.0.driver.ping()).await
    }

    /// See [`Driver::pull`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn pull(&self, image: Image) -> Result<(), DriverError> {
        self.call(DriverOperation::Pull, self.0.timeout * LONG_CALL_FACTOR, self.0.driver.pull(image)).await
    }

    /// See [`Driver::create`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn create(&self, environment: Uuid, image: Image) -> Result<String, DriverError> {
        self.call(DriverOperation::Create, self.0.timeout, self.0.driver.create(environment, image)).await
    }

    /// See [`Driver::start`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn start(&self, environment: Uuid) -> Result<(), DriverError> {
        self.call(DriverOperation::Start, self.0.timeout, self.0.driver.start(environment)).await
    }

    /// See [`Driver::stop`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn stop(&self, environment: Uuid) -> Result<(), DriverError> {
        self.call(DriverOperation::Stop, self.0.timeout, self.0.driver.stop(environment)).await
    }

    /// See [`Driver::restart`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn restart(&self, environment: Uuid) -> Result<(), DriverError> {
        self.call(DriverOperation::Restart, self.0.timeout, self.0.driver.restart(environment)).await
    }

    /// See [`Driver::remove`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn remove(&self, environment: Uuid) -> Result<(), DriverError> {
        self.call(DriverOperation::Remove, self.0.timeout, self.0.driver.remove(environment)).await
    }

    /// See [`Driver::inspect`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn inspect(&self, environment: Uuid) -> Result<Option<Container>, DriverError> {
        self.call(DriverOperation::Inspect, self.0.timeout, self.0.driver.inspect(environment)).await
    }

    /// See [`Driver::list`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn list(&self) -> Result<Vec<Container>, DriverError> {
        self.call(DriverOperation::List, self.0.timeout, self.0.driver.list()).await
    }

    /// See [`Driver::exec`].
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn exec(&self, environment: Uuid, script: &Script) -> Result<Exit, DriverError> {
        self.call(DriverOperation::Exec, self.0.timeout * LONG_CALL_FACTOR, self.0.driver.exec(environment, script)).await
    }

    /// See [`Driver::terminal`]. Measures only the time to open the terminal, under the operation `exec`. Opening a terminal has the
    /// deadline of an ordinary call (10 s by default). This deadline is shorter than the limit of `SlowDockerOperations` for `exec` (30 s),
    /// so `HighDockerFailureRate` reports terminals that open too slowly.
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn terminal(&self, environment: Uuid, program: Program, size: TerminalSize) -> Result<Terminal, DriverError> {
        self.call(DriverOperation::Exec, self.0.timeout, self.0.driver.terminal(environment, program, size)).await
    }

    /// See [`Driver::logs`]. Measures only the time to open the log.
    ///
    /// # Errors
    /// A [`DriverError`].
    pub async fn logs(&self, environment: Uuid, since: OffsetDateTime) -> Result<Lines, DriverError> {
        self.call(DriverOperation::Logs, self.0.timeout, self.0.driver.logs(environment, since)).await
    }

    async fn call<T>(
        &self,
        operation: DriverOperation,
        timeout: Duration,
        call: impl Future<Output = Result<T, DriverError>>,
    ) -> Result<T, DriverError> {
        let span = spans::driver_call(self.name(), operation);
        let call = async {
            match self.0.faults.driver(operation) {
                Some(CallFault::Fails) => return Err(DriverError::Failed("injected fault".to_owned())),
                Some(CallFault::Delayed(delay)) => tokio::time::sleep(delay).await,
                None => {}
            }
            call.await
        };
        let call = span.around(call);
        let mut record = CallRecord { engine: self, operation, start: Instant::now(), ending: Ending::Failure, span };
        let result = tokio::time::timeout(timeout, call).await.unwrap_or(Err(DriverError::Timeout));
        match &result {
            Ok(_) => record.ending = Ending::Success,
            Err(error) => tracing::info!(operation = operation.name(), error = error as &dyn std::error::Error, "driver call failed"),
        }
        result
    }
}

/// Records the call on drop, so that a cancelled call counts as a failure.
struct CallRecord<'a> {
    engine: &'a Engine,
    operation: DriverOperation,
    start: Instant,
    ending: Ending,
    span: Span,
}

impl Drop for CallRecord<'_> {
    fn drop(&mut self) {
        if self.ending != Ending::Success {
            self.span.failed(self.ending.name());
        }
        let Inner { driver, metrics, .. } = &*self.engine.0;
        let (name, operation) = (driver.name().name(), self.operation.name());
        metrics.docker_operation_duration.with(&[name, operation]).record(self.start.elapsed().as_secs_f64());
        metrics.docker_operations.with(&[name, operation, self.ending.name()]).increment(1);
    }
}
