//! The HTTP routes of projects: `/api/projects*`.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::model::{
    Description, Member, MemberEmail, Name, NewProject, Project, ProjectAccess, ProjectChange, Role, Visibility, member_email,
};
use super::service::ProjectError;
use super::showcase;
use super::slug::Slug;
use crate::cache::Lookup;
use crate::domain::paging::Page;
use crate::domain::preconditions::Conditions;
use crate::domain::validation::FieldError;
use crate::domain::validation::not_null;
use crate::features::accounts::{CurrentUser, User};
use crate::http::extract::{ApiJson, ApiPath, ApiQuery};
use crate::http::page::PageQuery;
use crate::http::precondition::{IdempotencyKey, RequiredConditions, etag};
use crate::http::{ApiError, Code};
use crate::metrics::labels::CacheType;
use crate::state::AppState;

/// The routes of projects and of the showcase.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(read, change, delete))
        .routes(routes!(publish, unpublish))
        .routes(routes!(members, add_member))
        .routes(routes!(remove_member))
        .merge(showcase::routes())
}

impl From<ProjectError> for ApiError {
    fn from(error: ProjectError) -> Self {
        match error {
            ProjectError::NoSuchProject | ProjectError::NoSuchMember => Self::new(Code::NotFound),
            ProjectError::NoSuchUser => {
                let (field, message) = ("email".to_owned(), "no account has this e-mail address".to_owned());
                Self::validation(vec![FieldError { field, code: "unknown_account", message }])
            }
            ProjectError::Forbidden => Self::new(Code::Forbidden),
            ProjectError::Changed => Self::new(Code::PreconditionFailed),
            ProjectError::OwnerRequired => Self::new(Code::OwnerRequired),
            ProjectError::Full => Self::new(Code::TooManyMembers),
            ProjectError::NoSlug => Self::new(Code::Overloaded).retry_after(1).source(error),
            ProjectError::SlugTaken => Self::new(Code::SlugTaken),
            ProjectError::InvalidSlug(errors) => Self::validation(errors),
            ProjectError::AlreadyPublished => Self::new(Code::AlreadyPublished),
            ProjectError::Repeated(refusal) => refusal.into(),
            ProjectError::Store(error) => error.into(),
        }
    }
}

/// A project from the point of view of the requesting account.
#[derive(Serialize, ToSchema)]
#[schema(as = Project)]
struct ProjectView {
    id: Uuid,
    name: String,
    slug: String,
    description: String,
    visibility: Visibility,
    owner_id: Uuid,
    /// Null for an account that is not a member.
    role: Option<Role>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    published_at: Option<OffsetDateTime>,
}

impl From<ProjectAccess> for ProjectView {
    fn from(ProjectAccess { project, role }: ProjectAccess) -> Self {
        let Project { id, owner_id, name, slug, description, visibility, version: _, created_at, updated_at, published_at } = project;
        Self { id, name, slug, description, visibility, owner_id, role, created_at, updated_at, published_at }
    }
}

/// A request for a project: the user, the project's identifier, and the result of its cache lookup.
struct ProjectRequest {
    user: User,
    id: Uuid,
    lookup: Lookup,
}

impl FromRequestParts<AppState> for ProjectRequest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match ApiPath::<Uuid>::from_request_parts(parts, state).await {
            Ok(ApiPath(id)) => {
                let (CurrentUser { user, .. }, lookup) = CurrentUser::and_lookup(parts, state, CacheType::Project, &id.to_string()).await?;
                Ok(Self { user, id, lookup })
            }
            // Authentication comes first: an unauthenticated request gets 401, even if its identifier is malformed.
            Err(refusal) => Err(CurrentUser::from_request_parts(parts, state).await.map_or_else(|stranger| stranger, |_| refusal)),
        }
    }
}

/// A response with the project and its entity tag.
fn tagged(access: ProjectAccess) -> Response {
    (etag(access.project.version), Json(ProjectView::from(access))).into_response()
}

/// List the projects of which the account is a member
#[utoipa::path(get, path = "/api/projects", tag = "projects", security(("token" = []), ("cookie" = [])), params(PageQuery),
    responses((status = 200, body = Page<ProjectView>)))]
async fn list(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<ProjectView>>, ApiError> {
    let page = query.validate()?;
    let projects = state.projects.list(&user, page).await?;
    Ok(Json(page.into_page(projects, |access| access.project.id, ProjectView::from)))
}

/// A request to create a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateProject {
    #[schema(schema_with = Name::schema)]
    name: String,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = Description::schema, required = false)]
    description: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    visibility: Option<Visibility>,
}

/// Create a project
#[utoipa::path(post, path = "/api/projects", tag = "projects", security(("token" = []), ("cookie" = [])), request_body = CreateProject,
    params(IdempotencyKey),
    responses((status = 201, body = ProjectView, headers(("Location"), ("ETag")))))]
async fn create(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    key: IdempotencyKey,
    ApiJson(body): ApiJson<CreateProject>,
) -> Result<Response, ApiError> {
    let new = NewProject::parse(&body.name, body.description.as_deref(), body.visibility).map_err(ApiError::validation)?;
    let request = key.request(user.id, "create project", &new);
    let project = state.projects.create(&user, new, request).await?;
    let location = [(LOCATION, format!("/api/projects/{}", project.id))];
    Ok((StatusCode::CREATED, location, tagged(ProjectAccess { project, role: Some(Role::Owner) })).into_response())
}

/// Get a project
#[utoipa::path(get, path = "/api/projects/{id}", tag = "projects", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path), Conditions),
    responses((status = 200, body = ProjectView, headers(("ETag"))), (status = 304, description = "The client's version is current")))]
async fn read(
    State(state): State<AppState>,
    ProjectRequest { user, id, lookup }: ProjectRequest,
    conditions: Conditions,
) -> Result<Response, ApiError> {
    let access = state.projects.read_found(&user, id, lookup).await?;
    conditions.answer_read(access.project.version, Json(ProjectView::from(access)))
}

/// A change of a project; absent fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeProject {
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = Name::schema, required = false)]
    name: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = Description::schema, required = false)]
    description: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    visibility: Option<Visibility>,
}

/// Change a project, unless it has changed since the client read it
///
/// Making a published project private removes it from the showcase.
#[utoipa::path(patch, path = "/api/projects/{id}", tag = "projects", security(("token" = []), ("cookie" = [])), request_body = ChangeProject,
    params(("id" = Uuid, Path), RequiredConditions),
    responses((status = 200, body = ProjectView, headers(("ETag")))))]
async fn change(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    RequiredConditions(conditions): RequiredConditions,
    ApiJson(body): ApiJson<ChangeProject>,
) -> Result<Response, ApiError> {
    let change = ProjectChange::parse(body.name.as_deref(), body.description.as_deref(), body.visibility).map_err(ApiError::validation)?;
    Ok(tagged(state.projects.change(&user, id, change, &conditions).await?))
}

/// Delete a project and everything in it
///
/// With `If-Match`, the project is deleted only if it has not changed since the client read it.
#[utoipa::path(delete, path = "/api/projects/{id}", tag = "projects", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path), Conditions),
    responses((status = 204)))]
async fn delete(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    conditions: Conditions,
) -> Result<StatusCode, ApiError> {
    state.projects.delete(&user, id, &conditions).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A request to publish a project.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishProject {
    /// Words of lower-case letters a to z and digits, separated by single hyphens. By default, the project's current slug.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Slug, inline, nullable = false, required = false)]
    slug: Option<String>,
}

/// Publish a project in the showcase, where everybody can read it
///
/// The project becomes public. Its slug stays the same while it is published, so that links remain valid. Repeating the request has no
/// further effect.
#[utoipa::path(post, path = "/api/projects/{id}/publish", tag = "projects", security(("token" = []), ("cookie" = [])), request_body = PublishProject,
    params(("id" = Uuid, Path)),
    responses((status = 200, body = ProjectView, headers(("ETag"))), (status = 409)))]
async fn publish(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(body): ApiJson<PublishProject>,
) -> Result<Response, ApiError> {
    let slug = body.slug.as_deref().map(Slug::parse).transpose().map_err(ApiError::validation)?;
    Ok(tagged(state.projects.publish(&user, id, slug).await?))
}

/// Remove a project from the showcase
///
/// The project stays public. Repeating the request has no further effect.
#[utoipa::path(delete, path = "/api/projects/{id}/publish", tag = "projects", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = ProjectView, headers(("ETag")))))]
async fn unpublish(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Response, ApiError> {
    Ok(tagged(state.projects.unpublish(&user, id).await?))
}

/// A member of a project.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
struct MemberView {
    user_id: Uuid,
    display_name: String,
    role: Role,
    #[serde(with = "time::serde::rfc3339")]
    added_at: OffsetDateTime,
}

impl From<Member> for MemberView {
    fn from(Member { user_id, display_name, role, added_at }: Member) -> Self {
        Self { user_id, display_name, role, added_at }
    }
}

/// List the members of a project
#[utoipa::path(get, path = "/api/projects/{id}/members", tag = "projects", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path), PageQuery),
    responses((status = 200, body = Page<MemberView>), (status = 403)))]
async fn members(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<MemberView>>, ApiError> {
    let page = query.validate()?;
    let members = state.projects.members(&user, id, page).await?;
    Ok(Json(page.into_page(members, |member| member.user_id, MemberView::from)))
}

/// Roles that can be granted.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum GivenRole {
    Viewer,
    Editor,
}

/// A request to add a member.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddMember {
    /// E-mail address of the account.
    #[schema(schema_with = MemberEmail::schema)]
    email: String,
    role: GivenRole,
}

/// Add a member, or change a member's role
#[utoipa::path(post, path = "/api/projects/{id}/members", tag = "projects", security(("token" = []), ("cookie" = [])), request_body = AddMember,
    params(("id" = Uuid, Path), IdempotencyKey),
    responses((status = 201, body = MemberView), (status = 409)))]
async fn add_member(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    key: IdempotencyKey,
    ApiJson(body): ApiJson<AddMember>,
) -> Result<(StatusCode, Json<MemberView>), ApiError> {
    let email = member_email(&body.email).map_err(ApiError::validation)?;
    let request = key.request(user.id, "add member", &(id, &body));
    let role = match body.role {
        GivenRole::Viewer => Role::Viewer,
        GivenRole::Editor => Role::Editor,
    };
    let member = state.projects.add_member(&user, id, &email, role, request).await?;
    Ok((StatusCode::CREATED, Json(member.into())))
}

/// Remove a member
#[utoipa::path(delete, path = "/api/projects/{id}/members/{user_id}", tag = "projects", security(("token" = []), ("cookie" = [])), params(("id" = Uuid, Path), ("user_id" = Uuid, Path)),
    responses((status = 204), (status = 409)))]
async fn remove_member(
    State(state): State<AppState>,
    CurrentUser { user, .. }: CurrentUser,
    ApiPath((id, member)): ApiPath<(Uuid, Uuid)>,
) -> Result<StatusCode, ApiError> {
    state.projects.remove_member(&user, id, member).await?;
    Ok(StatusCode::NO_CONTENT)
}
