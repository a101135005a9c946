//! Insights: what a linked account has come to, read through the platform's API and believed for a while.
//!
//! What is cached belongs to the linked account: whoever has unlinked it cannot reach it any more.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::acting::Acting;
use super::model::Figures;
use super::service::{Parts, Posts};
use crate::db::StoreError;
use crate::features::accounts::User;
use crate::features::oauth::AccessError;
use crate::metrics::labels::{CacheType, Platform};
use crate::platforms::Settings;
use crate::platforms::api::{ApiFailure, Insights};

/// When to ask again a platform that does not say when.
const UNTOLD: Duration = Duration::from_secs(5);

/// Why there are no insights.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InsightsError {
    #[error("one cannot post on this platform here")]
    NotOffered,
    #[error("no account of {} is linked", .0.name())]
    NotLinked(Platform),
    #[error("the account of {} must be linked again", .0.name())]
    LinkExpired(Platform),
    #[error("{reason}")]
    Unavailable { reason: String, after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Posts {
    /// What the user's account on a platform has come to.
    pub(super) async fn insights(&self, user: &User, platform: Platform) -> Result<Figures, InsightsError> {
        let Parts { db, cache, oauth, .. } = self.parts();
        let settings = self.offered(platform).ok_or(InsightsError::NotOffered)?;
        let linked = oauth.linked(&mut db.acquire().await?, user.id, platform).await?;
        let linked = linked.ok_or(InsightsError::NotLinked(platform))?;
        if !linked.is_active {
            return Err(InsightsError::LinkExpired(platform));
        }
        let load = async || {
            let insights = self.ask(settings, user).await.map_err(|error| InsightsError::of(platform, error))?;
            let (handle, as_of) = (linked.handle.clone(), OffsetDateTime::now_utc());
            Ok::<_, InsightsError>(Some(Figures { handle, followers: insights.followers, posts: insights.posts, as_of }))
        };
        let figures = cache.get_or_load(CacheType::Insights, &linked.id.to_string(), load).await?;
        figures.ok_or(InsightsError::NotLinked(platform))
    }

    async fn ask(&self, settings: &Settings, user: &User) -> Result<Insights, AccessError> {
        let mut acting = Acting::begin(self, settings, user.id, Instant::now() + self.parts().timeout).await?;
        loop {
            match acting.session().insights().await {
                Ok(insights) => return Ok(insights),
                Err(failure) => acting.recover(failure).await?,
            }
        }
    }
}

impl InsightsError {
    fn of(platform: Platform, error: AccessError) -> Self {
        let unavailable = |reason: String, after: Option<Duration>| Self::Unavailable { reason, after: after.unwrap_or(UNTOLD) };
        match error {
            AccessError::NotLinked => Self::NotLinked(platform),
            AccessError::Expired => Self::LinkExpired(platform),
            AccessError::Busy => unavailable(error.to_string(), None),
            AccessError::Store(error) => Self::Store(error),
            AccessError::Platform(failure) => match failure {
                ApiFailure::RateLimited { after } => unavailable(failure.to_string(), after),
                ApiFailure::NoAnswer(_)
                | ApiFailure::Unauthorised
                | ApiFailure::Refused(_)
                | ApiFailure::Failed(_)
                | ApiFailure::NotUnderstood => unavailable(failure.to_string(), None),
            },
        }
    }
}
