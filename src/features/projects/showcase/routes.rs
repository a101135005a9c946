//! The HTTP routes of the showcase: `/api/showcase*`. They need no session.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::slug::Slug;
use super::model::Entry;
use crate::domain::paging::{Moment, Page};
use crate::domain::preconditions::Conditions;
use crate::http::ApiError;
use crate::http::extract::{ApiPath, ApiQuery};
use crate::http::page::PageQuery;
use crate::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// A published project.
#[derive(Serialize, ToSchema)]
#[schema(as = PublishedProject)]
struct EntryView {
    name: String,
    slug: String,
    description: String,
    /// Display name of the owner.
    owner: String,
    #[serde(with = "time::serde::rfc3339")]
    published_at: OffsetDateTime,
}

impl From<Entry> for EntryView {
    fn from(Entry { id: _, version: _, name, slug, description, owner, published_at }: Entry) -> Self {
        Self { name, slug, description, owner, published_at }
    }
}

/// List the published projects, newest publication first
#[utoipa::path(get, path = "/api/showcase", tag = "showcase", params(PageQuery<Moment>),
    responses((status = 200, body = Page<EntryView>)))]
async fn list(State(state): State<AppState>, ApiQuery(query): ApiQuery<PageQuery<Moment>>) -> Result<Json<Page<EntryView>>, ApiError> {
    let page = query.validate()?;
    let entries = state.projects.showcase(page).await?;
    Ok(Json(page.into_page(entries, Entry::cursor, EntryView::from)))
}

/// Get a published project
#[utoipa::path(get, path = "/api/showcase/{slug}", tag = "showcase", params(("slug" = inline(Slug), Path), Conditions),
    responses((status = 200, body = EntryView, headers(("ETag"))), (status = 304, description = "The client's version is current")))]
async fn read(State(state): State<AppState>, conditions: Conditions, ApiPath(slug): ApiPath<String>) -> Result<Response, ApiError> {
    let entry = state.projects.published_as(&slug).await?;
    let tag = entry.tag();
    conditions.answer_read(&*tag, Json(EntryView::from(entry)))
}
