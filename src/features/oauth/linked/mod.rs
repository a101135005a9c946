//! Which account a user has linked at a platform, for features that act there.

mod store;

use uuid::Uuid;

use super::Oauth;
use crate::db::{Conn, StoreError};
use crate::metrics::labels::Platform;

/// An account that a user has linked.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The account.
    pub id: Uuid,
    /// What people call it there.
    pub handle: String,
    /// Whether the platform takes its tokens, as far as is known.
    pub is_active: bool,
}

impl Oauth {
    /// The account that a user has linked at a platform.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn linked(&self, conn: &mut Conn, user: Uuid, platform: Platform) -> Result<Option<Linked>, StoreError> {
        store::of_user(conn, user, platform).await
    }
}
