//! Deletion of an account with everything that belongs to it.
//!
//! - The owner repeats the password. An account without one gets it by a reset first.
//! - While an environment of the account's projects runs, the deletion is refused: its owner may have forgotten the work in it.
//! - Deleted with the account: its projects with their environments and posts, its posts about projects of others, its memberships, linked
//!   accounts (their tokens are revoked), sessions, links in mails and events. Sockets are signed out.
//! - Environments that the account created in projects of others stay, and count for the project's owner from then on.
//! - The audit keeps for 90 days that an account was deleted, without its address, name or network. Posts stay on the platforms.

mod routes;
mod service;

pub use routes::routes;
pub use service::{Deletion, Parts};
