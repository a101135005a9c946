//! The showcase: the published projects, for everybody, newest publication first. Only reads; what puts a project in and
//! takes it out is a change of the project.
//!
//! No identifier and no address of a person is in it. What is asked for most is cached: the first page of the usual size,
//! and each project that is looked at. Whatever changes a published project removes both.

mod model;
mod routes;
mod service;
mod store;

pub use model::Entry;
pub use routes::routes;
pub use service::stale;
