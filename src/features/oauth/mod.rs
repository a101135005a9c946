//! Signing in by a platform, linking accounts there, and the tokens with which Vitrine acts on them.
//!
//! - The authorization code flow with PKCE (S256), state and nonce (RFC 6749, RFC 7636, RFC 9700; `OpenID` Connect Core). A flow
//!   lives in a sealed cookie, so that only the browser that began it can end it; its state comes back once.
//! - An identity belongs to one account, and an account has one identity of a platform. An e-mail address alone never leads into an
//!   account that exists: its owner signs in and links.
//! - Tokens are sealed at rest. A refresh token works once, so one refresh of an account runs at a time in the whole fleet.
//! - What is unlinked is revoked at the platform by a job, so that a platform that is away holds nobody up.

mod access;
mod discovery;
mod error;
mod events;
mod flow;
mod identity;
mod model;
mod provider;
mod routes;
mod service;
mod store;
mod vault;
mod work;

use std::sync::Arc;

pub use access::{Access, AccessError};
pub use error::{Distrust, ProviderError};
pub(crate) use model::ReturnTo;
pub use model::{Account, Status};
pub use routes::routes;
pub use service::Oauth;

use crate::jobs::Handler;
use crate::metrics::labels::JobKind;

impl Oauth {
    /// What does this feature's jobs.
    #[must_use]
    pub fn handlers(&self) -> Vec<(JobKind, Arc<dyn Handler>)> {
        vec![(JobKind::TokenRevocation, Arc::new(work::RevokeTokens(self.clone())))]
    }
}
