//! The way to platforms: every call has a deadline, a bound on its answer and a count, and follows no redirect.
//!
//! A redirect would carry a token or a code to wherever the answer says (RFC 9700, 4.11). What a call says is for [`api`](super::api)
//! and the feature `oauth`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openidconnect::AsyncHttpClient;
use openidconnect::http;

use crate::metrics::Metrics;
use crate::metrics::labels::{ApiEndpoint, ApiStatus, Platform};

/// What is sent.
pub type Request = http::Request<Vec<u8>>;
/// What comes back.
pub type Response = http::Response<Vec<u8>>;

/// No answer that we read is anywhere near as long.
const ANSWER_LIMIT: usize = 512 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a call has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The platform cannot be reached, or broke off.
    #[error("the platform cannot be reached: {0}")]
    Unreachable(String),
    /// It did not answer in time; the call may have had its effect.
    #[error("the platform did not answer in time")]
    Timeout,
    /// It answers more than is read.
    #[error("the platform's answer is too long")]
    TooLong,
}

/// The way to all platforms; clones share it.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    metrics: Metrics,
}

impl Client {
    pub(super) fn new(metrics: Metrics) -> reqwest::Result<Self> {
        // Set by whoever is first; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("vitrine/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, metrics })
    }

    /// One call, answered until `deadline` or not at all. Any status is an answer.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub async fn call(
        &self,
        platform: Platform,
        endpoint: ApiEndpoint,
        request: Request,
        deadline: Instant,
    ) -> Result<Response, CallError> {
        let mut report = Report { metrics: &self.metrics, platform, endpoint, start: Instant::now(), status: ApiStatus::Cancelled };
        let answer = tokio::time::timeout_at(deadline.into(), self.send(request)).await.unwrap_or(Err(CallError::Timeout));
        report.status = match &answer {
            Ok(response) => status(response.status()),
            Err(CallError::Timeout) => ApiStatus::Timeout,
            Err(CallError::Unreachable(_)) => ApiStatus::Unreachable,
            Err(CallError::TooLong) => ApiStatus::Failed,
        };
        if let Err(error) = &answer {
            tracing::info!(platform = platform.name(), endpoint = endpoint.name(), error = error as &dyn std::error::Error, "platform");
        }
        answer
    }

    async fn send(&self, request: Request) -> Result<Response, CallError> {
        let unreachable = |error: reqwest::Error| CallError::Unreachable(innermost(&error));
        let request = reqwest::Request::try_from(request).map_err(unreachable)?;
        let mut answer = self.http.execute(request).await.map_err(unreachable)?;
        let mut response = http::Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if response.body().len() + chunk.len() > ANSWER_LIMIT {
                return Err(CallError::TooLong);
            }
            response.body_mut().extend_from_slice(&chunk);
        }
        Ok(response)
    }

    /// The way to one endpoint, for libraries that bring their own requests.
    #[must_use]
    pub fn channel(&self, platform: Platform, endpoint: ApiEndpoint, deadline: Instant) -> Channel {
        Channel(Arc::new((self.clone(), platform, endpoint, deadline)))
    }
}

/// The way to one endpoint until a deadline.
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
        // A redirect is not followed, and so is no success.
        200..300 => ApiStatus::Success,
        429 => ApiStatus::RateLimited,
        500.. => ApiStatus::Failed,
        _ => ApiStatus::Refused,
    }
}

/// The cause; what is around it names the address, which may hold a code.
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// Reports on drop, and so also when nobody waits any more.
struct Report<'a> {
    metrics: &'a Metrics,
    platform: Platform,
    endpoint: ApiEndpoint,
    start: Instant,
    status: ApiStatus,
}

impl Drop for Report<'_> {
    fn drop(&mut self) {
        let (platform, endpoint) = (self.platform.name(), self.endpoint.name());
        self.metrics.social_api_duration.with(&[platform, endpoint]).record(self.start.elapsed().as_secs_f64());
        self.metrics.social_api_calls.with(&[platform, endpoint, self.status.name()]).increment(1);
    }
}
