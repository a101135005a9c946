//! Access to stored logs for users. `live` and `tail` follow logs.

use uuid::Uuid;

use super::super::service::{EnvironmentError, Environments};
use super::model::Entry;
use super::store;
use crate::features::accounts::User;

impl Environments {
    /// Entries of an environment's log, oldest first: the entries with a number above `after` or, without `after`, the newest.
    pub(super) async fn log(&self, user: &User, environment: Uuid, after: Option<i64>, limit: i64) -> Result<Vec<Entry>, EnvironmentError> {
        self.read(user, environment).await?;
        Ok(store::read(&mut self.parts().db.acquire().await?, environment, after, limit).await?)
    }
}
