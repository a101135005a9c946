//! Accounts: signing up, signing in with a password, and the sessions that follow.
//!
//! - A token is 256 random bits; only its SHA-256 is stored. A login always makes a new one.
//! - A session ends by logout, when it is not used for `SESSION_IDLE_TIMEOUT`, and after `SESSION_LIFETIME`.
//! - A session that was ended is refused by every replica when the answer is sent (`docs/adr/0018-revocation.md`).
//! - An unknown account and a wrong password are the same answer after the same work.
//! - Failed logins are counted for each account and for each address, before the password is looked at; a device or a network from
//!   which an account was signed in to before is told from strangers. Registrations are counted for each address.

mod device;
mod events;
mod guard;
mod limits;
mod model;
mod password;
mod routes;
mod service;
mod socket;
mod store;

pub use guard::{CurrentUser, MaybeUser, admit};
pub use limits::{AccountLimits, Caller};
pub(crate) use model::SessionEntry;
pub use model::{Role, SignedIn, User, Vouched};
pub use routes::{known_device, routes, session_cookie};
pub use service::{AccountError, Accounts};
pub use socket::sign_out_ended;
