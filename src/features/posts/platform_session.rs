//! Calls to a platform's API for a user. If the platform rejects the token, the token is renewed once.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::service::{Parts, Posts};
use crate::db::StoreError;
use crate::features::oauth::{Access, AccessError, ProviderError};
use crate::platforms::Settings;
use crate::platforms::api::{ApiFailure, Session};

/// Delay after a rate limit if the response states no delay; `LinkedIn` never states one.
const DEFAULT_DELAY: Duration = Duration::from_mins(1);

/// Why a call to a platform failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ActError {
    #[error("no account is linked")]
    NotLinked,
    #[error("the account must be linked again")]
    LinkExpired,
    /// A later call may succeed. `after` is the time to wait before that call, if known.
    #[error("{reason}")]
    Later { reason: String, after: Option<Duration> },
    /// A repetition of this call would fail again.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Access to a platform for a user, until a deadline.
pub struct Acting<'a> {
    parts: &'a Parts,
    settings: &'a Settings,
    deadline: Instant,
    access: Access,
    is_renewed: bool,
}

impl<'a> Acting<'a> {
    /// Loads the stored token, and refreshes it if it expires soon.
    pub async fn begin(posts: &'a Posts, settings: &'a Settings, user: Uuid, deadline: Instant) -> Result<Self, ActError> {
        let parts = posts.parts();
        let access = parts.oauth.access(user, settings.platform, deadline).await?;
        Ok(Self { parts, settings, deadline, access, is_renewed: false })
    }

    /// A session of the platform's API with the current token.
    pub fn session(&self) -> Session<'_> {
        self.parts.platforms.session(self.settings, &self.access.token, self.deadline)
    }

    /// Identifier of the user on the platform.
    pub fn subject(&self) -> &str {
        &self.access.subject
    }

    /// Handles a failed call. After `Ok`, the caller repeats the call with a new [`session`](Self::session); after an error, it does not.
    pub async fn recover(&mut self, failure: ApiFailure) -> Result<(), ActError> {
        let later = |reason: String, after: Option<Duration>| Err(ActError::Later { reason, after });
        let reason = failure.to_string();
        match failure {
            ApiFailure::Unauthorised if self.is_renewed => {
                self.parts.oauth.expire(&self.access).await?;
                Err(ActError::LinkExpired)
            }
            ApiFailure::Unauthorised => {
                self.access = self.parts.oauth.renew(&self.access, self.deadline).await?;
                self.is_renewed = true;
                Ok(())
            }
            ApiFailure::RateLimited { after } => later(reason, after.or(Some(DEFAULT_DELAY))),
            ApiFailure::NoAnswer(_) | ApiFailure::Failed(_) | ApiFailure::NotUnderstood => later(reason, None),
            ApiFailure::Refused(_) => Err(ActError::Refused(reason)),
        }
    }
}

impl From<AccessError> for ActError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NotLinked => Self::NotLinked,
            AccessError::Expired | AccessError::Platform(ProviderError::GrantRefused) => Self::LinkExpired,
            AccessError::Busy | AccessError::NotConfigured => Self::Later { reason: error.to_string(), after: None },
            AccessError::Platform(ProviderError::Unavailable { ref reason, after }) => Self::Later { reason: reason.clone(), after },
            AccessError::Platform(ProviderError::ClientRefused(_) | ProviderError::Distrusted(_)) => Self::Refused(error.to_string()),
            AccessError::Store(error) => Self::Store(error),
        }
    }
}
