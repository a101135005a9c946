//! The pages behind the links in mails. Opening a page changes nothing, because programs that check mails for dangerous links also open it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Frame, render};
use crate::http::ApiError;
use crate::http::extract::ApiQuery;
use crate::state::AppState;

/// The query parameters of the page that confirms an address.
#[derive(Deserialize)]
pub struct ConfirmQuery {
    /// Token of the link.
    token: Option<String>,
    /// Present after the confirmation. The value is ignored.
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    frame: Frame,
    token: Option<String>,
    is_done: bool,
}

/// Handles `GET /confirm`.
pub async fn confirm(frame: Frame, ApiQuery(query): ApiQuery<ConfirmQuery>) -> Result<Response, ApiError> {
    render(&ConfirmPage { frame, token: query.token, is_done: query.done.is_some() })
}

/// The query parameters of the page that resets a password.
#[derive(Deserialize)]
pub struct ResetQuery {
    /// Token of the link. Without a token, the page has a form that requests the mail.
    token: Option<String>,
    /// Present after the request for the mail. The value is ignored.
    sent: Option<String>,
}

#[derive(Template)]
#[template(path = "password_reset.html")]
struct ResetPage {
    frame: Frame,
    token: Option<String>,
    has_sent: bool,
    /// Whether the service sends mail.
    has_mail: bool,
}

/// Handles `GET /password-reset`.
pub async fn password_reset(
    State(state): State<AppState>,
    frame: Frame,
    ApiQuery(query): ApiQuery<ResetQuery>,
) -> Result<Response, ApiError> {
    render(&ResetPage { frame, token: query.token, has_sent: query.sent.is_some(), has_mail: state.accounts.sends_mail() })
}
