//! Tokens with which to act on a platform: those that are stored, refreshed when they are about to end.

use std::time::Instant;

use secrecy::SecretString;
use uuid::Uuid;

use crate::db::StoreError;
use crate::metrics::labels::Platform;
use crate::platforms::api::ApiFailure;

/// The service.
#[derive(Clone)]
pub struct Oauth;

/// A token with which to act on a platform for somebody.
#[derive(Clone, Debug)]
pub struct Access {
    /// The linked account.
    pub account: Uuid,
    /// Who it is there.
    pub subject: String,
    /// For `Authorization: Bearer`.
    pub token: SecretString,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The user has linked no account there.
    #[error("no account is linked")]
    NotLinked,
    /// The platform takes no token of the account any more.
    #[error("the account must be linked again")]
    Expired,
    /// Another refresh did not end in time.
    #[error("the account is being refreshed")]
    Busy,
    /// The platform did not refresh the token.
    #[error(transparent)]
    Platform(#[from] ApiFailure),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Oauth {
    /// A token for acting on a platform for a user.
    ///
    /// # Errors
    /// As [`AccessError`] says.
    pub async fn access(&self, _user: Uuid, _platform: Platform, _deadline: Instant) -> Result<Access, AccessError> {
        Err(AccessError::NotLinked)
    }

    /// Another one in place of one that the platform did not take.
    ///
    /// # Errors
    /// As [`AccessError`] says; `Expired` when the platform gives no other.
    pub async fn renew(&self, _refused: &Access, _platform: Platform, _deadline: Instant) -> Result<Access, AccessError> {
        Err(AccessError::NotLinked)
    }
}
