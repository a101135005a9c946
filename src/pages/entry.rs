//! The sign-in page: password, platforms, and the form for new accounts.

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

/// The query of the page: where to go after the sign-in, and which notice to show.
#[derive(Deserialize)]
pub struct LoginQuery {
    next: Option<String>,
    ended: Option<String>,
    registered: Option<String>,
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    frame: Frame,
    /// Path to go to after the sign-in.
    next: String,
    /// `next`, encoded for a query.
    next_encoded: String,
    platforms: Vec<SignIn>,
    has_ended: bool,
    has_registered: bool,
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
    })
}

/// The path to go to after the sign-in: the requested one if it is a page of this service other than this one, else the studio.
fn next(state: &AppState, requested: Option<&str>) -> String {
    let path = requested.and_then(|path| ReturnTo::parse(path, &state.config.public_url));
    let path = path.as_ref().map(ReturnTo::as_str).filter(|path| !path.starts_with("/login") && !path.starts_with("/api"));
    // The bundle replaces braces in `data-goto` with fields of the response, which contains the session's token. Encode them.
    path.unwrap_or(PageRoute::Studio.name()).replace('{', "%7B").replace('}', "%7D")
}
