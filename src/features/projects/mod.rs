//! Projects and their members, and the showcase of those that are published.
//!
//! - Whoever creates a project owns it; a project always has one owner. Owners manage, editors change, viewers read.
//! - A public project is read by every account; a private one does not exist for strangers (404, not 403).
//! - An administrator may do what an owner may.
//! - A change names the version that it was made for (`If-Match`): of two at once, one is refused.
//! - Members subscribe over Socket.IO to what becomes of a project, and see who else has. Who is no member any more is told no more.
//! - A project is published under a slug that its owner may choose then, and keeps that while it is published, so that
//!   links hold. Publishing makes it public; making it private takes it out of the showcase.

mod events;
mod model;
mod presence;
mod routes;
mod service;
mod showcase;
mod slug;
mod socket;
mod store;

pub use model::Action;
pub(crate) use model::{Member, Project, Role, Seen, Visibility};
pub use presence::Presence;
pub use service::{ProjectError, Projects};
pub use showcase::Entry;
pub use socket::{sockets, watch_access};

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

/// The routes of the feature.
#[must_use]
pub fn routes() -> OpenApiRouter<AppState> {
    routes::routes().merge(showcase::routes())
}
