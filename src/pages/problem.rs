//! Problems for people: whoever follows a link to something that cannot be shown reads why on a page, not in JSON.
//! The status and the counts are those of the problem; what it says is [`http::error`](crate::http::error)'s.

use askama::Template;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_LENGTH};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::frame::{Frame, render};
use crate::http::Problem;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    problem: Problem,
}

/// Puts a page in the place of a problem when a browser shows it.
pub async fn explain(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let is_shown = request.method() == Method::GET && wants_page(request.headers());
    let mut response = next.run(request).await;
    let problem = response.extensions_mut().remove::<Problem>();
    let Some(problem) = problem.filter(|_| is_shown) else { return response };
    let Ok(page) = render(&ProblemPage { frame: Frame::bare(&state), problem }) else { return response };
    let (page, body) = page.into_parts();
    *response.body_mut() = body;
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().extend(page.headers);
    response
}

/// Browsers name HTML when they go somewhere, and not when a script asks.
fn wants_page(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).any(|accept| accept.contains("text/html"))
}
