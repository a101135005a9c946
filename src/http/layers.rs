//! The layers around the handlers of all features. [`router`](crate::router) sets their order.

use std::any::Any;
use std::convert::Infallible;
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::future::{Either, FutureExt, TryFutureExt, ready};
use tower::{Service, service_fn};
use tracing::Instrument;
use uuid::Uuid;

use super::access::AccessLog;
use super::context::RequestContext;
use super::error::{ApiError, Code};
use super::host;
use super::unread::UnreadBody;
use crate::telemetry::log_spans;
use crate::telemetry::spans::{self, Span};
use crate::telemetry::trace_context::{TraceContext, TraceId, Traceparent};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
/// Prefixes of the routes without a request span and an access line. Probes, scrapes and assets are frequent and trivial; socket events have
/// their own spans. A long poll of Socket.IO lasts until there is an event, so it is never slow.
const QUIET: [&str; 6] = ["/health", "/metrics", "/api/metrics", "/assets/", "/favicon", "/socket.io/"];

/// A service that handles requests. A layer is a function from one `Endpoint` to another, so the compiler can inline the whole
/// stack; `axum::middleware::from_fn` allocates several times per request and layer. Layers use future combinators instead of
/// `async` blocks: a block that captures a future and awaits it stores the future twice, and moves the whole future once per request.
pub trait Endpoint<B = Body>:
    Service<Request, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S, B> Endpoint<B> for S where
    S: Service<Request, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

/// Assigns the request a span and an identifier: the trace in `traceparent`, or the UUID in the `X-Request-Id` that the edge sets, or a new
/// one if these headers are missing or have other values. Writes the line of a request that is slow or in the sample. Drains the body that
/// the handler left unread, and adds headers to the response. Rejects a missing or invalid `Host` before the metrics count the request,
/// because they do not count other malformed request heads either.
pub fn identify<B>(replica: HeaderValue, access_log: AccessLog, mut inner: impl Endpoint<B>) -> impl Endpoint
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    service_fn(move |request: Request| {
        let work = work_of(request.headers());
        let id = work.trace;
        let context = RequestContext { work, uri: request.uri().clone() };
        let route = request.extensions().get::<MatchedPath>();
        let (mut span, mut log_span, mut access) = (Span::default(), tracing::Span::none(), None);
        if !route.is_some_and(is_quiet) {
            let (method, template) = (method_of(&request), route.map(MatchedPath::as_str));
            span = spans::request(&work, method, template);
            log_span = log_spans::request(method, template);
            access = Some(access_log.begin(method, route.cloned(), id));
        }
        let inside = span.inside();
        let traced = Traced::of(&request, span);
        let (request, unread) = UnreadBody::of(request);
        // `enter` is necessary besides `scope`: an inner layer may reject the request before it returns a future.
        let answer = context.enter(|| match host::check(&request) {
            Ok(()) => Either::Left(inner.call(request).map_ok(|response| response.map(Body::new))),
            Err(refusal) => Either::Right(ready(Ok(refusal.into_response()))),
        });
        let answer = answer.map_ok(move |response| {
            if let Some(traced) = traced {
                traced.answered(response.status());
            }
            if let Some(access) = access {
                access.answered(response.status());
            }
            response
        });
        let replica = replica.clone();
        context.scope(inside.around(answer.instrument(log_span))).and_then(async move |mut response| {
            unread.discard().await;
            let headers = response.headers_mut();
            headers.insert(&REQUEST_ID, header_of(id));
            headers.insert(&SERVED_BY, replica);
            protect(headers);
            Ok(response)
        })
    })
}

/// The request in the trace that the edge or another service names, or else in one of its own.
fn work_of(headers: &HeaderMap) -> TraceContext {
    let parent = headers.get(&TRACEPARENT).and_then(|parent| parent.to_str().ok()).and_then(Traceparent::parse);
    let of_id = || headers.get(&REQUEST_ID).and_then(|id| TraceId::of_uuid(id.as_bytes())).unwrap_or_else(TraceId::random);
    parent.map_or_else(|| TraceContext::in_trace(of_id()), TraceContext::below)
}

fn header_of(id: TraceId) -> HeaderValue {
    HeaderValue::try_from(id.to_string()).expect("hexadecimal digits")
}

/// The method, or `_OTHER` for one that the client made up.
fn method_of(request: &Request) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| known == request.method()).unwrap_or("_OTHER")
}

/// A request whose span is part of a trace.
struct Traced {
    span: Span,
    route: Option<MatchedPath>,
    uri: Uri,
}

impl Traced {
    fn of(request: &Request, span: Span) -> Option<Self> {
        let route = request.extensions().get::<MatchedPath>();
        (!span.is_none()).then(|| Self { span, route: route.cloned(), uri: request.uri().clone() })
    }

    fn answered(self, status: StatusCode) {
        let safe_path = || {
            let (path, route) = (self.uri.path(), self.route?);
            has_only_identifiers(path, route.as_str()).then(|| path.to_owned())
        };
        self.span.answered(safe_path, status.as_u16());
    }
}

/// Whether each parameter of the route is a UUID in this path. Any other parameter may be a text of a user, such as a slug, or a secret that
/// a client has put there.
fn has_only_identifiers(path: &str, route: &str) -> bool {
    /// The length of a UUID with hyphens; without them, a secret could look the same.
    const LENGTH: usize = 36;
    let is_identifier = |segment: &str| segment.len() == LENGTH && Uuid::try_parse(segment).is_ok();
    let fits = |(segment, template): (&str, &str)| segment == template || (template.starts_with('{') && is_identifier(segment));
    path.split('/').count() == route.split('/').count() && path.split('/').zip(route.split('/')).all(fits)
}

/// Whether a route serves probes, scrapes, assets or Socket.IO.
pub(super) fn is_quiet(route: &MatchedPath) -> bool {
    QUIET.iter().any(|quiet| route.as_str().starts_with(quiet))
}

/// Adds the security headers (OWASP Secure Headers) that the response does not set itself.
fn protect(headers: &mut HeaderMap) {
    let defaults = [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Responds with `timeout` when the handler exceeds the limit, and drops the handler's future.
pub fn limit_time(limit: Duration, mut inner: impl Endpoint) -> impl Endpoint {
    service_fn(move |request: Request| {
        let answer = tokio::time::timeout(limit, inner.call(request));
        answer.map(|answer| answer.unwrap_or_else(|_| Ok(ApiError::new(Code::Timeout).retry_after(1).into_response())))
    })
}

/// The response when a handler panicked. The panic hook has already logged and counted the panic.
#[must_use]
pub fn panicked(_: Box<dyn Any + Send>) -> Response {
    ApiError::new(Code::Internal).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_only_identifiers_if_its_parameters_are_uuids() {
        const ID: &str = "0192f0c1-2f6b-7c3a-9d5e-6a1b2c3d4e5f";
        for (path, route) in [("/", "/"), ("/api/fleet", "/api/fleet"), (&format!("/api/projects/{ID}/posts"), "/api/projects/{id}/posts")]
        {
            assert!(has_only_identifiers(path, route), "{path}");
        }
        for path in ["/projects/a-slug", "/projects/0192f0c12f6b7c3a9d5e6a1b2c3d4e5f", "/projects/%7Bid%7D", "/projects/", "/projects"] {
            assert!(!has_only_identifiers(path, "/projects/{slug}"), "{path}");
        }
        assert!(!has_only_identifiers(&format!("/files/{ID}/hunter2"), "/files/{*path}"));
    }
}
