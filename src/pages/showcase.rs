//! The public pages of the showcase: the list of published projects, and one project.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::frame::{Frame, render};
use super::view::{Time, excerpt};
use crate::domain::paging::Moment;
use crate::features::projects::Entry;
use crate::http::ApiError;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::page::PageQuery;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "projects.html")]
struct ShowcasePage {
    frame: Frame,
    projects: Vec<Card>,
    /// Whether this is the first page of the list.
    is_first: bool,
    next: Option<String>,
}

/// A published project in a list.
pub struct Card {
    pub name: String,
    pub slug: String,
    pub excerpt: String,
    pub owner: String,
    pub published_at: Time,
}

impl From<Entry> for Card {
    fn from(Entry { id: _, version: _, name, slug, description, owner, published_at }: Entry) -> Self {
        Self { name, slug, excerpt: excerpt(&description), owner, published_at: published_at.into() }
    }
}

/// Handles `GET /projects`, sorted by publication, newest first.
pub async fn showcase(
    State(state): State<AppState>,
    frame: Frame,
    ApiQuery(query): ApiQuery<PageQuery<Moment>>,
) -> Result<Response, ApiError> {
    let request = query.validate()?;
    let page = request.into_page(state.projects.showcase(request).await?, Entry::cursor, Card::from);
    render(&ShowcasePage { frame, projects: page.items, is_first: request.is_first(), next: page.next_cursor })
}

#[derive(Template)]
#[template(path = "published.html")]
struct PublishedPage {
    frame: Frame,
    name: String,
    slug: String,
    description: String,
    owner: String,
    published_at: Time,
}

/// Handles `GET /projects/{slug}`.
pub async fn published(State(state): State<AppState>, frame: Frame, ApiPath(slug): ApiPath<String>) -> Result<Response, ApiError> {
    let Entry { name, slug, description, owner, published_at, .. } = state.projects.published_as(&slug).await?;
    render(&PublishedPage { frame, name, slug, description, owner, published_at: published_at.into() })
}
