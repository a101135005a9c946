//! The checks of Socket.IO requests: a request's origin, the number of connections of the client's network, and the time limit of
//! a POST.

use std::sync::Arc;

use axum::extract::{OriginalUri, Request, State};
use axum::http::header::{AUTHORIZATION, CONNECTION, COOKIE, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use socketioxide::socket::Sid;

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
    let Inner { config, metrics, upgraded, .. } = &*realtime.0;
    let sid = match inspect(&realtime, network, &mut request) {
        Ok(sid) => sid,
        Err((error, reason)) => {
            metrics.websocket_errors.increment(reason);
            return error.into_response();
        }
    };
    // A polling GET waits for events and has no deadline here; a POST must deliver its body in time.
    if request.method() == Method::POST {
        let answer = tokio::time::timeout(config.request_timeout, next.run(request)).await;
        return answer.unwrap_or_else(|_| ApiError::new(Code::RequestTimeout).into_response());
    }
    let hang_up = request.extensions().get::<HangUp>().cloned();
    let response = next.run(request).await;
    // Only after 101 does the connection belong to the socket. After any other status, the edge may send requests of other clients over it.
    if let (Some(sid), Some(hang_up), StatusCode::SWITCHING_PROTOCOLS) = (sid, hang_up, response.status()) {
        upgraded.note(sid, hang_up);
    }
    response
}

/// Checks a request. Returns the `sid` that it names, if any.
fn inspect(realtime: &Realtime, network: ClientNetwork, request: &mut Request) -> Result<Option<Sid>, (ApiError, SocketError)> {
    let Inner { config, limits, metrics, .. } = &*realtime.0;
    let query = request.uri().query().unwrap_or_default();
    let parameter = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    if let Some(sid) = parameter("sid") {
        // The library answers an invalid `sid` with an error.
        return Ok(sid.parse().ok());
    }
    // A request without a `sid` opens a connection. The library keeps the request, and so the permit, as long as the connection. In the
    // value of `transport`, the library ignores a further `=` and the text after it.
    let is_polling = parameter("transport").is_some_and(|transport| transport.split('=').next() == Some("polling"));
    let permit = limits.networks.take(&network, config.sockets_per_address).ok_or_else(|| {
        metrics.rate_limited.increment(Limiter::SocketConnections);
        (ApiError::new(Code::TooManyConnections).retry_after(5), SocketError::TooManyConnections)
    })?;
    if is_polling {
        // The connection of this request is not the socket's, even if the socket is upgraded later.
        request.extensions_mut().remove::<HangUp>();
    }
    request.extensions_mut().insert(Arc::new(permit));
    release_buffers(request);
    Ok(None)
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
