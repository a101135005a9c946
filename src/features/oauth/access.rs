//! Access tokens for calls to a platform's API. Tokens are refreshed when they expire soon, when the platform rejects them, or when the
//! user requests a refresh.
//!
//! On some platforms, a refresh token works only once. A replica therefore claims an account before it refreshes the account's tokens; if
//! the replica dies, the claim expires. A started refresh continues even if its caller is cancelled; otherwise the new tokens could be
//! lost.

use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use tokio::time::sleep;
use uuid::Uuid;

use super::error::{OauthError, ProviderError};
use super::model::{Account, Status, Tokens};
use super::service::{Inner, Oauth};
use super::store::{self, StoredTokens};
use super::{events, jobs};
use crate::db::StoreError;
use crate::domain::Platform;
use crate::platforms::Settings;

/// A token that expires within this time is refreshed before use.
const MARGIN: Duration = Duration::from_secs(30);
/// Duration of a claim: longer than the time limits for platform calls (10 s in jobs, at most 15 s in requests: `PLATFORM_TIMEOUT`). The
/// remaining time is for storing the new tokens.
const CLAIM: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// An access token for a user's account on a platform.
#[derive(Clone, Debug)]
pub struct Access {
    /// Identifier of the linked account.
    pub account: Uuid,
    /// Identifier of the user on the platform.
    pub subject: String,
    /// Name of the user on the platform.
    pub handle: String,
    /// Bearer token for the `Authorization` header.
    pub token: SecretString,
}

/// Why no access token is available.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The user has linked no account of this platform.
    #[error("no account is linked")]
    NotLinked,
    /// The platform is not configured on this replica. Another replica may have it.
    #[error("the platform is not configured")]
    NotConfigured,
    /// The platform no longer accepts the account's tokens, or no key opens them.
    #[error("the account must be linked again")]
    Expired,
    /// Another refresh did not finish in time.
    #[error("the account's tokens are being refreshed")]
    Busy,
    /// The platform did not refresh the tokens.
    #[error(transparent)]
    Platform(#[from] ProviderError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Oauth {
    /// Returns an access token for a user's account on a platform.
    ///
    /// # Errors
    /// An [`AccessError`].
    pub async fn access(&self, user: Uuid, platform: Platform, deadline: Instant) -> Result<Access, AccessError> {
        let id = store::find_id(&mut self.0.db.acquire().await?, user, platform).await?.ok_or(AccessError::NotLinked)?;
        self.usable(id, None, deadline).await
    }

    /// Replaces an access token that the platform has rejected.
    ///
    /// # Errors
    /// An [`AccessError`].
    pub async fn renew(&self, refused: &Access, deadline: Instant) -> Result<Access, AccessError> {
        self.usable(refused.account, Some(&refused.token), deadline).await
    }

    /// Marks an account as expired, because the platform rejects a token that was just renewed. Has no effect if the account has another
    /// token by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire(&self, refused: &Access) -> Result<(), StoreError> {
        let mut conn = self.0.db.acquire().await?;
        let Some((account, stored)) = store::find(&mut conn, refused.account).await? else { return Ok(()) };
        let current = self.0.vault.open(&stored).ok().map(|opened| opened.access);
        if current.is_some_and(|current| current.expose_secret() == refused.token.expose_secret()) {
            store::expire(&mut conn, &stored).await?;
            events::renewed_token_refused(account.platform, account.id);
        }
        Ok(())
    }

    async fn usable(&self, id: Uuid, refused: Option<&SecretString>, deadline: Instant) -> Result<Access, AccessError> {
        // A token that this call has refreshed is used even if it expires soon; otherwise this loop would refresh it again and again.
        let mut is_fresh = false;
        loop {
            let found = store::find(&mut self.0.db.acquire().await?, id).await?;
            let (account, stored) = found.ok_or(AccessError::NotLinked)?;
            let Some(opened) = self.opened(&account, &stored).await? else { return Err(AccessError::Expired) };
            let is_refused = refused.is_some_and(|token| token.expose_secret() == opened.expose_secret());
            let ends = account.expires_at.is_some_and(|at| at <= OffsetDateTime::now_utc() + MARGIN);
            if !is_refused && (is_fresh || !ends) {
                return Ok(Access { account: id, subject: account.subject, handle: account.handle, token: opened });
            }
            match self.refresh_once(account, stored, deadline).await {
                Ok(()) => is_fresh = true,
                Err(OauthError::RefreshInProgress) if Instant::now() < deadline => sleep(PAUSE).await,
                Err(OauthError::RefreshInProgress) => return Err(AccessError::Busy),
                Err(OauthError::NoSuchPlatform) => return Err(AccessError::NotConfigured),
                Err(OauthError::Provider(error)) => return Err(error.into()),
                Err(OauthError::Store(error)) => return Err(error.into()),
                // `refresh_once` returns only one other error: `LinkExpired`.
                Err(_) => return Err(AccessError::Expired),
            }
        }
    }

    /// Decrypts the access token. If no key opens the tokens, marks the account as expired. Returns `None` for an expired account.
    async fn opened(&self, account: &Account, stored: &StoredTokens) -> Result<Option<SecretString>, StoreError> {
        if account.status == Status::Expired {
            return Ok(None);
        }
        if let Ok(opened) = self.0.vault.open(stored) {
            return Ok(Some(opened.access));
        }
        store::expire(&mut self.0.db.acquire().await?, stored).await?;
        Ok(None)
    }

    /// Refreshes the tokens of a user's account, even if they do not expire soon.
    pub(super) async fn refresh(&self, user: Uuid, id: Uuid) -> Result<Account, OauthError> {
        let mine = async || {
            let found = store::find(&mut self.0.db.acquire().await?, id).await?;
            found.filter(|(account, _)| account.user_id == user).ok_or(OauthError::NoSuchAccount)
        };
        let (account, stored) = mine().await?;
        if account.status == Status::Expired {
            return Err(OauthError::LinkExpired);
        }
        if stored.refresh.is_none() {
            return Err(OauthError::RefreshUnsupported);
        }
        self.refresh_once(account, stored, self.deadline()).await?;
        Ok(mine().await?.0)
    }

    async fn refresh_once(&self, account: Account, stored: StoredTokens, deadline: Instant) -> Result<(), OauthError> {
        let settings = self.settings(account.platform)?.clone();
        let (oauth, claim) = (self.clone(), Uuid::new_v4());
        if !store::claim_refresh(&mut self.0.db.acquire().await?, &stored, claim, CLAIM).await? {
            return Err(OauthError::RefreshInProgress);
        }
        let claimed_until = Instant::now() + CLAIM;
        let refresh = async move { oauth.refresh_claimed(&settings, &account, &stored, claim, deadline, claimed_until).await };
        tokio::spawn(refresh).await.unwrap_or(Err(OauthError::RefreshInProgress))
    }

    async fn refresh_claimed(
        &self,
        settings: &Settings,
        account: &Account,
        stored: &StoredTokens,
        claim: Uuid,
        deadline: Instant,
        claimed_until: Instant,
    ) -> Result<(), OauthError> {
        let Inner { background, providers, vault, metrics, .. } = &*self.0;
        let refreshed = match vault.open(stored).ok().and_then(|opened| opened.refresh) {
            Some(refresh) => providers.refresh(settings, &refresh, deadline).await,
            None => Err(ProviderError::GrantRefused),
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

    /// Stores new tokens. Retries until the claim expires, because the old tokens may no longer work.
    async fn keep(&self, account: &Account, claim: Uuid, tokens: &Tokens, until: Instant) -> Result<(), StoreError> {
        let sealed = self.0.vault.seal(account.id, tokens);
        loop {
            match self.keep_once(account, claim, &sealed).await {
                Err(error) if Instant::now() < until => {
                    tracing::warn!(account = %account.id, error = &error as &dyn std::error::Error, "failed to store new tokens; retrying");
                    sleep(PAUSE).await;
                }
                ended => return ended,
            }
        }
    }

    async fn keep_once(&self, account: &Account, claim: Uuid, sealed: &store::Sealed) -> Result<(), StoreError> {
        let Inner { background, queue, .. } = &*self.0;
        let mut tx = background.begin().await?;
        // An earlier attempt may have stored the tokens although its commit appeared to fail.
        let is_stored = store::refreshed(&mut tx, account.id, claim, sealed).await?
            || store::find(&mut tx, account.id).await?.is_some_and(|(_, stored)| stored.access == sealed.access);
        if !is_stored {
            // Since the claim, the account was unlinked, linked again, or claimed by another refresh. Revoke the new tokens: nobody will
            // use them.
            let unused = StoredTokens { id: account.id, access: sealed.access.clone(), refresh: sealed.refresh.clone() };
            queue.enqueue(&mut tx, &jobs::revocation(account.platform, &unused)).await?;
        }
        tx.commit().await?;
        queue.wake();
        Ok(())
    }
}
