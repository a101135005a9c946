//! Environments: containers of a project that its members create, start, stop, restart and delete; the sessions that
//! they open in them, the extensions that they install, and the logs that they read.
//!
//! - A request says what is wanted and is answered at once; a job makes it true. Where an environment stands says its
//!   status; which moves are legal says `state`.
//! - Two operations on one environment never run at once, on whatever replicas, and a crash at any point is made good:
//!   jobs are repeated, driver calls may be, and what the driver has is compared with what is stored.
//! - Editors and owners of the project change environments, viewers look at them; nobody else learns of them.
//! - Nothing that a client sends reaches a container's configuration.

pub mod driver;
mod events;
mod extensions;
pub mod logs;
mod model;
mod reconcile;
mod routes;
mod service;
mod sessions;
mod socket;
mod state;
mod store;
mod watch;
mod work;

pub(crate) use extensions::{Install, InstallStatus, row as extension_row};
pub(crate) use model::Environment;
pub use routes::routes;
pub use service::{Environments, Parts};
pub(crate) use sessions::{Session, SessionStatus, SessionType};
pub use socket::{end_subscriptions, sockets};
pub use watch::watch_engine;
