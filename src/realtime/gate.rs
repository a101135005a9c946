//! The checks of Socket.IO requests: a request's origin, the number of connections of the client's network, and the time limit of
//! a POST.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, COOKIE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Inner, Realtime};
use crate::http::address::ClientNetwork;
use crate::http::origin::{self, OriginLayer};
use crate::http::{ApiError, Code};
use crate::metrics::Metrics;
use crate::metrics::http::Operation;
use crate::metrics::labels::{Limiter, SocketError};
use crate::server::HangUp;

/// The path of Socket.IO.
pub const PATH: &str = "/socket.io/";

/// Headers that are read after these checks. The authentication of the client reads the first two, and the library reads the others.
const READ_LATER: [HeaderName; 6] = [AUTHORIZATION, COOKIE, CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION];

/// Refuses requests from pages of other sites.
pub async fn check_origin(State((own_pages, metrics)): State<(OriginLayer, Metrics)>, request: Request, next: Next) -> Response {
    if let Err(refusal) = origin::check(&own_pages, request.uri(), request.headers()).await {
        metrics.websocket_errors.increment(SocketError::Origin);
        return refusal.into_response();
    }
    next.run(request).await
}

/// Admits a request, or answers with the reason for the refusal.
pub async fn admit(State(realtime): State<Realtime>, network: ClientNetwork, mut request: Request, next: Next) -> Response {
    let Inner { config, metrics, .. } = &*realtime.0;
    if let Err((error, reason)) = inspect(&realtime, network, &mut request) {
        metrics.websocket_errors.increment(reason);
        return error.into_response();
    }
    // A polling GET waits for events and has no deadline here; a POST must deliver its body in time.
    if request.method() == Method::POST {
        let answer = tokio::time::timeout(config.request_timeout, next.run(request)).await;
        return answer.unwrap_or_else(|_| ApiError::new(Code::RequestTimeout).into_response());
    }
    next.run(request).await
}

fn inspect(realtime: &Realtime, network: ClientNetwork, request: &mut Request) -> Result<(), (ApiError, SocketError)> {
    let Inner { config, limits, upgraded, metrics, .. } = &*realtime.0;
    let sid = request.uri().query().and_then(|query| query.split('&').find_map(|part| part.strip_prefix("sid=")));
    match sid.map(str::parse) {
        // A request without a `sid` opens a connection. The library keeps the request, and so the permit, as long as the connection.
        None => {
            let permit = limits.networks.take(&network, config.sockets_per_address).ok_or_else(|| {
                metrics.rate_limited.increment(Limiter::SocketConnections);
                (ApiError::new(Code::TooManyConnections).retry_after(5), SocketError::TooManyConnections)
            })?;
            request.extensions_mut().insert(Arc::new(permit));
            release_buffers(request);
        }
        Some(Ok(sid)) if is_upgrade(request.headers()) => {
            if let Some(hang_up) = request.extensions().get::<HangUp>() {
                upgraded.note(sid, hang_up.clone());
            }
        }
        // The library answers all other requests, with an error if the `sid` is invalid.
        Some(_) => {}
    }
    Ok(())
}

/// Copies the URI and the headers that are read later, and removes the other headers and the [`OriginalUri`]. The parts of a request
/// point into the buffer in which the request arrived, of at least 8 KiB. The library keeps the request, so each idle connection would
/// hold such a buffer.
fn release_buffers(request: &mut Request) {
    let kept = |name: &HeaderName| READ_LATER.iter().any(|read| read == name);
    let copied = |(name, value): (&HeaderName, &HeaderValue)| Some((name.clone(), HeaderValue::from_bytes(value.as_bytes()).ok()?));
    let headers = request.headers().iter().filter(|(name, _)| kept(name)).filter_map(copied).collect();
    *request.headers_mut() = headers;
    request.extensions_mut().remove::<OriginalUri>();
    // Always succeeds: the text comes from a URI.
    if let Ok(uri) = request.uri().to_string().parse() {
        *request.uri_mut() = uri;
    }
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// The operations of Socket.IO, for the HTTP metrics, with the statuses of these checks and of the library.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let operation = |method: &str, statuses: &[u16]| Operation {
        method: method.to_owned(),
        matched: PATH.to_owned(),
        route: PATH.to_owned(),
        is_measured: false,
        has_body: false,
        has_answer: false,
        statuses: statuses.iter().copied().collect(),
    };
    vec![operation("GET", &[101, 200, 400, 403, 429, 500]), operation("POST", &[200, 400, 403, 408, 413, 500])]
}
