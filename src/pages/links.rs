//! The pages that links in mails open. Opening a page changes nothing: programs that check mails for dangerous links open them, too.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Frame, render};
use crate::http::ApiError;
use crate::http::extract::ApiQuery;

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
