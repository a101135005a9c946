//! Insights: figures of a linked account, read through the platform's API and cached.
//!
//! The cache key is the identifier of the linked account. A user who links another account therefore never gets the cached figures of
//! the earlier account.

use std::time::Duration;

use time::OffsetDateTime;

use super::model::Figures;
use super::platform_session::{ActError, Acting};
use super::service::{Parts, Posts};
use crate::db::StoreError;
use crate::domain::Platform;
use crate::features::accounts::User;
use crate::features::oauth::Status;
use crate::metrics::labels::CacheType;
use crate::platforms::Settings;
use crate::platforms::api::Insights;

/// The response's `Retry-After` if the error states no delay.
const DEFAULT_DELAY: Duration = Duration::from_secs(5);

/// Why no insights are available.
#[derive(Debug, thiserror::Error)]
pub enum InsightsError {
    #[error("posting on this platform is not available")]
    NotOffered,
    #[error("no {} account is linked", .0.name())]
    NotLinked(Platform),
    #[error("the {} account must be linked again", .0.name())]
    LinkExpired(Platform),
    #[error("{reason}")]
    Unavailable { reason: String, after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InsightsError {
    fn of(platform: Platform, error: ActError) -> Self {
        match error {
            ActError::NotLinked => Self::NotLinked(platform),
            ActError::LinkExpired => Self::LinkExpired(platform),
            ActError::Later { reason, after } => Self::Unavailable { reason, after: after.unwrap_or(DEFAULT_DELAY) },
            ActError::Refused(reason) => Self::Unavailable { reason, after: DEFAULT_DELAY },
            ActError::Store(error) => Self::Store(error),
        }
    }
}

impl Posts {
    /// The figures of the user's account on a platform.
    pub(super) async fn insights(&self, user: &User, platform: Platform) -> Result<Figures, InsightsError> {
        let Parts { db, cache, oauth, .. } = self.parts();
        let settings = self.offered(platform).ok_or(InsightsError::NotOffered)?;
        let accounts = oauth.accounts(&mut db.acquire().await?, user.id).await?;
        let account = accounts.into_iter().find(|account| account.platform == platform).ok_or(InsightsError::NotLinked(platform))?;
        if account.status == Status::Expired {
            return Err(InsightsError::LinkExpired(platform));
        }
        let load = async || {
            let Insights { followers, posts } = self.request(settings, user).await?;
            Ok::<_, ActError>(Some(Figures { handle: account.handle.clone(), followers, posts, as_of: OffsetDateTime::now_utc() }))
        };
        let figures = cache.get_or_load(CacheType::Insights, &account.id.to_string(), load).await;
        figures.map_err(|error| InsightsError::of(platform, error))?.ok_or(InsightsError::NotLinked(platform))
    }

    async fn request(&self, settings: &Settings, user: &User) -> Result<Insights, ActError> {
        let mut acting = Acting::begin(self, settings, user.id, self.parts().oauth.deadline()).await?;
        loop {
            match acting.session().insights().await {
                Ok(insights) => return Ok(insights),
                Err(failure) => acting.recover(failure).await?,
            }
        }
    }
}
