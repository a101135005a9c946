//! Problem pages: a browser that navigates to a failing route gets an HTML page instead of JSON. The status and the metrics stay those of
//! the problem; [`http::error`](crate::http::error) defines the texts.

use askama::Template;
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_LENGTH};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use futures_util::TryFutureExt;
use tower::service_fn;

use super::frame::{Frame, render};
use crate::http::Problem;
use crate::http::layers::Endpoint;
use crate::state::AppState;

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    problem: Problem,
}

/// Replaces the body of a problem with a page if the request is a navigation of a browser.
pub fn explain(state: AppState, mut inner: impl Endpoint) -> impl Endpoint {
    service_fn(move |request: Request| {
        let is_shown = request.method() == Method::GET && wants_page(request.headers());
        let state = state.clone();
        inner.call(request).map_ok(move |mut response| {
            let problem = response.extensions_mut().remove::<Problem>();
            match problem.filter(|_| is_shown) {
                Some(problem) => shown(&state, problem, response),
                None => response,
            }
        })
    })
}

fn shown(state: &AppState, problem: Problem, mut response: Response) -> Response {
    let Ok(page) = render(&ProblemPage { frame: Frame::bare(state), problem }) else { return response };
    let (page, body) = page.into_parts();
    *response.body_mut() = body;
    response.headers_mut().remove(CONTENT_LENGTH);
    response.headers_mut().extend(page.headers);
    response
}

/// Browsers accept `text/html` on navigation, but not in requests from scripts.
fn wants_page(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok()).any(|accept| accept.contains("text/html"))
}
