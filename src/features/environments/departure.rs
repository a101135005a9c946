//! The environments of an account that is being deleted.

use uuid::Uuid;

use super::service::{EnvironmentError, Environments};
use super::state::Illegal;
use super::store;
use crate::db::Conn;

impl Environments {
    /// Makes the project's owner the creator of each environment that the account created in a project of others. The caller has locked
    /// all projects of which the account is a member.
    ///
    /// # Errors
    /// `Illegal` when an environment of the account's own projects runs.
    pub async fn depart(&self, tx: &mut Conn, user: Uuid) -> Result<(), EnvironmentError> {
        if store::has_running(tx, user).await? {
            return Err(Illegal::Running.into());
        }
        Ok(store::hand_over(tx, user).await?)
    }
}
