//! What the service does: one folder a feature, one line here. Nothing below this folder imports a feature.

pub mod accounts;
pub mod environments;
pub mod oauth;
pub mod posts;
pub mod projects;

use utoipa_axum::router::OpenApiRouter;

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
}
