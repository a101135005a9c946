//! The HTTP client for platforms: every call has a deadline and a maximum response size, is measured, and follows no redirect.
//!
//! A redirect would carry a token or a code to an address that the response chooses. [`api`](super::api) and the feature `oauth`
//! build the requests.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::AsyncHttpClient;
use openidconnect::http;
use openidconnect::http::header::{HeaderValue, USER_AGENT};

use crate::domain::Platform;
use crate::metrics::Metrics;
use crate::metrics::labels::{ApiEndpoint, ApiStatus};
use crate::telemetry::spans::{self, Span};

/// A request with its whole body.
pub type Request = http::Request<Vec<u8>>;
/// A response with its whole body.
pub type Response = http::Response<Vec<u8>>;

/// Largest accepted response body. Real bodies are far smaller.
const ANSWER_LIMIT: usize = 512 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The `User-Agent`: GitHub refuses requests without one.
const NAME: &str = concat!("vitrine/", env!("CARGO_PKG_VERSION"));

/// Opens a new connection for each call, because the platform may close a reused connection during a call, and some calls must not be
/// repeated. Calls are rare.
type Connections = Http<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Why a call has no complete response.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The platform is unreachable, or closed the connection early.
    #[error("the platform cannot be reached: {0}")]
    Unreachable(String),
    /// The platform did not respond before the deadline; the call may have taken effect.
    #[error("the platform did not respond in time")]
    Timeout,
    /// The response exceeds the size limit.
    #[error("the platform's response is too long")]
    TooLong,
}

/// The client for all platforms; a clone is cheap.
#[derive(Clone)]
pub struct Client {
    http: Connections,
    metrics: Metrics,
}

impl Client {
    pub(super) fn new(metrics: Metrics) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.enforce_http(false);
        let https = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().wrap_connector(tcp);
        let http = Http::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https);
        Self { http, metrics }
    }

    /// Makes one call, which ends at `deadline` at the latest. A response with an error status is `Ok`, too.
    ///
    /// # Errors
    /// When no complete response arrives.
    pub async fn call(
        &self,
        platform: Platform,
        endpoint: ApiEndpoint,
        request: Request,
        deadline: Instant,
    ) -> Result<Response, CallError> {
        let span = spans::platform_call(platform, endpoint, request.method().as_str(), request.uri().host());
        let mut report = Report { metrics: &self.metrics, platform, endpoint, start: Instant::now(), status: ApiStatus::Cancelled, span };
        let answer = tokio::time::timeout_at(deadline.into(), self.send(request)).await.unwrap_or(Err(CallError::Timeout));
        report.status = match &answer {
            Ok(response) => {
                report.span.received(response.status().as_u16());
                status(response.status())
            }
            Err(CallError::Timeout) => ApiStatus::Timeout,
            Err(CallError::Unreachable(_)) => ApiStatus::Unreachable,
            Err(CallError::TooLong) => ApiStatus::Failed,
        };
        if let Err(error) = &answer {
            tracing::info!(platform = platform.name(), endpoint = endpoint.name(), error = error as &dyn Error, "platform call failed");
        }
        answer
    }

    async fn send(&self, request: Request) -> Result<Response, CallError> {
        let mut request = request.map(Full::from);
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(NAME));
        let answer = self.http.request(request).await.map_err(|error| CallError::Unreachable(innermost(&error)))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { CallError::TooLong } else { CallError::Unreachable(innermost(&*error)) }
        })?;
        Ok(http::Response::from_parts(head, body.to_bytes().to_vec()))
    }

    /// An adapter to one endpoint, for libraries that build their own requests.
    #[must_use]
    pub fn channel(&self, platform: Platform, endpoint: ApiEndpoint, deadline: Instant) -> Channel {
        Channel(Arc::new((self.clone(), platform, endpoint, deadline)))
    }
}

/// The adapter that [`Client::channel`] returns: all requests have the same endpoint label and the same deadline.
pub struct Channel(Arc<(Client, Platform, ApiEndpoint, Instant)>);

impl<'c> AsyncHttpClient<'c> for Channel {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, CallError>> + Send + 'c>>;

    fn call(&'c self, request: Request) -> Self::Future {
        let (client, platform, endpoint, deadline) = &*self.0;
        Box::pin(client.call(*platform, *endpoint, request, *deadline))
    }
}

fn status(status: http::StatusCode) -> ApiStatus {
    match status.as_u16() {
        200..300 => ApiStatus::Success,
        429 => ApiStatus::RateLimited,
        500.. => ApiStatus::Failed,
        // Includes 3xx, because redirects are not followed.
        _ => ApiStatus::Refused,
    }
}

/// The root cause only: the outer errors just name the step that failed, such as `client error (Connect)`.
fn innermost(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// Records the metrics and the span on drop, so that a cancelled call is counted too.
struct Report<'a> {
    metrics: &'a Metrics,
    platform: Platform,
    endpoint: ApiEndpoint,
    start: Instant,
    status: ApiStatus,
    span: Span,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        if self.status != ApiStatus::Success {
            self.span.failed(self.status.name());
        }
        let (platform, endpoint) = (self.platform.name(), self.endpoint.name());
        self.metrics.social_api_duration.with(&[platform, endpoint]).record(self.start.elapsed().as_secs_f64());
        self.metrics.social_api_calls.with(&[platform, endpoint, self.status.name()]).increment(1);
    }
}
