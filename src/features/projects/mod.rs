//! Projects, their members, and the showcase of published projects.
//!
//! - The account that creates a project owns it; a project always has exactly one owner. Owners manage, editors change, viewers read.
//! - Any account may read a public project. For an account that is not a member, a private project does not exist (404, not 403).
//! - An admin has the rights of an owner in every project.
//! - A `PATCH` of a project states the version on which it is based (`If-Match`). If two concurrent changes state the same version, the
//!   second is refused.
//! - Over Socket.IO, members subscribe to a project's changes and see the other subscribers. A subscription ends when its user loses access
//!   to the project.
//! - A project is published under a slug. Its owner may choose the slug at publication. The slug then stays the same while the project is
//!   published, so that links remain valid. Publishing makes a project public. Making a project private removes it from the showcase.

mod departure;
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
pub(crate) use model::{Member, NewProject, Project, ProjectAccess, Role, Visibility};
pub use presence::Presence;
pub use routes::routes;
pub use service::{Parts, ProjectError, Projects};
pub use showcase::Entry;
pub use socket::{sockets, watch_access};
