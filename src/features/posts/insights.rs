//! Insights: what a linked account has come to, read through the platform's API and believed for a while.
//!
//! What is cached belongs to the linked account: whoever has unlinked it cannot reach it any more.

use std::time::Duration;

use time::OffsetDateTime;

use super::acting::{ActError, Acting};
use super::model::Figures;
use super::service::{Parts, Posts};
use crate::db::StoreError;
use crate::features::accounts::User;
use crate::features::oauth::Status;
use crate::metrics::labels::{CacheType, Platform};
use crate::platforms::Settings;
use crate::platforms::api::Insights;

/// When to ask again a platform that does not say when.
const UNTOLD: Duration = Duration::from_secs(5);

/// Why there are no insights.
#[derive(Debug, thiserror::Error)]
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

impl InsightsError {
    fn of(platform: Platform, error: ActError) -> Self {
        match error {
            ActError::NotLinked => Self::NotLinked(platform),
            ActError::LinkExpired => Self::LinkExpired(platform),
            ActError::Later { reason, after } => Self::Unavailable { reason, after: after.unwrap_or(UNTOLD) },
            ActError::Refused(reason) => Self::Unavailable { reason, after: UNTOLD },
            ActError::Store(error) => Self::Store(error),
        }
    }
}

impl Posts {
    /// What the user's account on a platform has come to.
    pub(super) async fn insights(&self, user: &User, platform: Platform) -> Result<Figures, InsightsError> {
        let Parts { db, cache, oauth, .. } = self.parts();
        let settings = self.offered(platform).ok_or(InsightsError::NotOffered)?;
        let accounts = oauth.accounts(&mut db.acquire().await?, user.id).await?;
        let account = accounts.into_iter().find(|account| account.platform == platform).ok_or(InsightsError::NotLinked(platform))?;
        if account.status == Status::Expired {
            return Err(InsightsError::LinkExpired(platform));
        }
        let load = async || {
            let Insights { followers, posts } = self.ask(settings, user).await?;
            Ok::<_, ActError>(Some(Figures { handle: account.handle.clone(), followers, posts, as_of: OffsetDateTime::now_utc() }))
        };
        let figures = cache.get_or_load(CacheType::Insights, &account.id.to_string(), load).await;
        figures.map_err(|error| InsightsError::of(platform, error))?.ok_or(InsightsError::NotLinked(platform))
    }

    async fn ask(&self, settings: &Settings, user: &User) -> Result<Insights, ActError> {
        let mut acting = Acting::begin(self, settings, user.id, self.parts().oauth.deadline()).await?;
        loop {
            match acting.session().insights().await {
                Ok(insights) => return Ok(insights),
                Err(failure) => acting.recover(failure).await?,
            }
        }
    }
}
