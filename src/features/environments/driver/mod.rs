//! What runs environments: the trait, and the [`Engine`] through which every call goes, measured and with a deadline.
//!
//! A driver knows an environment by its identifier alone and finds its container by a name made of it, so that every
//! call may be repeated: creating what is there, starting what runs, stopping what stands and removing what is gone
//! all succeed. Nothing that a client sends reaches a container's configuration: it is made of an [`Image`].

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

use crate::metrics::labels::{DriverName, LogStream};

/// What a driver fails with.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The engine is away: the same call may succeed later.
    #[error("the engine is away: {0}")]
    Unavailable(String),
    /// The engine did not answer in time; the call may have had its effect.
    #[error("the engine did not answer in time")]
    Timeout,
    /// The environment has no container.
    #[error("the container is not there")]
    NoContainer,
    /// The engine has failed this time.
    #[error("the engine failed: {0}")]
    Failed(String),
    /// The engine refuses, and will the next time.
    #[error("the engine refuses: {0}")]
    Refused(String),
}

/// The name of an environment's container, by which every driver finds it.
#[must_use]
pub fn container_name(namespace: &str, environment: Uuid) -> String {
    format!("{namespace}-{environment}")
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// It was never started.
    Created,
    /// Its program runs.
    Running,
    /// Its program has ended.
    Exited {
        /// What it said by ending; 137 is a kill.
        code: i64,
    },
}

/// A container of an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Whose it is.
    pub environment: Uuid,
    /// The engine's own identifier.
    pub reference: String,
    /// What it is doing.
    pub state: ContainerState,
}

/// What an installation runs in a container: fixed text, never a client's.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// A program without which there is no use in trying.
    pub requires: Option<&'static str>,
    /// For a POSIX shell.
    pub text: &'static str,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Zero for success.
    pub code: i64,
    /// What it wrote, both streams, at most [`OUTPUT_LIMIT`] bytes of the end.
    pub output: String,
}

/// Bytes of a script's output that are kept.
pub const OUTPUT_LIMIT: usize = 1000;
/// Bytes of a log line that are kept.
pub const LINE_LIMIT: usize = 4096;

/// A line that a container wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// To which stream.
    pub stream: LogStream,
    /// When, by the engine's clock. Within a stream it never runs backwards.
    pub at: OffsetDateTime,
    /// Without its end, at most [`LINE_LIMIT`] bytes, no control characters but tab.
    pub text: String,
}

impl Line {
    /// A line of what a container wrote, whatever bytes those are.
    #[must_use]
    pub fn new(stream: LogStream, at: OffsetDateTime, bytes: &[u8]) -> Self {
        let mut text = String::from_utf8_lossy(&bytes[..bytes.len().min(LINE_LIMIT)]).into_owned();
        text.retain(|c| c == '\t' || !c.is_control());
        text.truncate(text.floor_char_boundary(LINE_LIMIT));
        Self { stream, at, text }
    }
}

/// Lines of a container as they are written; ends when the container does.
pub type Lines = BoxStream<'static, Result<Line, DriverError>>;

/// A way to run environments; see the module for what may be repeated.
#[async_trait]
pub trait Driver: Send + Sync + 'static {
    /// Which one it is.
    fn name(&self) -> DriverName;
    /// Whether the engine answers.
    async fn ping(&self) -> Result<(), DriverError>;
    /// Makes an image available.
    async fn pull(&self, image: Image) -> Result<(), DriverError>;
    /// Makes the container, stopped, and answers the engine's identifier of it.
    async fn create(&self, environment: Uuid, image: Image) -> Result<String, DriverError>;
    /// Starts the container.
    async fn start(&self, environment: Uuid) -> Result<(), DriverError>;
    /// Asks the container to end, and ends it.
    async fn stop(&self, environment: Uuid) -> Result<(), DriverError>;
    /// Stops and starts the container.
    async fn restart(&self, environment: Uuid) -> Result<(), DriverError>;
    /// Removes the container, running or not.
    async fn remove(&self, environment: Uuid) -> Result<(), DriverError>;
    /// What the container is doing, if there is one.
    async fn inspect(&self, environment: Uuid) -> Result<Option<Container>, DriverError>;
    /// Every container of this namespace.
    async fn list(&self) -> Result<Vec<Container>, DriverError>;
    /// Runs a script in a running container and waits for its end.
    async fn exec(&self, environment: Uuid, script: &Script) -> Result<Exit, DriverError>;
    /// Starts a program with a terminal in a running container.
    async fn terminal(&self, environment: Uuid, program: Program, size: TerminalSize) -> Result<Terminal, DriverError>;
    /// Every line that the container wrote at or after `since`, and those that it goes on to write.
    async fn logs(&self, environment: Uuid, since: OffsetDateTime) -> Result<Lines, DriverError>;
}
