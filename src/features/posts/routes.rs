//! The HTTP routes of posts and insights: `/api/posts*` and `/api/insights/{platform}`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::insights::InsightsError;
use super::model::{Delivery, DeliveryStatus, Figures, NewPost, Post, Text, platforms};
use super::service::PostError;
use crate::domain::Platform;
use crate::domain::paging::Page;
use crate::features::accounts::CurrentUser;
use crate::http::extract::{ApiJson, ApiPath, ApiQuery};
use crate::http::page::PageQuery;
use crate::http::precondition::IdempotencyKey;
use crate::http::{ApiError, Code};
use crate::state::AppState;

/// Routes of posts and insights.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read)).routes(routes!(insights))
}

impl From<PostError> for ApiError {
    fn from(error: PostError) -> Self {
        match error {
            PostError::NoSuchPost => Self::new(Code::NotFound),
            PostError::NotPublished => Self::new(Code::NotPublished),
            PostError::Invalid(errors) => Self::validation(errors),
            PostError::NotLinked(_) => Self::new(Code::NotLinked).detail(error.to_string()),
            PostError::LinkExpired(_) => Self::new(Code::LinkExpired).detail(error.to_string()),
            PostError::Project(error) => error.into(),
            PostError::Repeated(refusal) => refusal.into(),
            PostError::Store(error) => error.into(),
        }
    }
}

impl From<InsightsError> for ApiError {
    fn from(error: InsightsError) -> Self {
        match error {
            InsightsError::NotOffered => Self::new(Code::NotFound),
            InsightsError::NotLinked(_) => Self::new(Code::NotLinked).detail(error.to_string()),
            InsightsError::LinkExpired(_) => Self::new(Code::LinkExpired).detail(error.to_string()),
            InsightsError::Unavailable { after, .. } => {
                let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
                Self::new(Code::PlatformUnavailable).retry_after(seconds).source(error)
            }
            InsightsError::Store(error) => error.into(),
        }
    }
}

/// The delivery of a post to one platform.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
struct DeliveryView {
    platform: Platform,
    status: DeliveryStatus,
    /// Number of attempts up to `updated_at`.
    attempts: i32,
    /// Last error of the delivery; null before any error and after success.
    last_error: Option<String>,
    /// Identifier of the post on the platform.
    remote_id: Option<String>,
    /// URL of the post on the platform.
    url: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    delivered_at: Option<OffsetDateTime>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let Delivery { platform, status, attempts, last_error, remote_id, url, updated_at, delivered_at } = delivery;
        Self { platform, status, attempts, last_error, remote_id, url, updated_at, delivered_at }
    }
}

/// A post with its deliveries.
#[derive(Serialize, ToSchema)]
#[schema(as = Post)]
struct PostView {
    id: Uuid,
    project_id: Uuid,
    author_id: Uuid,
    text: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    deliveries: Vec<DeliveryView>,
}

impl From<Post> for PostView {
    fn from(Post { id, project_id, author_id, text, created_at, deliveries }: Post) -> Self {
        Self { id, project_id, author_id, text, created_at, deliveries: deliveries.into_iter().map(Into::into).collect() }
    }
}

/// List the account's own posts
#[utoipa::path(get, path = "/api/posts", tag = "posts", security(("token" = []), ("cookie" = [])), params(PageQuery),
    responses((status = 200, body = Page<PostView>)))]
async fn list(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<PostView>>, ApiError> {
    let page = query.validate()?;
    let posts = state.posts.list(&user, page).await?;
    Ok(Json(page.into_page(posts, |post| post.id, PostView::from)))
}

/// A request to create a post.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreatePost {
    /// Identifier of a published project. A link to the project becomes the last line of the post.
    project_id: Uuid,
    /// Text of the post. Each platform counts characters in its own way and has its own limit for text and link together: `mastodon` 500,
    /// `x` 280, `linkedin` 3000.
    #[schema(schema_with = Text::schema)]
    text: String,
    /// Platforms to post on. The user must have linked an account of each platform.
    #[schema(schema_with = platforms)]
    platforms: Vec<Platform>,
}

/// Create a post about a project; delivery to the platforms follows
#[utoipa::path(post, path = "/api/posts", tag = "posts", security(("token" = []), ("cookie" = [])), request_body = CreatePost,
    params(IdempotencyKey),
    responses((status = 201, body = PostView, headers(("Location"))), (status = 404), (status = 409)))]
async fn create(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    key: IdempotencyKey,
    ApiJson(body): ApiJson<CreatePost>,
) -> Result<Response, ApiError> {
    let is_offered = |platform| state.posts.offered(platform).is_some();
    let new = NewPost::parse(body.project_id, &body.text, body.platforms, is_offered).map_err(ApiError::validation)?;
    let request = key.request(user.id, "create post", &new);
    let post = state.posts.create(&user, new, request).await?;
    let location = [(LOCATION, format!("/api/posts/{}", post.id))];
    Ok((StatusCode::CREATED, location, Json(PostView::from(post))).into_response())
}

/// Get a post
#[utoipa::path(get, path = "/api/posts/{id}", tag = "posts", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = PostView)))]
async fn read(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<PostView>, ApiError> {
    Ok(Json(state.posts.read(&user, id).await?.into()))
}

/// Figures of a linked account.
#[derive(Serialize, ToSchema)]
#[schema(as = Insights)]
struct InsightsView {
    platform: Platform,
    /// Name of the account on the platform.
    handle: String,
    followers: u64,
    /// Number of posts on the platform; null if the platform does not report it.
    posts: Option<u64>,
    /// Time at which the platform reported the figures.
    #[serde(with = "time::serde::rfc3339")]
    as_of: OffsetDateTime,
}

/// Get figures of a linked account, at most five minutes old
#[utoipa::path(get, path = "/api/insights/{platform}", tag = "posts", security(("token" = []), ("cookie" = [])), params(("platform" = Platform, Path)),
    responses((status = 200, body = InsightsView), (status = 409)))]
async fn insights(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(platform): ApiPath<Platform>,
) -> Result<Json<InsightsView>, ApiError> {
    let Figures { handle, followers, posts, as_of } = state.posts.insights(&user, platform).await?;
    Ok(Json(InsightsView { platform, handle, followers, posts, as_of }))
}
