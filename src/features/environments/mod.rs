//! Environments: the development environments of projects, each in a real or simulated container, with their sessions, extensions and logs.
//!
//! - A request stores the new status and is answered immediately; a job then carries out the operation. `state` defines the legal
//!   operations in each status, and the statuses that follow.
//! - Operations on one environment run one at a time in the whole fleet. The service recovers from a crash at any point: jobs are retried,
//!   driver calls can be repeated, and a reconciler compares the database with the driver.
//! - Editors and owners of the project, and admins, may change environments; viewers may read them; others have no access.
//! - A client can influence a container's configuration only by its choice of an image.

mod change;
mod departure;
pub mod driver;
mod events;
mod extensions;
mod jobs;
pub mod logs;
mod model;
mod overview;
mod reconcile;
mod routes;
mod service;
mod sessions;
mod socket;
mod state;
mod store;
mod watch;

use std::sync::Arc;

pub(crate) use extensions::{Install, InstallStatus, row as extension_row};
pub(crate) use model::{Environment, NewEnvironment};
pub(crate) use overview::Overview;
pub use routes::routes;
pub(crate) use service::EnvironmentError;
pub use service::{Environments, Parts};
pub(crate) use sessions::{Session, SessionStatus, SessionType};
pub use socket::{end_subscriptions, sockets};
pub(crate) use state::Operation;
pub use watch::watch_engine;

use self::change::ChangeEnvironment;
use self::extensions::ChangeExtension;
use self::reconcile::Reconcile;
use crate::jobs::Handler;
use crate::metrics::labels::JobKind;

impl Environments {
    /// The handlers of this feature's jobs.
    #[must_use]
    pub fn handlers(&self) -> Vec<(JobKind, Arc<dyn Handler>)> {
        vec![
            (JobKind::EnvironmentChange, Arc::new(ChangeEnvironment(self.clone()))),
            (JobKind::ExtensionChange, Arc::new(ChangeExtension(self.clone()))),
            (JobKind::EnvironmentReconcile, Arc::new(Reconcile(self.clone()))),
        ]
    }
}
