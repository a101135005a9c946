//! The audit of an account: its sign-ins, failed sign-ins and changes of credentials, for its owner.
//!
//! - A success is recorded in the transaction of its effect, so no effect lacks its event.
//! - A failed sign-in is recorded in the background: if the response waited for it, its duration would reveal that the account exists.
//! - Events are kept for 90 days.

mod model;
mod routes;
mod service;
mod store;

pub use model::{AuditEntry, AuditEvent};
pub use routes::routes;
pub use service::{erase, forget_old, record, record_failure};
