//! The sign-in page: sign-in with a password or a platform, and registration.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use url::form_urlencoded::byte_serialize;

use super::frame::{Frame, render};
use super::view;
use crate::features::oauth::ReturnTo;
use crate::http::ApiError;
use crate::http::extract::ApiQuery;
use crate::metrics::labels::PageRoute;
use crate::platforms::Settings;
use crate::state::AppState;

/// The query parameters of the page.
#[derive(Deserialize)]
pub struct LoginQuery {
    /// Path to go to after the sign-in.
    next: Option<String>,
    /// Present after a sign-out on all devices, and after an open page received the event `logout`. The value is ignored.
    ended: Option<String>,
    /// Present after a registration. The value is ignored.
    registered: Option<String>,
    /// Present after a reset of the password. The value is ignored.
    reset: Option<String>,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    /// Path to go to after the sign-in.
    next: String,
    /// `next`, percent-encoded for a query.
    next_encoded: String,
    platforms: Vec<SignIn>,
    /// Whether to show that the session has ended.
    has_ended: bool,
    /// Whether to show that the account was created.
    has_registered: bool,
    /// Whether to show that the password was reset.
    has_reset: bool,
}

/// A platform that offers sign-in.
struct SignIn {
    id: &'static str,
    name: &'static str,
}

impl From<&Settings> for SignIn {
    fn from(settings: &Settings) -> Self {
        Self { id: settings.platform.name(), name: view::platform(settings.platform) }
    }
}

/// Handles `GET /login`.
pub async fn login(State(state): State<AppState>, frame: Frame, ApiQuery(query): ApiQuery<LoginQuery>) -> Result<Response, ApiError> {
    let next = next(&state, query.next.as_deref());
    if frame.user.is_some() {
        return Ok(Redirect::to(&next).into_response());
    }
    render(&LoginPage {
        frame,
        next_encoded: byte_serialize(next.as_bytes()).collect(),
        next,
        platforms: state.oauth.platforms().all().filter(|settings| settings.sign_in).map(Into::into).collect(),
        has_ended: query.ended.is_some(),
        has_registered: query.registered.is_some(),
        has_reset: query.reset.is_some(),
    })
}

/// The path to go to after the sign-in: the requested path if it leads to another page of this service, otherwise the studio.
fn next(state: &AppState, requested: Option<&str>) -> String {
    let path = requested.and_then(|path| ReturnTo::parse(path, &state.config.public_url));
    let path = path.as_ref().map(ReturnTo::as_str).filter(|path| !path.starts_with("/login") && !path.starts_with("/api"));
    // Encode braces, so that a crafted link cannot copy the session's token into a URL: the bundle replaces `{field}` in `data-goto` with a
    // field of the response, and the response to a sign-in contains the token.
    path.unwrap_or(PageRoute::Studio.name()).replace('{', "%7B").replace('}', "%7D")
}
