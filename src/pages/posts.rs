//! The posts page: the user's posts and their deliveries, a form for a new post, and insights into the linked accounts.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::frame::{Frame, StudioFrame, render};
use super::view::{self, Time, first};
use crate::features::oauth::{Account, Status};
use crate::features::posts::{Delivery, Post};
use crate::features::projects::Role;
use crate::http::ApiError;
use crate::http::extract::ApiQuery;
use crate::http::page::PageQuery;
use crate::platforms::Platforms;
use crate::state::AppState;

/// Maximum number of the user's projects that the page loads.
const PROJECTS: i64 = 100;

#[derive(Template)]
#[template(path = "posts.html")]
struct PostsPage {
    frame: Frame,
    /// Published projects that the user may post about.
    projects: Vec<Choice>,
    /// Linked accounts on platforms that accept posts.
    accounts: Vec<AccountView>,
    /// Whether any configured platform accepts posts.
    is_offered: bool,
    posts: Vec<PostView>,
    /// Whether this is the first page of the list.
    is_first: bool,
    next: Option<String>,
}

struct Choice {
    id: Uuid,
    name: String,
}

/// A linked account on a platform that accepts posts.
struct AccountView {
    platform: &'static str,
    platform_name: &'static str,
    handle: String,
    is_active: bool,
}

impl AccountView {
    fn of(account: Account, platforms: &Platforms) -> Option<Self> {
        let Account { platform, handle, status, .. } = account;
        platforms.get(platform).filter(|settings| settings.post)?;
        Some(Self { platform: platform.name(), platform_name: view::platform(platform), handle, is_active: status == Status::Active })
    }
}

struct PostView {
    id: Uuid,
    project_id: Uuid,
    /// `None` when the project is not among the user's first [`PROJECTS`] projects.
    project_name: Option<String>,
    text: String,
    created_at: Time,
    deliveries: Vec<DeliveryView>,
}

impl PostView {
    fn of(post: Post, names: &HashMap<Uuid, String>) -> Self {
        let Post { id, project_id, author_id: _, text, created_at, deliveries } = post;
        let project_name = names.get(&project_id).cloned();
        let deliveries = deliveries.into_iter().map(Into::into).collect();
        Self { id, project_id, project_name, text, created_at: created_at.into(), deliveries }
    }
}

struct DeliveryView {
    platform: &'static str,
    platform_name: &'static str,
    status: &'static str,
    attempts: i32,
    last_error: Option<String>,
    url: Option<String>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let Delivery { platform, status, attempts, last_error, url, .. } = delivery;
        Self { platform: platform.name(), platform_name: view::platform(platform), status: status.as_str(), attempts, last_error, url }
    }
}

/// Handles `GET /studio/posts`.
pub async fn posts(
    State(state): State<AppState>,
    StudioFrame { frame, user, .. }: StudioFrame,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Response, ApiError> {
    let request = query.validate()?;
    let found = state.posts.list(&user, request).await?;
    let projects = state.projects.list(&user, first(PROJECTS)).await?;
    let linked = state.oauth.linked(user.id).await?;
    let platforms = state.oauth.platforms();

    let names = projects.iter().map(|access| (access.project.id, access.project.name.clone())).collect();
    let page = request.into_page(found, |post| post.id, |post| PostView::of(post, &names));
    let selectable = projects.into_iter().filter(|access| access.role >= Some(Role::Editor) && access.project.is_published());
    render(&PostsPage {
        frame,
        projects: selectable.map(|access| Choice { id: access.project.id, name: access.project.name }).collect(),
        accounts: linked.into_iter().filter_map(|account| AccountView::of(account, platforms)).collect(),
        is_offered: platforms.all().any(|settings| settings.post),
        posts: page.items,
        is_first: request.is_first(),
        next: page.next_cursor,
    })
}
