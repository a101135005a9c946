//! The end of an account. `features/deletion` deletes what other features store for it.

use secrecy::SecretString;
use uuid::Uuid;

use super::limits::Caller;
use super::model::User;
use super::service::{AccountError, Accounts, Parts};
use super::{audit, events, store};
use crate::db::Conn;
use crate::metrics::labels::AuthEvent;

impl Accounts {
    /// Requires the owner to repeat the password. Returns the version of the credentials.
    ///
    /// # Errors
    /// `WrongPassword`, or `Throttled` after too many wrong passwords.
    pub async fn prove_deletion(&self, user: &User, password: &SecretString, caller: &Caller) -> Result<i64, AccountError> {
        self.prove(AuthEvent::Deletion, user, password, caller).await
    }

    /// Deletes the account with its sessions, links and events, and commits. Every replica signs out the account's sockets.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete(&self, mut tx: Conn, user: Uuid) -> Result<(), AccountError> {
        let Parts { metrics, .. } = self.parts();
        let ended = store::delete_sessions(&mut tx, user, None).await?;
        audit::erase(&mut tx, user).await?;
        store::delete_user(&mut tx, user).await?;
        self.forget(tx, user, &ended).await?;
        events::account_deleted(metrics, user);
        Ok(())
    }
}
