//! Confirmation of an account's address.

mod routes;
mod service;

pub use routes::routes;
