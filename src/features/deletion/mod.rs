//! Deletion of an account with everything that belongs to it.
//!
//! - The owner repeats the password. The owner of an account without a password sets one by a reset first.
//! - The deletion is refused while an environment of the account's projects runs: the owner may have forgotten the work in the environment.
//! - These are deleted with the account: its projects with their environments and posts, its posts about projects of others, its
//!   memberships, its linked accounts (their tokens are revoked), its sessions, its events, and the links that were mailed to it. Its
//!   sockets are signed out.
//! - Environments that the account created in projects of others stay. From then on, they count towards the limit of the project's owner.
//! - The audit keeps for 90 days that an account was deleted, without its address, name or network. Delivered posts stay on the platforms.

mod routes;
mod service;

pub use routes::routes;
pub use service::{Deletion, Parts};
