//! The frame of every page: head data, the signed-in user, and rendering to a response. The content belongs to the page's own file.

use askama::Template;
use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse, Redirect, Response};
use url::form_urlencoded::byte_serialize;
use uuid::Uuid;

use super::assets::Assets;
use crate::config::Environment;
use crate::features::accounts::{MaybeUser, Role, User};
use crate::http::{ApiError, Code};
use crate::metrics::kinds::Timer;
use crate::metrics::labels::PageRoute;
use crate::state::AppState;

/// Pages load everything from this origin, except images in `data:` URLs, and contain no inline scripts or styles.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The data that the layout of every page needs.
pub struct Frame {
    /// The page's route, for the browser's beacons (`features::visits`); empty for a problem page.
    pub route: &'static str,
    /// The signed-in user.
    pub user: Option<Viewer>,
    /// Whether to show the link to the faults page.
    pub has_faults: bool,
    /// Whether the viewer may open the operator's page, so that it is linked.
    pub has_operator: bool,
    /// Paths of the script, the style sheet and the icon.
    pub assets: &'static Assets,
    /// Share of page loads for which browsers report timings, 0 to 1.
    pub rum_sample: f64,
    /// Whether the page reloads itself when the replica has restarted; never in production.
    pub reloads: bool,
    /// Version of the service.
    pub version: &'static str,
    /// Name of the replica that rendered the page.
    pub replica: String,
    /// On drop, records the time since the frame's creation, which includes reading the page's data.
    _making: Option<Timer>,
}

/// The signed-in user, as the layout shows them.
pub struct Viewer {
    pub id: Uuid,
    pub display_name: String,
    pub email: String,
}

impl Frame {
    /// The frame of a problem page: without route, user and measurement.
    pub fn bare(state: &AppState) -> Self {
        Self {
            route: "",
            user: None,
            has_faults: false,
            has_operator: state.config.environment == Environment::Development,
            assets: Assets::get(),
            rum_sample: state.config.rum_sample,
            reloads: state.config.reload_pages,
            version: env!("CARGO_PKG_VERSION"),
            replica: state.config.replica.clone(),
            _making: None,
        }
    }

    fn of(state: &AppState, parts: &Parts, user: Option<&User>) -> Result<Self, ApiError> {
        let route = parts.extensions.get::<MatchedPath>().and_then(|path| PageRoute::named(path.as_str()));
        let route = route.ok_or_else(|| ApiError::new(Code::Internal).source("the page has no `PageRoute`"))?;
        let viewer = |user: &User| Viewer { id: user.id, display_name: user.display_name.clone(), email: user.email.clone() };
        let making = Some(state.metrics.ssr_duration.time(route));
        let is_admin = user.is_some_and(|user| user.role == Role::Admin);
        let bare = Self::bare(state);
        Ok(Self {
            route: route.name(),
            user: user.map(viewer),
            has_faults: state.faults.is_some() && is_admin,
            has_operator: bare.has_operator || is_admin,
            _making: making,
            ..bare
        })
    }
}

/// The frame of a public page, with or without a session.
impl FromRequestParts<AppState> for Frame {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let MaybeUser(current) = MaybeUser::from_request_parts(parts, state).await?;
        Self::of(state, parts, current.as_ref().map(|current| &current.user))
    }
}

/// The frame of a page that requires a session. Without a session, the client is redirected to the sign-in page. The sign-in then
/// redirects the client to the requested page.
pub struct StudioFrame {
    pub frame: Frame,
    pub user: User,
    /// Identifier of the session that requested the page.
    pub session: Uuid,
}

impl FromRequestParts<AppState> for StudioFrame {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        let MaybeUser(current) = MaybeUser::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        let Some(current) = current else {
            let requested = parts.uri.path_and_query().map_or(parts.uri.path(), PathAndQuery::as_str);
            let next: String = byte_serialize(requested.as_bytes()).collect();
            return Err(Redirect::to(&format!("{}?next={next}", PageRoute::Login.name())).into_response());
        };
        let frame = Frame::of(state, parts, Some(&current.user)).map_err(IntoResponse::into_response)?;
        Ok(Self { frame, user: current.user, session: current.session })
    }
}

/// Renders a page into a response.
///
/// # Errors
/// `internal` when the template fails, which happens if a value in it fails to format.
pub fn render(page: &impl Template) -> Result<Response, ApiError> {
    let html = page.render().map_err(|error| ApiError::new(Code::Internal).source(error))?;
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8"), (CONTENT_SECURITY_POLICY, POLICY)], html).into_response())
}
