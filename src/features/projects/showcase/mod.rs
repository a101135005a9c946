//! The showcase: published projects, readable by everybody, newest publication first. This module only reads; `projects/service.rs`
//! publishes and unpublishes projects.
//!
//! The showcase exposes no e-mail addresses. Identifiers appear only within entity tags and cursors. The most frequent reads are cached:
//! the first page of the default size, and single projects. A publication, or a change of a published project, invalidates the first page
//! and the entry of the project.

mod model;
mod routes;
mod service;
mod store;

pub use model::Entry;
pub use routes::routes;
pub use service::stale;
