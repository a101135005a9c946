//! The features of the service: one folder each. This file merges their routes and their Socket.IO events.
//!
//! Outside this folder, only three kinds of modules may import a feature: those that assemble the application, the pages, and `fleet`.

pub mod accounts;
pub mod deletion;
pub mod environments;
pub mod faults;
pub mod log_levels;
pub mod oauth;
pub mod posts;
pub mod projects;
pub mod visits;

use utoipa_axum::router::OpenApiRouter;

use crate::realtime::Events;
use crate::state::AppState;

/// The routes of every feature except `faults`, whose routes exist only while fault injection is on.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(accounts::routes())
        .merge(deletion::routes())
        .merge(oauth::routes())
        .merge(projects::routes())
        .merge(environments::routes())
        .merge(posts::routes())
        .merge(visits::routes())
        .merge(log_levels::routes())
}

/// The Socket.IO events of every feature.
#[must_use]
pub fn sockets(state: &AppState) -> Events {
    Events::default().merge(projects::sockets(state)).merge(environments::sockets(state))
}
