//! Projects and their members.
//!
//! - Whoever creates a project owns it; a project always has one owner. Owners manage, editors change, viewers read.
//! - A public project is read by every account; a private one does not exist for strangers (404, not 403).
//! - An administrator may do what an owner may.
//! - A change names the version that it was made for (`If-Match`): of two at once, one is refused.

mod events;
mod model;
mod routes;
mod service;
mod store;

pub use model::Action;
pub use routes::routes;
pub use service::{ProjectError, Projects};
