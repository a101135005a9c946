//! Sign-in through platforms, linked accounts, and the tokens for calling the platforms' APIs.
//!
//! - Sign-in and linking use OAuth authorization codes with PKCE (S256) and state (RFC 6749, RFC 7636, RFC 9700), and a nonce for `OpenID`
//!   providers (`OpenID` Connect Core). A sign-in or link in progress is a *flow*. The browser that starts a flow keeps it in a sealed
//!   cookie, and no other browser can finish it. A state is accepted once.
//! - An identity belongs to one user, and a user has at most one identity of each platform. A matching e-mail address never gives access to
//!   an existing user's account: this user must sign in and link the identity.
//! - Tokens are encrypted at rest. A refresh token may work only once, so only one refresh of a linked account runs at a time in the whole
//!   fleet.
//! - A job revokes the tokens of an unlinked account, so that an unavailable platform does not delay the user.

mod access;
mod departure;
mod discovery;
mod error;
mod events;
mod flow;
mod identity;
mod jobs;
mod model;
mod provider;
mod revoke;
mod routes;
mod service;
mod store;
mod vault;

use std::sync::Arc;

pub use access::{Access, AccessError};
pub use error::{Distrust, ProviderError};
pub(crate) use model::ReturnTo;
pub use model::{Account, Status};
pub use routes::routes;
pub use service::{Oauth, Parts};

use self::revoke::RevokeTokens;
use crate::jobs::Handler;
use crate::metrics::labels::JobKind;

impl Oauth {
    /// The handlers of this feature's jobs.
    #[must_use]
    pub fn handlers(&self) -> Vec<(JobKind, Arc<dyn Handler>)> {
        vec![(JobKind::TokenRevocation, Arc::new(RevokeTokens(self.clone())))]
    }
}
