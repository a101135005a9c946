//! Acting on a platform for a user: a token that the platform does not take is renewed once.

use std::time::Instant;

use uuid::Uuid;

use super::service::{Parts, Posts};
use crate::features::oauth::{Access, AccessError};
use crate::platforms::Settings;
use crate::platforms::api::{ApiFailure, Session};

/// A user's way to a platform, until a deadline.
pub struct Acting<'a> {
    parts: &'a Parts,
    settings: &'a Settings,
    deadline: Instant,
    access: Access,
    is_renewed: bool,
}

impl<'a> Acting<'a> {
    /// With the token that is stored.
    pub async fn begin(posts: &'a Posts, settings: &'a Settings, user: Uuid, deadline: Instant) -> Result<Self, AccessError> {
        let parts = posts.parts();
        let access = parts.oauth.access(user, settings.platform, deadline).await?;
        Ok(Self { parts, settings, deadline, access, is_renewed: false })
    }

    /// The platform's API.
    pub fn session(&self) -> Session<'_> {
        self.parts.platforms.session(self.settings, &self.access.token, self.deadline)
    }

    /// Who the user is there.
    pub fn subject(&self) -> &str {
        &self.access.subject
    }

    /// After a failure: either the same may be asked again, or the failure is final.
    pub async fn recover(&mut self, failure: ApiFailure) -> Result<(), AccessError> {
        match failure {
            ApiFailure::Unauthorised if self.is_renewed => Err(AccessError::Expired),
            ApiFailure::Unauthorised => {
                self.access = self.parts.oauth.renew(&self.access, self.settings.platform, self.deadline).await?;
                self.is_renewed = true;
                Ok(())
            }
            failure => Err(failure.into()),
        }
    }
}
