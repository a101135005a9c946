//! The showcase: published projects, readable by everybody, newest publication first. It only reads; publishing and unpublishing are
//! changes of the project.
//!
//! It exposes no e-mail addresses, and identifiers only within entity tags and cursors. The most frequent reads are cached: the first page
//! of the default size, and single projects. Every change of a published project invalidates both.

mod model;
mod routes;
mod service;
mod store;

pub use model::Entry;
pub use routes::routes;
pub use service::stale;
