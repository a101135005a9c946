//! The state that every handler receives. It is one pointer, because layers and extractors clone it for every request.

use std::ops::Deref;
use std::sync::Arc;

use crate::config::Config;
use crate::db::Db;
use crate::features::accounts::Accounts;
use crate::features::deletion::Deletion;
use crate::features::environments::Environments;
use crate::features::faults::Faults;
use crate::features::log_levels::LogLevels;
use crate::features::oauth::Oauth;
use crate::features::posts::Posts;
use crate::features::projects::Projects;
use crate::features::visits::Visits;
use crate::health::Health;
use crate::heartbeat::Heartbeat;
use crate::metrics::Metrics;
use crate::metrics::exporter::Exporter;
use crate::realtime::Realtime;
use crate::tools::Tools;

/// A shared pointer to the parts of one application.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

impl From<Parts> for AppState {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// For the extractors of `http`, which know neither this type nor the features.
impl AsRef<Config> for AppState {
    fn as_ref(&self) -> &Config {
        &self.config
    }
}

/// The parts of one application.
pub struct Parts {
    /// The configuration of this replica.
    pub config: Arc<Config>,
    /// Handles to record metrics.
    pub metrics: Metrics,
    /// Renders the metrics as text.
    pub exporter: Exporter,
    /// The client of Postgres.
    pub db: Db,
    /// Socket.IO, across all replicas.
    pub realtime: Realtime,
    /// The state of the dependencies, and readiness.
    pub health: Health,
    /// The accounts service.
    pub accounts: Accounts,
    /// The service for linked accounts and for sign-in with a platform.
    pub oauth: Oauth,
    /// The projects service.
    pub projects: Projects,
    /// The environments service.
    pub environments: Environments,
    /// The posts service.
    pub posts: Posts,
    /// The service that deletes accounts.
    pub deletion: Deletion,
    /// The visits service.
    pub visits: Visits,
    /// The faults service, if `FAULTS` is on.
    pub faults: Option<Faults>,
    /// The service of log levels.
    pub log_levels: LogLevels,
    /// The heartbeats of all replicas.
    pub heartbeat: Heartbeat,
    /// The tools for operators.
    pub tools: Tools,
}
