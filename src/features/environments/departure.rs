//! The environments of an account that is being deleted.

use uuid::Uuid;

use super::service::{EnvironmentError, Environments};
use super::state::Illegal;
use super::store;
use crate::db::Conn;

impl Environments {
    /// Passes the environments that the account created in projects of others to the owners of these projects. The caller has locked the
    /// projects of the account.
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
