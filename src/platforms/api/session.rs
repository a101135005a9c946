//! Access to a platform's API: requests with one token, their responses and their failures. The requests of each platform are in the
//! file named after it.

use std::time::{Duration, Instant};

use openidconnect::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use openidconnect::http::{self, Method};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;

use super::super::Platforms;
use super::super::client::{CallError, Request, Response};
use super::super::settings::{Settings, below};
use crate::metrics::labels::ApiEndpoint;

/// A user's account on a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's identifier; the platform never reuses it.
    pub subject: String,
    /// The account's public handle.
    pub handle: String,
    /// The display name of the account's owner.
    pub name: String,
    /// An address that the platform has verified.
    pub email: Option<String>,
}

/// A published post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The post's identifier on the platform, at most 200 characters.
    pub remote_id: String,
    /// The post's public URL: http or https, at most 200 characters.
    pub url: Option<String>,
}

/// The figures of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insights {
    /// Number of followers.
    pub followers: u64,
    /// Number of posts, if the platform reveals it.
    pub posts: Option<u64>,
}

/// Why a call to a platform's API failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiFailure {
    /// No complete response arrived.
    #[error(transparent)]
    NoAnswer(#[from] CallError),
    /// The platform limits the rate of requests (429).
    #[error("the platform's rate limit is exceeded")]
    RateLimited {
        /// The delay that the platform asks for, from `Retry-After` or its own headers.
        after: Option<Duration>,
    },
    /// The platform rejected the token (401): it is invalid, expired or revoked.
    #[error("the platform rejected the token")]
    Unauthorised,
    /// The platform refused the request, or Vitrine could not build it. A retry would fail again.
    #[error("the platform refused: {0}")]
    Refused(String),
    /// The platform failed (408 or 5xx): a retry may succeed.
    #[error("the platform failed with status {0}")]
    Failed(u16),
    /// The response does not match the platform's documentation.
    #[error("the platform sent an unexpected response")]
    NotUnderstood,
}

/// Access to a platform's API with one token, until a deadline.
pub struct Session<'a> {
    platforms: &'a Platforms,
    pub(super) settings: &'a Settings,
    token: &'a SecretString,
    deadline: Instant,
}

impl Platforms {
    /// Access to the platform's API as the owner of the token.
    #[must_use]
    pub fn session<'a>(&'a self, settings: &'a Settings, token: &'a SecretString, deadline: Instant) -> Session<'a> {
        Session { platforms: self, settings, token, deadline }
    }
}

impl Session<'_> {
    /// Reads a resource of the API.
    pub(super) async fn get<T: DeserializeOwned>(&self, endpoint: ApiEndpoint, path: &str) -> Result<T, ApiFailure> {
        understood(&self.send(endpoint, self.request(Method::GET, path), Vec::new()).await?)
    }

    /// Sends a post with its idempotency key.
    pub(super) async fn post(&self, request: http::request::Builder, key: &str, body: &impl Serialize) -> Result<Response, ApiFailure> {
        let request = request.header(CONTENT_TYPE, "application/json").header("Idempotency-Key", key);
        self.send(ApiEndpoint::Post, request, serde_json::to_vec(body).map_err(|_| ApiFailure::NotUnderstood)?).await
    }

    pub(super) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let url = self.settings.api_url.as_ref().map(|base| with_path(base, path));
        http::Request::builder()
            .method(method)
            .uri(url.as_ref().map_or("", Url::as_str))
            .header(AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()))
            .header(ACCEPT, "application/json")
    }

    pub(super) async fn send(&self, endpoint: ApiEndpoint, request: http::request::Builder, body: Vec<u8>) -> Result<Response, ApiFailure> {
        let request: Request = request.body(body).map_err(|error| ApiFailure::Refused(error.to_string()))?;
        let response = self.platforms.client().call(self.settings.platform, endpoint, request, self.deadline).await?;
        match response.status().as_u16() {
            200..300 => Ok(response),
            401 => Err(ApiFailure::Unauthorised),
            429 => Err(ApiFailure::RateLimited { after: retry_after(&response) }),
            408 => Err(ApiFailure::Failed(408)),
            failed @ 500.. => Err(ApiFailure::Failed(failed)),
            refused => Err(ApiFailure::Refused(reason(refused, response.body()))),
        }
    }
}

impl Published {
    /// Accepts only values that Vitrine can store and safely link to, because platforms are untrusted.
    pub(super) fn checked(self) -> Result<Self, ApiFailure> {
        const LONGEST: usize = 200;
        let fits = |text: &str| (1..=LONGEST).contains(&text.chars().count()) && !text.contains(char::is_control);
        let is_web = |url: &String| fits(url) && Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if fits(&self.remote_id) && self.url.as_ref().is_none_or(is_web) { Ok(self) } else { Err(ApiFailure::NotUnderstood) }
    }
}

/// Parses the body of a response.
pub fn understood<T: DeserializeOwned>(response: &Response) -> Result<T, ApiFailure> {
    serde_json::from_slice(response.body()).map_err(|_| ApiFailure::NotUnderstood)
}

fn with_path(base: &Url, path: &str) -> Url {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut url = below(base, path);
    url.set_query(query);
    url
}

/// The delay that the platform asks for. `Retry-After` is parsed only as seconds: no known platform sends a date (RFC 9110, 10.2.3).
/// Instead of `Retry-After`, X and Mastodon send the time at which their limit resets.
fn retry_after(response: &Response) -> Option<Duration> {
    let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::trim);
    let until = |then: OffsetDateTime| Duration::try_from(then - OffsetDateTime::now_utc()).unwrap_or_default();
    let seconds = || header(RETRY_AFTER.as_str())?.parse().ok().map(Duration::from_secs);
    let of_x = || OffsetDateTime::from_unix_timestamp(header("x-rate-limit-reset")?.parse().ok()?).ok().map(until);
    let of_mastodon = || OffsetDateTime::parse(header("x-ratelimit-reset")?, &Rfc3339).ok().map(until);
    seconds().or_else(of_x).or_else(of_mastodon)
}

/// The status, and the platform's human-readable message if the body has one. Platforms put the message into different fields.
fn reason(status: u16, body: &[u8]) -> String {
    const LONGEST: usize = 200;
    let parsed = serde_json::from_slice::<serde_json::Value>(body).ok();
    let text = parsed
        .as_ref()
        .and_then(|parsed| ["detail", "message", "error_description", "error", "title"].iter().find_map(|key| parsed[key].as_str()));
    match text {
        Some(text) => format!("status {status}: {}", text.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>()),
        None => format!("status {status}"),
    }
}
