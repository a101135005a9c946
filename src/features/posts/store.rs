//! The SQL of `posts` and `post_deliveries`. A missing row is `Ok(None)` or `Ok(false)`; the caller decides what that means.

use std::collections::HashMap;

use time::OffsetDateTime;
use uuid::Uuid;

use super::model::{Announcement, Delivery, DeliveryStatus, NewPost, Post};
use crate::db::{Conn, StoreError, known};
use crate::domain::Platform;
use crate::domain::paging::PageRequest;
use crate::metrics::labels::Query;
use crate::platforms::api::Published;

struct PostRow {
    id: Uuid,
    project_id: Uuid,
    author_id: Uuid,
    text: String,
    created_at: OffsetDateTime,
}

impl PostRow {
    fn with(self, deliveries: Vec<Delivery>) -> Post {
        let Self { id, project_id, author_id, text, created_at } = self;
        Post { id, project_id, author_id, text, created_at, deliveries }
    }
}

struct DeliveryRow {
    post_id: Uuid,
    platform: String,
    status: String,
    attempts: i32,
    last_error: Option<String>,
    remote_id: Option<String>,
    url: Option<String>,
    updated_at: OffsetDateTime,
    delivered_at: Option<OffsetDateTime>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let DeliveryRow { post_id: _, platform, status, attempts, last_error, remote_id, url, updated_at, delivered_at } = row;
        let platform = known("platform", &platform, Platform::named)?;
        let status = known("status", &status, DeliveryStatus::parse)?;
        Ok(Self { platform, status, attempts, last_error, remote_id, url, updated_at, delivered_at })
    }
}

/// Inserts a post with a pending delivery for each of its platforms.
pub async fn insert(tx: &mut Conn, author: Uuid, new: &NewPost, link: &str) -> Result<Post, StoreError> {
    let insert = sqlx::query_as!(
        PostRow,
        "INSERT INTO posts (id, project_id, author_id, text, link) VALUES ($1, $2, $3, $4, $5)
         RETURNING id, project_id, author_id, text, created_at",
        Uuid::now_v7(),
        new.project,
        author,
        new.text,
        link
    );
    let post = tx.one(Query::InsertPosts, insert).await?;
    let platforms: Vec<String> = new.platforms.iter().map(|platform| platform.name().to_owned()).collect();
    let insert = sqlx::query_as!(
        DeliveryRow,
        "INSERT INTO post_deliveries (post_id, platform) SELECT $1, unnest($2::text[])
         RETURNING post_id, platform, status, attempts, last_error, remote_id, url, updated_at, delivered_at",
        post.id,
        &platforms
    );
    let deliveries = tx.all(Query::InsertPostDeliveries, insert).await?;
    Ok(post.with(deliveries.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?))
}

pub async fn find(conn: &mut Conn, id: Uuid) -> Result<Option<Post>, StoreError> {
    let select = sqlx::query_as!(PostRow, "SELECT id, project_id, author_id, text, created_at FROM posts WHERE id = $1", id);
    let found = conn.optional(Query::SelectPosts, select).await?;
    Ok(with_deliveries(conn, found.into_iter().collect()).await?.pop())
}

/// One page of an author's posts.
pub async fn of_author(conn: &mut Conn, author: Uuid, page: PageRequest) -> Result<Vec<Post>, StoreError> {
    let select = sqlx::query_as!(
        PostRow,
        "SELECT id, project_id, author_id, text, created_at FROM posts WHERE author_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        author,
        page.before,
        page.limit
    );
    let posts = conn.all(Query::SelectPosts, select).await?;
    with_deliveries(conn, posts).await
}

async fn with_deliveries(conn: &mut Conn, posts: Vec<PostRow>) -> Result<Vec<Post>, StoreError> {
    let ids: Vec<Uuid> = posts.iter().map(|post| post.id).collect();
    let select = sqlx::query_as!(
        DeliveryRow,
        "SELECT post_id, platform, status, attempts, last_error, remote_id, url, updated_at, delivered_at
         FROM post_deliveries WHERE post_id = ANY($1) ORDER BY platform",
        &ids
    );
    let mut deliveries: HashMap<Uuid, Vec<Delivery>> = HashMap::new();
    for row in conn.all(Query::SelectPostDeliveries, select).await? {
        deliveries.entry(row.post_id).or_default().push(row.try_into()?);
    }
    Ok(posts
        .into_iter()
        .map(|post| (deliveries.remove(&post.id).unwrap_or_default(), post))
        .map(|(found, post)| post.with(found))
        .collect())
}

/// The data of a delivery, if it is pending.
pub async fn pending(conn: &mut Conn, post: Uuid, platform: Platform) -> Result<Option<Announcement>, StoreError> {
    let select = sqlx::query_as!(
        Announcement,
        r#"SELECT p.author_id AS author, p.text, p.link, j.published_at IS NOT NULL AND j.visibility = 'public' AS "is_published!"
           FROM post_deliveries d JOIN posts p ON p.id = d.post_id JOIN projects j ON j.id = p.project_id
           WHERE d.post_id = $1 AND d.platform = $2 AND d.status = 'pending'"#,
        post,
        platform.name()
    );
    conn.optional(Query::SelectPostDeliveries, select).await
}

/// Returns false when the delivery is no longer pending.
pub async fn set_delivered(
    tx: &mut Conn,
    post: Uuid,
    platform: Platform,
    attempts: i32,
    published: &Published,
) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE post_deliveries
         SET status = 'delivered', attempts = $3, last_error = NULL, remote_id = $4, url = $5, updated_at = now(), delivered_at = now()
         WHERE post_id = $1 AND platform = $2 AND status = 'pending'",
        post,
        platform.name(),
        attempts,
        published.remote_id,
        published.url
    );
    Ok(tx.execute(Query::UpdatePostDeliveries, update).await? == 1)
}

/// Stores the reason of a failed attempt that will be retried. Returns false when the delivery is no longer pending.
pub async fn set_put_off(tx: &mut Conn, post: Uuid, platform: Platform, attempts: i32, reason: &str) -> Result<bool, StoreError> {
    let update = sqlx::query!(
        "UPDATE post_deliveries SET attempts = $3, last_error = $4, updated_at = now()
         WHERE post_id = $1 AND platform = $2 AND status = 'pending'",
        post,
        platform.name(),
        attempts,
        reason
    );
    Ok(tx.execute(Query::UpdatePostDeliveries, update).await? == 1)
}

/// Marks a delivery as failed. If `keep_reason` is set and an earlier attempt left a reason, that reason is kept instead of `reason`.
/// Returns the post's author and the stored reason, or `None` when the delivery is no longer pending.
pub async fn set_failed(
    tx: &mut Conn,
    post: Uuid,
    platform: Platform,
    attempts: i32,
    reason: &str,
    keep_reason: bool,
) -> Result<Option<(Uuid, String)>, StoreError> {
    let update = sqlx::query!(
        r#"UPDATE post_deliveries d
           SET status = 'failed', attempts = $3, last_error = coalesce(CASE WHEN $5 THEN d.last_error END, $4), updated_at = now()
           FROM posts p
           WHERE d.post_id = $1 AND d.platform = $2 AND d.status = 'pending' AND p.id = d.post_id
           RETURNING p.author_id, d.last_error AS "last_error!""#,
        post,
        platform.name(),
        attempts,
        reason,
        keep_reason
    );
    Ok(tx.optional(Query::UpdatePostDeliveries, update).await?.map(|row| (row.author_id, row.last_error)))
}
