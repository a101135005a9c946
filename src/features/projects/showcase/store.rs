//! The SQL of the showcase. A missing row is `Ok(None)`. `published` repeats the condition of the partial index, because otherwise
//! Postgres cannot use the index.

use super::model::Entry;
use crate::db::{Conn, StoreError};
use crate::domain::paging::{Moment, PageRequest};
use crate::metrics::labels::Query;

/// One page of the published projects. The fixed limit is [`MAX_LIMIT`](crate::domain::paging::MAX_LIMIT) plus one, for the reason
/// given there.
pub async fn published(conn: &mut Conn, page: PageRequest<Moment>) -> Result<Vec<Entry>, StoreError> {
    let select = sqlx::query_as!(
        Entry,
        r#"SELECT id, version, name, slug, description, owner, published_at AS "published_at!" FROM (
             SELECT p.id, p.version, p.name, p.slug, p.description, u.display_name AS owner, p.published_at
             FROM projects p JOIN users u ON u.id = p.owner_id
             WHERE p.published_at IS NOT NULL AND p.visibility = 'public' AND (p.published_at, p.id) < ($1, $2)
             ORDER BY p.published_at DESC, p.id DESC LIMIT 101
         ) longest ORDER BY published_at DESC, id DESC LIMIT $3"#,
        page.before.at,
        page.before.id,
        page.limit
    );
    conn.all(Query::SelectProjects, select).await
}

pub async fn published_as(conn: &mut Conn, slug: &str) -> Result<Option<Entry>, StoreError> {
    let select = sqlx::query_as!(
        Entry,
        r#"SELECT p.id, p.version, p.name, p.slug, p.description, u.display_name AS owner, p.published_at AS "published_at!"
         FROM projects p JOIN users u ON u.id = p.owner_id
         WHERE p.slug = $1 AND p.published_at IS NOT NULL AND p.visibility = 'public'"#,
        slug
    );
    conn.optional(Query::SelectProjects, select).await
}
