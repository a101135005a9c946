//! Tokens with which to act on a platform: those that are stored, refreshed when they are about to end.
//!
//! A refresh token works once: whoever refreshes claims the account first, and the claim ends by itself if its replica dies. A refresh
//! that has begun is finished even when nobody waits for it any more: the tokens that it gives would be lost.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use tokio::time::sleep;
use uuid::Uuid;

use super::error::ProviderError;
use super::model::{Account, Status, Tokens};
use super::service::{Inner, Oauth, OauthError};
use super::store::{self, Kept};
use super::{events, work};
use crate::db::StoreError;
use crate::metrics::labels::Platform;

/// A token that ends within this time is refreshed before it is used.
const MARGIN: Duration = Duration::from_secs(30);
/// Longer than a refresh and the note of it take.
const CLAIM: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// A token with which to act on a platform for somebody.
#[derive(Clone, Debug)]
pub struct Access {
    /// The linked account.
    pub account: Uuid,
    /// Who it is there.
    pub subject: String,
    /// What people call it there.
    pub handle: String,
    /// For `Authorization: Bearer`.
    pub token: SecretString,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The user has linked no account there.
    #[error("no account is linked")]
    NotLinked,
    /// The platform takes no token of the account any more.
    #[error("the account must be linked again")]
    Expired,
    /// Another refresh did not end in time.
    #[error("the account is being refreshed")]
    Busy,
    /// The platform did not refresh the token.
    #[error(transparent)]
    Platform(#[from] ProviderError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Oauth {
    /// A token for acting on a platform for a user.
    ///
    /// # Errors
    /// As [`AccessError`] says.
    pub async fn access(&self, user: Uuid, platform: Platform, deadline: Instant) -> Result<Access, AccessError> {
        let id = store::find_id(&mut self.0.db.acquire().await?, user, platform).await?.ok_or(AccessError::NotLinked)?;
        self.usable(id, None, deadline).await
    }

    /// Another one in place of one that the platform did not take.
    ///
    /// # Errors
    /// As [`AccessError`] says; `Expired` when the platform gives no other.
    pub async fn renew(&self, refused: &Access, deadline: Instant) -> Result<Access, AccessError> {
        self.usable(refused.account, Some(&refused.token), deadline).await
    }

    async fn usable(&self, id: Uuid, refused: Option<&SecretString>, deadline: Instant) -> Result<Access, AccessError> {
        // What was just given is used, however soon it ends.
        let mut is_fresh = false;
        loop {
            let found = store::find(&mut self.0.db.acquire().await?, id).await?;
            let (account, kept) = found.ok_or(AccessError::NotLinked)?;
            let Some(opened) = self.opened(&account, &kept).await? else { return Err(AccessError::Expired) };
            let is_refused = refused.is_some_and(|token| token.expose_secret() == opened.expose_secret());
            let ends = account.expires_at.is_some_and(|at| at <= OffsetDateTime::now_utc() + MARGIN);
            if !is_refused && (is_fresh || !ends) {
                return Ok(Access { account: id, subject: account.subject, handle: account.handle, token: opened });
            }
            match self.refresh_once(account, kept, deadline).await {
                Ok(()) => is_fresh = true,
                Err(OauthError::RefreshInProgress) if Instant::now() < deadline => sleep(PAUSE).await,
                Err(OauthError::RefreshInProgress) => return Err(AccessError::Busy),
                Err(OauthError::Provider(error)) => return Err(error.into()),
                Err(OauthError::Store(error)) => return Err(error.into()),
                // Nothing else is left to try.
                Err(_) => return Err(AccessError::Expired),
            }
        }
    }

    /// The access token, unless it is of no use any more.
    async fn opened(&self, account: &Account, kept: &Kept) -> Result<Option<SecretString>, StoreError> {
        if account.status == Status::Expired {
            return Ok(None);
        }
        if let Ok(opened) = self.0.vault.open(kept) {
            return Ok(Some(opened.access));
        }
        store::expire(&mut self.0.db.acquire().await?, kept).await?;
        Ok(None)
    }

    /// Refreshes an account of a user, whether its token ends or not.
    pub(super) async fn refresh(&self, user: Uuid, id: Uuid) -> Result<Account, OauthError> {
        let mine = async || {
            let found = store::find(&mut self.0.db.acquire().await?, id).await?;
            found.filter(|(account, _)| account.user_id == user).ok_or(OauthError::NoSuchAccount)
        };
        let (account, kept) = mine().await?;
        if account.status == Status::Expired {
            return Err(OauthError::LinkExpired);
        }
        if kept.refresh.is_none() {
            return Err(OauthError::RefreshUnsupported);
        }
        self.refresh_once(account, kept, self.deadline()).await?;
        Ok(mine().await?.0)
    }

    async fn refresh_once(&self, account: Account, kept: Kept, deadline: Instant) -> Result<(), OauthError> {
        let (oauth, claim) = (self.clone(), Uuid::new_v4());
        if !store::claim_refresh(&mut self.0.db.acquire().await?, &kept, claim, CLAIM).await? {
            return Err(OauthError::RefreshInProgress);
        }
        let claimed_until = Instant::now() + CLAIM;
        let refresh = async move { oauth.refresh_claimed(&account, &kept, claim, deadline, claimed_until).await };
        tokio::spawn(refresh).await.unwrap_or(Err(OauthError::RefreshInProgress))
    }

    async fn refresh_claimed(
        &self,
        account: &Account,
        kept: &Kept,
        claim: Uuid,
        deadline: Instant,
        claimed_until: Instant,
    ) -> Result<(), OauthError> {
        let Inner { background, providers, vault, metrics, .. } = &*self.0;
        let refresh = vault.open(kept).ok().and_then(|opened| opened.refresh);
        let refreshed = match (&refresh, self.settings(account.platform)) {
            (Some(refresh), Ok(settings)) => providers.refresh(settings, refresh, deadline).await,
            _ => Err(ProviderError::GrantRefused),
        };
        match refreshed {
            Ok(tokens) => {
                self.keep(account, claim, &tokens, claimed_until).await?;
                events::refreshed(metrics, account.platform, account.id);
                Ok(())
            }
            Err(error) => {
                events::not_refreshed(metrics, account.platform, account.id, &error);
                let expired = matches!(error, ProviderError::GrantRefused);
                store::release_refresh(&mut background.acquire().await?, account.id, claim, expired).await?;
                Err(if expired { OauthError::LinkExpired } else { error.into() })
            }
        }
    }

    /// Stores new tokens, however often it takes: the old ones work no more.
    async fn keep(&self, account: &Account, claim: Uuid, tokens: &Tokens, until: Instant) -> Result<(), StoreError> {
        let sealed = self.0.vault.seal(account.id, tokens);
        loop {
            match self.keep_once(account, claim, &sealed).await {
                Err(error) if Instant::now() < until => {
                    tracing::warn!(account = %account.id, error = &error as &dyn std::error::Error, "new tokens could not be stored yet");
                    sleep(PAUSE).await;
                }
                ended => return ended,
            }
        }
    }

    async fn keep_once(&self, account: &Account, claim: Uuid, sealed: &store::Sealed) -> Result<(), StoreError> {
        let Inner { background, queue, .. } = &*self.0;
        let mut tx = background.begin().await?;
        if !store::refreshed(&mut tx, account.id, claim, sealed).await? {
            // Unlinked or linked anew meanwhile: nobody will use these.
            let unused = Kept { id: account.id, access: sealed.access.clone(), refresh: sealed.refresh.clone() };
            queue.enqueue(&mut tx, &work::revocation(account.platform, &unused)).await?;
        }
        tx.commit().await?;
        queue.wake();
        Ok(())
    }
}
