//! Signs users in through platforms, and links and unlinks their accounts there. `mod.rs` lists the rules. `access` provides access tokens
//! for later calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;
use uuid::Uuid;

use super::error::{Distrust, OauthError, ProviderError};
use super::flow::{Flow, StateError};
use super::model::{Account, Identified, ReturnTo, Tokens};
use super::provider::Providers;
use super::vault::Vault;
use super::{events, jobs, store};
use crate::config::Config;
use crate::db::{Conn, Db, StoreError};
use crate::domain::Platform;
use crate::features::accounts::{Accounts, AuditEvent, Caller, SignedIn, SignedInClient, Vouched};
use crate::jobs::Queue;
use crate::metrics::Metrics;
use crate::platforms::api::Identity;
use crate::platforms::{Platforms, Settings};
use crate::sealing::{InvalidKeys, Keyring};

/// The service; cheap to clone.
#[derive(Clone)]
pub struct Oauth(pub(super) Arc<Inner>);

/// The dependencies of [`Oauth`].
pub struct Parts {
    /// Connections for requests.
    pub db: Db,
    /// Background connections. They store the outcome of a token refresh.
    pub background: Db,
    /// Registers users and starts their sessions.
    pub accounts: Accounts,
    /// The configured platforms.
    pub platforms: Platforms,
    /// The queue for jobs that revoke tokens.
    pub queue: Queue,
    /// Records this feature's metrics.
    pub metrics: Metrics,
}

/// The state of [`Oauth`].
pub struct Inner {
    pub(super) db: Db,
    /// Background connections. They store the outcome of a token refresh.
    pub(super) background: Db,
    accounts: Accounts,
    pub(super) providers: Providers,
    pub(super) vault: Vault,
    pub(super) queue: Queue,
    public_url: Url,
    /// Time limit for all platform calls of one request.
    timeout: Duration,
    lifetime: Duration,
    pub(super) metrics: Metrics,
}

/// A started flow: the URL to which the browser is redirected, and the cookie for the browser.
pub struct Started {
    pub location: Url,
    pub cookie: String,
}

/// Parameters of a platform's authorization response.
#[derive(Debug, Default)]
pub struct Answer {
    pub state: Option<String>,
    pub code: Option<String>,
    pub issuer: Option<String>,
    pub error: Option<String>,
}

/// A finished flow: the path to which the browser is redirected, and the new session.
pub struct Returned {
    pub return_to: ReturnTo,
    /// `None` if an account was linked.
    pub signed_in: Option<SignedIn>,
}

impl Oauth {
    /// # Errors
    /// When `TOKEN_KEYS` is set but invalid.
    pub fn new(parts: Parts, config: &Config) -> Result<Self, InvalidKeys> {
        let Parts { db, background, accounts, platforms, queue, metrics } = parts;
        let keys = Keyring::configured(config.token_keys.as_ref())?;
        for settings in platforms.all() {
            events::touch(&metrics, settings.platform);
        }
        Ok(Self(Arc::new(Inner {
            db,
            background,
            accounts,
            providers: Providers::new(platforms, config.public_url.clone()),
            vault: Vault::new(keys),
            queue,
            public_url: config.public_url.clone(),
            timeout: config.platform_timeout,
            lifetime: config.oauth_lifetime,
            metrics,
        })))
    }

    /// The deadline for platform calls of a request that starts now.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.0.timeout
    }

    /// The configured platforms.
    #[must_use]
    pub fn platforms(&self) -> &Platforms {
        self.0.providers.platforms()
    }

    pub(super) fn settings(&self, platform: Platform) -> Result<&Settings, OauthError> {
        self.platforms().get(platform).ok_or(OauthError::NoSuchPlatform)
    }

    /// Starts a flow. If `user` is given, the flow links an account on the platform to this user; otherwise it signs a user in.
    pub(super) async fn start(
        &self,
        platform: Platform,
        return_to: Option<&str>,
        user: Option<Uuid>,
        caller: &Caller,
    ) -> Result<Started, OauthError> {
        let settings = self.settings(platform)?;
        // Anyone can send this request, so its rate is limited. A throttled or invalid request is no failure of the platform: return before
        // the metrics below.
        self.0.accounts.take_platform_visit(caller).await?;
        if user.is_none() && !settings.sign_in {
            return Err(OauthError::LinkOnly);
        }
        let return_to = match return_to {
            Some(text) => ReturnTo::parse(text, &self.0.public_url).ok_or(OauthError::ReturnTo)?,
            None => ReturnTo::default(),
        };
        let started = self.create_flow(settings, return_to, user).await;
        match &started {
            Ok(_) => events::begun(&self.0.metrics, platform),
            Err(error) => events::not_begun(&self.0.metrics, platform, error),
        }
        started
    }

    async fn create_flow(&self, settings: &Settings, return_to: ReturnTo, user: Option<Uuid>) -> Result<Started, OauthError> {
        let Inner { providers, vault, lifetime, .. } = &*self.0;
        let (flow, challenge) = Flow::new(settings.platform, return_to, user, *lifetime);
        let location = providers.authorization_url(settings, &flow, challenge, self.deadline()).await?;
        Ok(Started { location, cookie: flow.seal(vault.keys()) })
    }

    /// Finishes a flow of [`Self::start`]. `cookie` is the flow's cookie from the browser, and `client` is that browser's signed-in user.
    pub(super) async fn finish(
        &self,
        platform: Platform,
        cookie: Option<&str>,
        answer: Answer,
        client: Option<SignedInClient>,
        caller: &Caller,
    ) -> Result<Returned, OauthError> {
        let Inner { accounts, vault, metrics, .. } = &*self.0;
        let settings = self.settings(platform)?;
        accounts.take_platform_visit(caller).await?;
        let flow = Flow::open(vault.keys(), platform, cookie, answer.state.as_deref());
        let is_link = flow.as_ref().is_ok_and(|flow| flow.link.is_some());
        let returned = match flow {
            Ok(flow) => self.complete(settings, flow, answer, client, caller).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &returned {
            events::callback_refused(metrics, platform, error);
            if !is_link && error.is_authentication_failure() {
                accounts.not_vouched_for();
            }
        }
        returned
    }

    async fn complete(
        &self,
        settings: &Settings,
        flow: Flow,
        answer: Answer,
        client: Option<SignedInClient>,
        caller: &Caller,
    ) -> Result<Returned, OauthError> {
        let Inner { db, providers, .. } = &*self.0;
        if !store::note_callback(&mut db.acquire().await?, &flow.state_hash(), flow.expires_at).await? {
            return Err(StateError::Used.into());
        }
        let client = match (flow.link, client) {
            (None, _) => None,
            (Some(user), Some(client)) if client.user == user => Some(client),
            (Some(_), _) => return Err(OauthError::SignedInAsOther),
        };
        let deadline = self.deadline();
        providers.check_issuer(settings, answer.issuer.as_deref(), deadline).await?;
        if let Some(error) = &answer.error {
            return Err(refusal(error));
        }
        let code = answer.code.filter(|code| !code.is_empty()).ok_or(ProviderError::GrantRefused)?;
        let (tokens, identity) = providers.exchange(settings, code, flow.verifier, &flow.nonce, deadline).await?;
        let identified = Identified::new(settings.platform, settings.issuer(), &identity.subject, &identity.handle)
            .ok_or(ProviderError::Distrusted(Distrust::Invalid))?;
        let signed_in = match client {
            Some(client) => {
                self.link(client, &identified, &tokens, caller).await?;
                None
            }
            None => Some(self.sign_in(&identified, &identity, &tokens, caller).await?),
        };
        Ok(Returned { return_to: flow.return_to, signed_in })
    }

    async fn link(&self, client: SignedInClient, identified: &Identified, tokens: &Tokens, caller: &Caller) -> Result<(), OauthError> {
        let (Inner { db, accounts, metrics, .. }, user) = (&*self.0, client.user);
        let mut tx = db.begin().await?;
        accounts.lock_signed_in(&mut tx, client).await?;
        let account = match store::lock_identity(&mut tx, identified).await? {
            Some(account) if account.user_id == user => self.renew_link(&mut tx, &account, identified, tokens).await?,
            Some(_) => return Err(OauthError::IdentityTaken),
            None => self.insert(&mut tx, user, identified, tokens).await?,
        };
        accounts.record(&mut tx, user, AuditEvent::PlatformLinked, caller).await?;
        tx.commit().await?;
        events::linked(metrics, identified.platform, user, account);
        Ok(())
    }

    async fn sign_in(
        &self,
        identified: &Identified,
        identity: &Identity,
        tokens: &Tokens,
        caller: &Caller,
    ) -> Result<SignedIn, OauthError> {
        let Inner { db, accounts, metrics, .. } = &*self.0;
        let platform = identified.platform;
        let mut tx = db.begin().await?;
        let linked = store::lock_identity(&mut tx, identified).await?;
        let is_new = linked.is_none();
        let user = if let Some(account) = linked {
            self.renew_link(&mut tx, &account, identified, tokens).await?;
            accounts.find(&mut tx, account.user_id).await?
        } else {
            let vouched =
                identity.email.as_deref().and_then(|email| Vouched::new(email, &identity.name)).ok_or(OauthError::EmailUnverified)?;
            let user = accounts.register_vouched(&mut tx, &vouched).await?;
            self.insert(&mut tx, user.id, identified, tokens).await?;
            user
        };
        let signed_in = accounts.begin_session(&mut tx, user, platform.name(), caller).await?;
        tx.commit().await?;
        events::signed_in(metrics, platform, signed_in.user.id);
        accounts.vouched_for(&signed_in, is_new);
        Ok(signed_in)
    }

    async fn renew_link(&self, tx: &mut Conn, account: &Account, identified: &Identified, tokens: &Tokens) -> Result<Uuid, StoreError> {
        store::renew(tx, account.id, &identified.handle, &self.0.vault.seal(account.id, tokens)).await?;
        Ok(account.id)
    }

    async fn insert(&self, tx: &mut Conn, user: Uuid, identified: &Identified, tokens: &Tokens) -> Result<Uuid, OauthError> {
        let id = Uuid::now_v7();
        match store::insert(tx, id, user, identified, &self.0.vault.seal(id, tokens)).await {
            Ok(()) => Ok(id),
            Err(StoreError::Conflict(rule)) if rule == "social_accounts_identity_key" => Err(OauthError::IdentityTaken),
            Err(StoreError::Conflict(rule)) if rule == "social_accounts_platform_key" => Err(OauthError::PlatformTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// As [`Self::accounts`], with a connection from the pool.
    pub(crate) async fn linked(&self, user: Uuid) -> Result<Vec<Account>, OauthError> {
        Ok(self.accounts(&mut self.0.db.acquire().await?, user).await?)
    }

    /// Lists the linked accounts of a user, including those that must be linked again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts(&self, conn: &mut Conn, user: Uuid) -> Result<Vec<Account>, StoreError> {
        store::of_user(conn, user).await
    }

    /// Unlinks an account. Fails if the user would then have no password and no linked account for signing in. A job revokes the account's
    /// tokens at the platform.
    pub(super) async fn unlink(&self, client: SignedInClient, id: Uuid, caller: &Caller) -> Result<(), OauthError> {
        let (Inner { db, accounts, queue, .. }, user) = (&*self.0, client.user);
        let mut tx = db.begin().await?;
        let has_password = accounts.lock_signed_in(&mut tx, client).await?;
        let linked = store::of_user(&mut tx, user).await?;
        let account = linked.iter().find(|account| account.id == id).ok_or(OauthError::NoSuchAccount)?;
        let can_sign_in = |account: &Account| self.platforms().get(account.platform).is_some_and(|settings| settings.sign_in);
        if !has_password && !linked.iter().any(|other| other.id != id && can_sign_in(other)) {
            return Err(OauthError::LastSignIn);
        }
        let sealed_tokens = store::delete(&mut tx, id).await?.ok_or(OauthError::NoSuchAccount)?;
        accounts.record(&mut tx, user, AuditEvent::PlatformUnlinked, caller).await?;
        queue.enqueue(&mut tx, &jobs::revocation(account.platform, &sealed_tokens)).await?;
        tx.commit().await?;
        queue.wake();
        events::unlinked(account.platform, user, id);
        Ok(())
    }

    /// Cleans up for the whole fleet: deletes expired callbacks, and re-seals a batch of tokens after a change of keys.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tidy_up(&self, conn: &mut Conn) -> Result<(), StoreError> {
        store::forget_callbacks(conn).await?;
        let mut tx = self.0.db.begin().await?;
        let count = self.0.vault.reseal(&mut tx).await?;
        tx.commit().await?;
        if count > 0 {
            events::resealed(count);
        }
        Ok(())
    }
}

/// Maps three error codes of RFC 6749, 4.1.2.1. Replaces every other text, because a browser may send anything.
fn refusal(error: &str) -> OauthError {
    let unavailable = |reason: &str| ProviderError::Unavailable { reason: reason.to_owned(), after: None }.into();
    match error {
        "access_denied" => OauthError::Denied("access_denied"),
        "temporarily_unavailable" => unavailable("it reported temporarily_unavailable"),
        "server_error" => unavailable("it reported server_error"),
        _ => OauthError::Denied("another error"),
    }
}
