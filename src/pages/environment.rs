//! The page of an environment: its status, log, terminal, sessions and extensions.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use uuid::Uuid;

use super::frame::{Frame, StudioFrame, render};
use super::project::{MEMBERS, Rights, forbidden_as_not_found};
use super::view::{EnvironmentView, Time, first};
use crate::domain::{DriverName, Extension};
use crate::features::environments::driver::Image;
use crate::features::environments::{Install, InstallStatus, Overview, Session, SessionStatus, SessionType, extension_row, logs};
use crate::http::ApiError;
use crate::http::extract::ApiPath;
use crate::state::AppState;

/// Maximum number of log lines in the rendered page.
pub const LINES: i64 = 200;
/// Number of the newest sessions in the rendered page, which also shows older ones that are active.
const SESSIONS: i64 = 20;

#[derive(Template)]
#[template(path = "environment.html")]
struct EnvironmentPage {
    frame: Frame,
    environment: EnvironmentView,
    /// Whether the environment has no real container.
    is_simulated: bool,
    created_at: Time,
    project_id: Uuid,
    project_name: String,
    rights: Rights,
    lines: Vec<Line>,
    last_seq: i64,
    /// The user's active tmux sessions among `sessions`.
    left_open: Vec<LeftOpen>,
    sessions: Vec<SessionView>,
    extensions: Vec<ExtensionView>,
}

struct Line {
    seq: i64,
    stream: &'static str,
    text: String,
    at: Time,
}

impl From<logs::Entry> for Line {
    fn from(logs::Entry { seq, stream, line, at }: logs::Entry) -> Self {
        Self { seq, stream: stream.name(), text: line, at: at.into() }
    }
}

struct SessionView {
    id: Uuid,
    kind: &'static str,
    status: &'static str,
    who: String,
    created_at: Time,
    /// Address that opens the editor; only for active VS Code sessions of the user.
    link: Option<String>,
    may_close: bool,
}

struct LeftOpen {
    id: Uuid,
    created_at: Time,
}

/// An extension and its installation; `status` is `None` if the extension is not installed.
struct ExtensionView {
    id: &'static str,
    title: &'static str,
    description: &'static str,
    status: Option<&'static str>,
    reason: Option<String>,
    may_install: bool,
    may_remove: bool,
}

impl ExtensionView {
    fn of(extension: Extension, image: Image, installed: Option<Install>) -> Self {
        let row = extension_row(extension);
        let status = installed.as_ref().map(|install| install.status);
        Self {
            id: extension.name(),
            title: row.title,
            description: row.description,
            status: status.map(InstallStatus::as_str),
            reason: installed.and_then(|install| install.reason),
            may_install: row.fits(image) && matches!(status, None | Some(InstallStatus::Failed)),
            may_remove: status.is_some_and(|status| status != InstallStatus::Removing),
        }
    }
}

/// Handles `GET /studio/environments/{id}`.
pub async fn environment(
    State(state): State<AppState>,
    StudioFrame { frame, user, .. }: StudioFrame,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Response, ApiError> {
    let overview = state.environments.overview(&user, id, SESSIONS, LINES).await.map_err(forbidden_as_not_found)?;
    let Overview { environment, sessions, extensions, log } = overview;
    let access = state.projects.read(&user, environment.project_id).await?;
    let rights = Rights::of(&access, &user);
    let members = state.projects.members(&user, environment.project_id, first(MEMBERS)).await?;
    let members = members.into_iter().map(|member| (member.user_id, member.display_name));
    let names: HashMap<Uuid, String> = members.chain([(user.id, user.display_name.clone())]).collect();
    let mut installed: HashMap<&str, Install> = extensions.into_iter().map(|install| (install.extension.name(), install)).collect();

    let session_view = |session: Session| SessionView {
        id: session.id,
        kind: session.kind.name(),
        status: session.status.name(),
        // A former member, or an admin who never was one.
        who: names.get(&session.user_id).cloned().unwrap_or_else(|| "not a member".to_owned()),
        created_at: session.created_at.into(),
        link: state.environments.link(&session).filter(|_| session.user_id == user.id),
        may_close: session.status == SessionStatus::Active && rights.allow(session.action_to_close(user.id)),
    };
    let is_left_open =
        |session: &&Session| session.user_id == user.id && session.kind == SessionType::Tmux && session.status == SessionStatus::Active;
    let left_open = |session: &Session| LeftOpen { id: session.id, created_at: session.created_at.into() };
    render(&EnvironmentPage {
        frame,
        is_simulated: environment.driver == DriverName::Sim,
        created_at: environment.created_at.into(),
        project_id: environment.project_id,
        project_name: access.project.name,
        rights,
        last_seq: log.last().map_or(0, |entry| entry.seq),
        lines: log.into_iter().map(Into::into).collect(),
        left_open: sessions.iter().filter(is_left_open).map(left_open).collect(),
        sessions: sessions.into_iter().map(session_view).collect(),
        extensions: Extension::MEMBERS
            .iter()
            .map(|kind| ExtensionView::of(*kind, environment.image, installed.remove(kind.name())))
            .collect(),
        environment: environment.into(),
    })
}
