//! The end of all linked accounts of an account: when it is deleted, and when its owner proves the address for the first time.

use async_trait::async_trait;
use uuid::Uuid;

use super::service::Oauth;
use super::{jobs, store};
use crate::db::{Conn, StoreError};
use crate::features::accounts::OtherSignIns;

#[async_trait]
impl OtherSignIns for Oauth {
    /// Deletes the linked accounts, and enqueues the revocation of their tokens.
    async fn end_all(&self, tx: &mut Conn, user: Uuid) -> Result<(), StoreError> {
        for (platform, tokens) in store::delete_of_user(tx, user).await? {
            self.0.queue.enqueue(tx, &jobs::revocation(platform, &tokens)).await?;
        }
        Ok(())
    }

    /// Wakes the workers that revoke tokens.
    fn ended(&self) {
        self.0.queue.wake();
    }
}
