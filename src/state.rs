//! What every handler can reach. One pointer: each layer and each extractor of a request clones it.

use std::ops::Deref;
use std::sync::Arc;

use crate::config::Config;
use crate::db::Db;
use crate::features::accounts::Accounts;
use crate::features::environments::Environments;
use crate::features::faults::Faults;
use crate::features::oauth::Oauth;
use crate::features::posts::Posts;
use crate::features::projects::Projects;
use crate::features::visits::Visits;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::metrics::exporter::Exporter;
use crate::pulse::Pulse;
use crate::realtime::Realtime;

/// A pointer to the parts of one application.
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

/// The parts of one application.
pub struct Parts {
    /// What was configured.
    pub config: Arc<Config>,
    /// What counts.
    pub metrics: Metrics,
    /// What renders the counts.
    pub exporter: Exporter,
    /// Postgres.
    pub db: Db,
    /// Who is connected, on every replica.
    pub realtime: Realtime,
    /// What readiness rests on.
    pub health: Health,
    /// The accounts service.
    pub accounts: Accounts,
    /// The service of signing in and linking by platforms.
    pub oauth: Oauth,
    /// The projects service.
    pub projects: Projects,
    /// The environments service.
    pub environments: Environments,
    /// The posts service.
    pub posts: Posts,
    /// The visits service.
    pub visits: Visits,
    /// The faults service, where `FAULTS` is on.
    pub faults: Option<Faults>,
    /// What is known of all replicas.
    pub pulse: Pulse,
}
