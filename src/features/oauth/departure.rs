//! The linked accounts of an account that is being deleted.

use uuid::Uuid;

use super::service::Oauth;
use super::{jobs, store};
use crate::db::{Conn, StoreError};

impl Oauth {
    /// Deletes the linked accounts, and enqueues the revocation of their tokens. Call [`Self::wake`] after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlink_all(&self, tx: &mut Conn, user: Uuid) -> Result<(), StoreError> {
        for (platform, tokens) in store::delete_of_user(tx, user).await? {
            self.0.queue.enqueue(tx, &jobs::revocation(platform, &tokens)).await?;
        }
        Ok(())
    }

    /// Wakes the workers that revoke tokens.
    pub fn wake(&self) {
        self.0.queue.wake();
    }
}
