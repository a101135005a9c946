//! The studio page: the user's projects and a form for a new one.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::frame::{Frame, StudioFrame, render};
use super::view::{Time, excerpt};
use crate::features::projects::{ProjectAccess, Role};
use crate::http::ApiError;
use crate::http::extract::ApiQuery;
use crate::http::page::PageQuery;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "studio.html")]
struct StudioPage {
    frame: Frame,
    projects: Vec<Card>,
    /// Whether this is the first page of the list.
    is_first: bool,
    next: Option<String>,
}

struct Card {
    id: Uuid,
    name: String,
    excerpt: String,
    role: &'static str,
    visibility: &'static str,
    is_published: bool,
    updated_at: Time,
}

impl From<ProjectAccess> for Card {
    fn from(ProjectAccess { project, role }: ProjectAccess) -> Self {
        Self {
            id: project.id,
            excerpt: excerpt(&project.description),
            role: role.map_or("visitor", Role::as_str),
            visibility: project.visibility.as_str(),
            is_published: project.is_published(),
            updated_at: project.updated_at.into(),
            name: project.name,
        }
    }
}

/// Handles `GET /studio`.
pub async fn studio(
    State(state): State<AppState>,
    StudioFrame { frame, user, .. }: StudioFrame,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Response, ApiError> {
    let request = query.validate()?;
    let page = request.into_page(state.projects.list(&user, request).await?, |access| access.project.id, Card::from);
    render(&StudioPage { frame, projects: page.items, is_first: request.is_first(), next: page.next_cursor })
}
