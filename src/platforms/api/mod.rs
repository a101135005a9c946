//! How each platform's own API is spoken: who somebody is there, and for those that one can post on, a post and a look at the figures.
//!
//! One file a platform; what they share is here. Requests carry a token that the feature `oauth` keeps.

mod github;
mod mastodon;
mod x;

use std::time::{Duration, Instant};

use openidconnect::http::header::{ACCEPT, AUTHORIZATION, RETRY_AFTER};
use openidconnect::http::{self, Method};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::client::{CallError, Request, Response};
use super::settings::below;
use super::{Platforms, Settings};
use crate::metrics::labels::{ApiEndpoint, Platform};

/// Who somebody is on a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Never given to anybody else there.
    pub subject: String,
    /// What people call the account.
    pub handle: String,
    /// The name of whoever has it.
    pub name: String,
    /// An address that the platform has verified.
    pub email: Option<String>,
}

/// Why a platform did not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ApiFailure {
    /// It did not answer.
    #[error(transparent)]
    NoAnswer(#[from] CallError),
    /// It wants to be left alone, for so long if it said so.
    #[error("the platform asks for fewer requests")]
    RateLimited {
        /// From its `Retry-After`.
        after: Option<Duration>,
    },
    /// It does not take the token, or not any more.
    #[error("the platform does not take the token")]
    Unauthorised,
    /// It will never do this.
    #[error("the platform refused: {0}")]
    Refused(String),
    /// It failed this time.
    #[error("the platform failed with status {0}")]
    Failed(u16),
    /// It answered something that is not in its documentation.
    #[error("the platform's answer is not understood")]
    NotUnderstood,
}

/// A token's way to a platform's API, until a deadline.
pub struct Session<'a> {
    platforms: &'a Platforms,
    settings: &'a Settings,
    token: &'a SecretString,
    deadline: Instant,
}

impl Platforms {
    /// The API of a platform for whoever has this token.
    #[must_use]
    pub fn session<'a>(&'a self, settings: &'a Settings, token: &'a SecretString, deadline: Instant) -> Session<'a> {
        Session { platforms: self, settings, token, deadline }
    }
}

impl Session<'_> {
    /// Who the token is for.
    ///
    /// # Errors
    /// As [`ApiFailure`] says.
    pub async fn identity(&self) -> Result<Identity, ApiFailure> {
        match self.settings.platform {
            Platform::Github => github::identity(self).await,
            Platform::Mastodon => mastodon::identity(self).await,
            Platform::X => x::identity(self).await,
            // They state it themselves (OpenID Connect).
            Platform::Gitlab | Platform::Google | Platform::Linkedin => Err(ApiFailure::NotUnderstood),
        }
    }

    /// Reads a resource of the API.
    async fn get<T: DeserializeOwned>(&self, endpoint: ApiEndpoint, path: &str) -> Result<T, ApiFailure> {
        let response = self.send(endpoint, self.request(Method::GET, path), Vec::new()).await?;
        serde_json::from_slice(response.body()).map_err(|_| ApiFailure::NotUnderstood)
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let url = self.settings.api_url.as_ref().map(|base| with_path(base, path));
        http::Request::builder()
            .method(method)
            .uri(url.as_ref().map_or("", Url::as_str))
            .header(AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()))
            .header(ACCEPT, "application/json")
    }

    async fn send(&self, endpoint: ApiEndpoint, request: http::request::Builder, body: Vec<u8>) -> Result<Response, ApiFailure> {
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

fn with_path(base: &Url, path: &str) -> Url {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut url = below(base, path);
    url.set_query(query);
    url
}

/// Seconds only: no platform that we know sends a date (RFC 9110, 10.2.3).
fn retry_after(response: &Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// What the platform says for people, wherever its errors say it.
fn reason(status: u16, body: &[u8]) -> String {
    const LONGEST: usize = 200;
    let said = serde_json::from_slice::<serde_json::Value>(body).ok();
    let text = said
        .as_ref()
        .and_then(|said| ["detail", "message", "error_description", "error", "title"].iter().find_map(|key| said[key].as_str()));
    match text {
        Some(text) => format!("status {status}: {}", text.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>()),
        None => format!("status {status}"),
    }
}
