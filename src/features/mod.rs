//! What the service does: one folder a feature, a line here for its routes and one for its sockets. Nothing below this folder imports a feature.

pub mod accounts;
pub mod environments;
pub mod faults;
pub mod oauth;
pub mod posts;
pub mod projects;
pub mod visits;

use utoipa_axum::router::OpenApiRouter;

use crate::realtime::Events;
use crate::state::AppState;

/// The routes of every feature.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(accounts::routes())
        .merge(oauth::routes())
        .merge(projects::routes())
        .merge(environments::routes())
        .merge(posts::routes())
        .merge(visits::routes())
}

/// The Socket.IO events of every feature.
#[must_use]
pub fn sockets() -> Events {
    Events::default().merge(projects::sockets()).merge(environments::sockets())
}
