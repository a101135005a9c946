//! Confirmation of an account's address, reset of a forgotten password by mail, and change of the password.

mod routes;
mod service;

pub use routes::routes;
pub use service::OtherSignIns;
