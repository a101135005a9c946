//! The studio page of a project, for its members and for admins: settings, members and environments. The page hides operations that
//! the role does not allow; the API enforces the rules.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::frame::{Frame, StudioFrame, render};
use super::view::{EnvironmentView, Time, first};
use crate::features::accounts::{self, User};
use crate::features::environments::driver::Image;
use crate::features::projects::{Action, Member, Project, ProjectAccess, Role, Visibility};
use crate::http::extract::ApiPath;
use crate::http::{ApiError, Code};
use crate::state::AppState;

/// Maximum number of members on the page. Equal to the member limit of a project, so the page shows all of them.
pub const MEMBERS: i64 = 100;
const ENVIRONMENTS: i64 = 100;

/// The user's rights in a project.
#[derive(Clone, Copy)]
pub struct Rights {
    /// Change the project and its contents.
    pub change: bool,
    /// Manage members, publish the project in the showcase, and delete the project.
    pub manage: bool,
}

impl Rights {
    /// Derives the rights from the user's role in the project and in the service.
    pub fn of(access: &ProjectAccess, user: &User) -> Self {
        let may = |action| access.allows(action, user.role == accounts::Role::Admin).is_ok();
        Self { change: may(Action::Change), manage: may(Action::Manage) }
    }

    /// Whether the user may perform `action`. `Read` and `Enter` are always allowed: only members and admins see a project's pages in the
    /// studio.
    pub fn allow(self, action: Action) -> bool {
        match action {
            Action::Read | Action::Enter => true,
            Action::Change => self.change,
            Action::Manage => self.manage,
        }
    }
}

#[derive(Template)]
#[template(path = "project.html")]
struct ProjectPage {
    frame: Frame,
    id: Uuid,
    name: String,
    slug: String,
    description: String,
    version: i64,
    visibility: &'static str,
    is_public: bool,
    is_published: bool,
    updated_at: Time,
    role: &'static str,
    rights: Rights,
    members: Vec<MemberView>,
    environments: Vec<EnvironmentView>,
    images: [Image; Image::ALL.len()],
}

struct MemberView {
    id: Uuid,
    name: String,
    role: &'static str,
    added_at: Time,
    is_reader: bool,
    /// The owner cannot leave or be removed.
    is_owner: bool,
}

impl MemberView {
    fn of(member: Member, reader: Uuid) -> Self {
        let Member { user_id, display_name, role, added_at } = member;
        Self {
            id: user_id,
            name: display_name,
            role: role.as_str(),
            added_at: added_at.into(),
            is_reader: user_id == reader,
            is_owner: role == Role::Owner,
        }
    }
}

/// Handles `GET /studio/projects/{id}`.
pub async fn project(
    State(state): State<AppState>,
    StudioFrame { frame, user, .. }: StudioFrame,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Response, ApiError> {
    let access = state.projects.read(&user, id).await?;
    let members = state.projects.members(&user, id, first(MEMBERS)).await.map_err(forbidden_as_not_found)?;
    let environments = state.environments.list(&user, id, first(ENVIRONMENTS)).await?;
    let rights = Rights::of(&access, &user);
    let ProjectAccess { project, role } = access;
    let is_published = project.is_published();
    let Project { id, name, slug, description, visibility, version, updated_at, .. } = project;
    render(&ProjectPage {
        frame,
        id,
        name,
        slug,
        description,
        version,
        visibility: visibility.as_str(),
        is_public: visibility == Visibility::Public,
        is_published,
        updated_at: updated_at.into(),
        role: role.map_or("administrator", Role::as_str),
        rights,
        members: members.into_iter().map(|member| MemberView::of(member, user.id)).collect(),
        environments: environments.into_iter().map(Into::into).collect(),
        images: Image::ALL,
    })
}

/// Turns 403 into 404: the studio shows a public project only to its members and to admins. If the project is published, others find it
/// in the showcase.
pub fn forbidden_as_not_found(error: impl Into<ApiError>) -> ApiError {
    let error = error.into();
    if error.code() == Code::Forbidden { ApiError::new(Code::NotFound) } else { error }
}
