//! The way in: signing in, by password or by a platform, and signing up.

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

/// Where the page leads, and what it has to say.
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
    /// Where the reader goes once signed in.
    next: String,
    /// The same as a part of a query.
    next_encoded: String,
    platforms: Vec<SignIn>,
    has_ended: bool,
    has_registered: bool,
}

/// A platform that one may sign in by.
struct SignIn {
    id: &'static str,
    name: &'static str,
}

impl From<&Settings> for SignIn {
    fn from(settings: &Settings) -> Self {
        Self { id: settings.platform.name(), name: view::platform(settings.platform) }
    }
}

/// Signs in or up.
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

/// The page that was asked for before, if it is one of ours and not this one.
fn next(state: &AppState, told: Option<&str>) -> String {
    let path = told.and_then(|path| ReturnTo::parse(path, &state.config.public_url));
    let path = path.as_ref().map(ReturnTo::as_str).filter(|path| !path.starts_with("/login") && !path.starts_with("/api"));
    // In the address that a form leads to, braces stand for parts of the answer: of a sign-in, its token.
    path.unwrap_or(PageRoute::Studio.name()).replace('{', "%7B").replace('}', "%7D")
}
