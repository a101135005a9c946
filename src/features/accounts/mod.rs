//! Accounts: registration, sign-in with a password, confirmation of the address, reset and change of the password, and
//! sessions.
//!
//! - A token is 256 random bits; only its SHA-256 is stored. Each login generates a new one.
//! - A session ends on logout, after `SESSION_IDLE_TIMEOUT` without use, and after `SESSION_LIFETIME`.
//! - Once the request that ends a session is answered, every replica refuses the session (`docs/adr/0018-revocation.md`).
//! - An unknown account and a wrong password get the same response after the same amount of work.
//! - Login attempts are limited for each account and for each network, before the password is verified. Devices and networks that have
//!   signed in to the account before are limited separately from strangers. Registrations are limited for each network.
//! - A reset of the password ends all sessions, a change all others. A sign-in that began before creates no session afterwards.
//! - The first proof of an address removes the second factor and the linked accounts, which a stranger may have added.
//! - A request for a reset gets the same response after the same work, whether or not an account has the address: a job looks it up.
//! - An account works before its address is confirmed. The owner sees that it is not, and can request the mail again.

mod audit;
mod credentials;
mod device;
mod erase;
mod events;
mod guard;
mod limits;
mod links;
mod login;
mod mails;
mod model;
mod password;
mod routes;
mod second_factor;
mod service;
mod sessions;
mod socket;
mod store;

use std::sync::Arc;

pub use audit::{AuditEntry, AuditEvent};
pub use credentials::OtherSignIns;
pub use guard::{Admin, CurrentUser, MaybeUser, admit};
pub use limits::{AccountLimits, Caller};
pub(crate) use model::SessionEntry;
pub(crate) use model::tried_password;
pub use model::{Role, SignedIn, SignedInClient, User, Vouched};
pub use routes::{ended_cookie, known_device, routes, session_cookie};
pub use second_factor::{Overview, Pending};
pub use service::{AccountError, Accounts, Parts};
pub use socket::sign_out_ended;

use self::mails::DeliverMail;
use crate::jobs::Handler;
use crate::metrics::labels::JobKind;

impl Accounts {
    /// The handlers of this feature's jobs.
    #[must_use]
    pub fn handlers(&self) -> Vec<(JobKind, Arc<dyn Handler>)> {
        vec![(JobKind::AccountMail, Arc::new(DeliverMail::of(self)))]
    }
}
