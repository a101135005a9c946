//! The statement on `social_accounts` by which other features ask for a link.

use uuid::Uuid;

use super::Linked;
use crate::db::{Conn, StoreError};
use crate::metrics::labels::{Platform, Query};

pub async fn of_user(conn: &mut Conn, user: Uuid, platform: Platform) -> Result<Option<Linked>, StoreError> {
    let select = sqlx::query_as!(
        Linked,
        r#"SELECT id, handle, status = 'active' AS "is_active!" FROM social_accounts WHERE user_id = $1 AND platform = $2"#,
        user,
        platform.name()
    );
    conn.optional(Query::SelectSocialAccounts, select).await
}
