//! Drivers: the trait, and the [`Engine`] that adds a deadline and metrics to every call.
//!
//! A driver identifies an environment by its UUID and derives the container's name from it. A job may repeat a call that changes a
//! container: creating an existing container, starting a running one, stopping a stopped one and removing a missing one all succeed. A
//! client can influence a container's configuration only by its choice of an [`Image`].

mod docker;
mod engine;
mod image;
mod sim;
mod terminal;
mod utf8;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use time::OffsetDateTime;
use uuid::Uuid;

pub use docker::Docker;
pub use engine::Engine;
pub use image::Image;
pub use sim::Sim;
pub use terminal::{Program, Terminal, TerminalInput, TerminalOutput, TerminalSize};
pub use utf8::Utf8Decoder;

use crate::domain::{DriverName, LogStream};

/// The error of a driver call.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The engine is unavailable. A later call may succeed.
    #[error("the engine is unavailable: {0}")]
    Unavailable(String),
    /// The engine did not answer in time; the call may have taken effect.
    #[error("the engine did not answer in time")]
    Timeout,
    /// The environment has no container.
    #[error("the container does not exist")]
    NoContainer,
    /// The engine failed this time. A later call may succeed.
    #[error("the engine failed: {0}")]
    Failed(String),
    /// The engine refuses the call. A retry of the same call would fail too.
    #[error("the engine refused the call: {0}")]
    Refused(String),
}

/// The name of an environment's container, the same for every driver.
#[must_use]
pub fn container_name(namespace: &str, environment: Uuid) -> String {
    format!("{namespace}-{environment}")
}

/// The state of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Created but never started.
    Created,
    /// The main process is running.
    Running,
    /// The main process has exited.
    Exited {
        /// Exit code; 137 means that SIGKILL ended the process.
        code: i64,
    },
}

/// A container of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The environment it belongs to.
    pub environment: Uuid,
    /// The engine's identifier.
    pub reference: String,
    /// The container's state.
    pub state: ContainerState,
}

/// A script that installs or removes an extension in a container. Its text is fixed and contains nothing from a client.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Program that the image must contain.
    pub requires: Option<&'static str>,
    /// Text for a POSIX shell.
    pub text: &'static str,
}

/// The result of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Zero for success.
    pub code: i64,
    /// The end of stdout and stderr together, at most [`OUTPUT_LIMIT`] bytes.
    pub output: String,
}

/// Maximum number of bytes kept of a script's output.
pub const OUTPUT_LIMIT: usize = 1000;
/// Maximum number of bytes kept of a log line.
pub const LINE_LIMIT: usize = 4096;

/// One line of a container's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Stream to which the line was written.
    pub stream: LogStream,
    /// Time by the engine's clock. Log positions assume that the time never decreases within a stream.
    pub at: OffsetDateTime,
    /// Text without line ending, at most [`LINE_LIMIT`] bytes, and without control characters other than tab.
    pub text: String,
}

impl Line {
    /// Makes a valid line from arbitrary bytes.
    #[must_use]
    pub fn new(stream: LogStream, at: OffsetDateTime, bytes: &[u8]) -> Self {
        let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(LINE_LIMIT)]).into_owned();
        text.retain(|c| c == '\t' || !c.is_control());
        text.truncate(text.floor_char_boundary(LINE_LIMIT));
        Self { stream, at, text }
    }
}

/// Lines of a container as they are written. The stream ends when the container exits, or with an error.
pub type Lines = BoxStream<'static, Result<Line, DriverError>>;

/// Runs environments in containers. The module describes which calls may be repeated.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// Name of the driver.
    fn name(&self) -> DriverName;
    /// Checks that the engine responds.
    async fn ping(&self) -> Result<(), DriverError>;
    /// Pulls an image unless the engine already has it.
    async fn pull(&self, image: Image) -> Result<(), DriverError>;
    /// Creates a stopped container; returns the engine's identifier for it.
    async fn create(&self, environment: Uuid, image: Image) -> Result<String, DriverError>;
    /// Starts the container.
    async fn start(&self, environment: Uuid) -> Result<(), DriverError>;
    /// Stops the container; kills it if it does not stop in time.
    async fn stop(&self, environment: Uuid) -> Result<(), DriverError>;
    /// Stops and starts the container.
    async fn restart(&self, environment: Uuid) -> Result<(), DriverError>;
    /// Removes the container, running or not.
    async fn remove(&self, environment: Uuid) -> Result<(), DriverError>;
    /// Returns the container, or `None` if there is none.
    async fn inspect(&self, environment: Uuid) -> Result<Option<Container>, DriverError>;
    /// Lists every container in the namespace of the driver.
    async fn list(&self) -> Result<Vec<Container>, DriverError>;
    /// Runs a script in a running container and waits until it exits.
    async fn exec(&self, environment: Uuid, script: &Script) -> Result<Exit, DriverError>;
    /// Starts a program with a terminal in a running container.
    async fn terminal(&self, environment: Uuid, program: Program, size: TerminalSize) -> Result<Terminal, DriverError>;
    /// Returns the lines that the container wrote at or after `since`, then follows the log.
    async fn logs(&self, environment: Uuid, since: OffsetDateTime) -> Result<Lines, DriverError>;
}
