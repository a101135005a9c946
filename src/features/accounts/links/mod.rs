//! Links in mails. The token of a link proves that the client has access to the mailbox of an account's owner.
//!
//! - A token is 256 random bits, like the token of a session; only its SHA-256 is stored. A link works once, until it expires, for one
//!   purpose.
//! - A mail that is sent again has a link of its own, so several links may be valid. The first use of one ends all others of its purpose.

mod store;

use std::time::Duration;

use uuid::Uuid;

use super::model::{Token, TokenHash};
use crate::db::{Conn, StoreError};

/// What a link allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Confirms the address.
    Confirmation,
    /// Sets a new password.
    PasswordReset,
}

impl Purpose {
    /// The database's value.
    const fn name(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::PasswordReset => "password_reset",
        }
    }

    /// How long a link works.
    const fn lifetime(self) -> Duration {
        match self {
            Self::Confirmation => Duration::from_hours(3 * 24),
            Self::PasswordReset => Duration::from_hours(1),
        }
    }
}

/// Creates a link. Returns the token, which only the mail contains.
pub async fn create(conn: &mut Conn, user: Uuid, purpose: Purpose) -> Result<Token, StoreError> {
    let token = Token::generate();
    store::insert(conn, &token.hash(), user, purpose.name(), purpose.lifetime()).await?;
    Ok(token)
}

/// Returns the account of a valid link. Does not use the link up, and locks nothing.
pub async fn find(conn: &mut Conn, token: &TokenHash, purpose: Purpose) -> Result<Option<Uuid>, StoreError> {
    store::find(conn, token, purpose.name()).await
}

/// Uses a link up, and with it all links of the account for the same purpose. False if the link is no longer valid. The caller has locked
/// the account's row, so only one of two concurrent uses succeeds.
pub async fn redeem(tx: &mut Conn, user: Uuid, token: &TokenHash, purpose: Purpose) -> Result<bool, StoreError> {
    if store::find(tx, token, purpose.name()).await? != Some(user) {
        return Ok(false);
    }
    end(tx, user, purpose).await?;
    Ok(true)
}

/// Deletes the links of an account for a purpose.
pub async fn end(tx: &mut Conn, user: Uuid, purpose: Purpose) -> Result<(), StoreError> {
    store::delete_all(tx, user, purpose.name()).await
}

/// Deletes a batch of expired links.
pub async fn forget_expired(conn: &mut Conn) -> Result<(), StoreError> {
    store::delete_expired(conn).await
}
