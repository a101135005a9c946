//! The rules of accounts; `mod.rs` lists them.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::limits::{AccountLimits, Caller};
use super::model::{Credentials, EndedSession, NewUser, Role, Session, SessionEntry, SignedIn, Token, TokenHash, User, Vouched};
use super::password::{PasswordError, Passwords, Share, Verdict};
use super::{events, store};
use crate::cache::throttle::Throttled;
use crate::cache::{Cache, Lookup, Stale};
use crate::config::Config;
use crate::db::idempotency::{IdempotentRequest, Outcome, Refusal};
use crate::db::{Conn, Db, StoreError};
use crate::domain::paging::PageRequest;
use crate::fault_injection::FaultInjector;
use crate::metrics::Metrics;
use crate::metrics::labels::CacheType;
use crate::realtime::Realtime;

/// Why a request on an account is refused or fails.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Another account has the address.
    #[error("an account with this e-mail address exists")]
    EmailTaken,
    /// The response does not reveal whether the address or the password is wrong.
    #[error("the e-mail address or password is wrong")]
    InvalidCredentials,
    /// No active session has this token, or the account no longer exists.
    #[error("the session is unknown or has ended")]
    InvalidToken,
    /// The account has no session with this identifier.
    #[error("there is no such session")]
    NoSuchSession,
    /// A rate limit refuses the attempt; carries the time to wait.
    #[error("too many attempts")]
    Throttled(Throttled),
    /// Password hashing failed or is overloaded.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The idempotency key is in use or belongs to a different request, or the database failed.
    #[error(transparent)]
    Repeated(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Throttled> for AccountError {
    fn from(throttled: Throttled) -> Self {
        Self::Throttled(throttled)
    }
}

/// The accounts service.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

/// The dependencies of [`Accounts`].
pub struct Parts {
    /// Stores accounts and sessions.
    pub db: Db,
    /// Caches sessions and their users.
    pub cache: Cache,
    /// Limits on logins, registrations and visits to platforms.
    pub attempts: AccountLimits,
    /// Notifies clients and other replicas of the end of sessions.
    pub realtime: Realtime,
    /// Injects failed logins.
    pub faults: FaultInjector,
    /// Records this feature's metrics.
    pub metrics: Metrics,
}

struct Inner {
    db: Db,
    cache: Cache,
    attempts: AccountLimits,
    passwords: Passwords,
    limits: Limits,
    realtime: Realtime,
    faults: FaultInjector,
    metrics: Metrics,
}

struct Limits {
    idle: Duration,
    lifetime: Duration,
}

impl Accounts {
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(parts: Parts, config: &Config) -> Result<Self, PasswordError> {
        let Parts { db, cache, attempts, realtime, faults, metrics } = parts;
        let passwords = Passwords::new(metrics.clone())?;
        let limits = Limits { idle: config.session_idle_timeout, lifetime: config.session_lifetime };
        Ok(Self(Arc::new(Inner { db, cache, attempts, passwords, limits, realtime, faults, metrics })))
    }

    /// Registers an account. Anybody may register, so every attempt that the limit admits is counted, whatever its outcome.
    pub(super) async fn register(&self, new: NewUser, request: Option<IdempotentRequest>, caller: &Caller) -> Result<User, AccountError> {
        let Inner { db, attempts, passwords, metrics, .. } = &*self.0;
        attempts.take_registration(caller.network).await?;
        let hash = passwords.hash(Share::Registrations, new.password.clone()).await?;
        let insert = async |tx: &mut Conn| insert(tx, &new.email, &new.display_name, Some(&hash)).await;
        let Outcome { result: user, is_replay } = db.begin().await?.commit_idempotent(request.as_ref(), insert).await?;
        if !is_replay {
            events::registered(metrics, user.id);
            return Ok(user);
        }
        // The request's fingerprint leaves the password out, so the client must prove that it knows the password.
        let stored = store::credentials(&mut db.acquire().await?, &new.email).await?.and_then(|(_, stored)| stored);
        match passwords.verify(Share::Registrations, new.password, stored).await? {
            Verdict::Wrong => Err(Refusal::Mismatch.into()),
            Verdict::Correct | Verdict::CorrectButOutdated => Ok(user),
        }
    }

    /// Signs in with a password. Only wrong credentials count as a failure; errors of the service are not the client's fault.
    pub(super) async fn login(&self, credentials: Credentials, caller: &Caller) -> Result<SignedIn, AccountError> {
        let Inner { attempts, metrics, .. } = &*self.0;
        let begun = attempts.begin_login(&credentials.email, caller).await;
        let attempt = begun.inspect_err(|_| events::login_throttled(metrics))?;
        let outcome = self.sign_in(&credentials).await;
        if matches!(outcome, Err(AccountError::InvalidCredentials)) {
            attempt.fail().await;
        } else {
            attempt.end().await;
        }
        outcome
    }

    /// Counts a redirect to a platform or a return from it. Neither requires an account, so their rate is limited.
    ///
    /// # Errors
    /// `Throttled` when the client's network has made too many of these requests.
    pub async fn take_platform_visit(&self, caller: &Caller) -> Result<(), AccountError> {
        Ok(self.0.attempts.take_platform_visit(caller.network).await?)
    }

    /// Remembers a client that has registered or signed in. Returns its device cookie.
    pub async fn remember(&self, user: &User, caller: &Caller) -> String {
        self.0.attempts.remember(&user.email, caller).await
    }

    async fn sign_in(&self, credentials: &Credentials) -> Result<SignedIn, AccountError> {
        let Inner { db, faults, metrics, .. } = &*self.0;
        // Injected login failures spare admins: somebody must be able to end the fault.
        let passes = |user: &User| user.role == Role::Admin || !faults.refuses_login();
        let Some(user) = self.verified(credentials).await?.filter(passes) else {
            events::login_failed(metrics);
            return Err(AccountError::InvalidCredentials);
        };
        let signed_in = self.begin_session(&mut db.acquire().await?, user, &credentials.device).await?;
        events::logged_in(metrics, signed_in.user.id, signed_in.session);
        Ok(signed_in)
    }

    /// Creates a session for an authenticated user, on the caller's connection or within its transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_session(&self, conn: &mut Conn, user: User, device: &str) -> Result<SignedIn, StoreError> {
        let token = Token::generate();
        let session = store::insert_session(conn, user.id, &token.hash(), device, self.0.limits.lifetime).await?;
        Ok(SignedIn { token, session: session.id, expires_at: session.expires_at, user })
    }

    /// Registers an account without a password for an address that a platform has verified, within the caller's transaction.
    ///
    /// # Errors
    /// `EmailTaken` when an account has the address.
    pub async fn register_vouched(&self, conn: &mut Conn, vouched: &Vouched) -> Result<User, AccountError> {
        insert(conn, &vouched.email, &vouched.display_name, None).await
    }

    /// Finds the account with a verified address, or registers one without a password. Returns whether the account is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_or_register(&self, vouched: &Vouched) -> Result<(User, bool), AccountError> {
        let mut tx = self.0.db.begin().await?;
        if let Some(user) = store::user_by_email(&mut tx, &vouched.email).await? {
            return Ok((user, false));
        }
        let user = self.register_vouched(&mut tx, vouched).await?;
        tx.commit().await?;
        events::registered(&self.0.metrics, user.id);
        Ok((user, true))
    }

    /// Records a sign-in through a platform, and the registration if the account is new. Call it after the commit.
    pub fn vouched_for(&self, signed_in: &SignedIn, is_new: bool) {
        let (metrics, user) = (&self.0.metrics, signed_in.user.id);
        if is_new {
            events::registered(metrics, user);
        }
        events::vouched_for(metrics, user, signed_in.session);
    }

    /// Records a failed sign-in through a platform.
    pub fn not_vouched_for(&self) {
        events::not_vouched_for(&self.0.metrics);
    }

    /// Locks a user's row until the caller's transaction ends. Returns whether the account has a password.
    ///
    /// # Errors
    /// `InvalidToken` when the account no longer exists.
    pub async fn lock(&self, conn: &mut Conn, user: Uuid) -> Result<bool, AccountError> {
        store::lock_user(conn, user).await?.ok_or(AccountError::InvalidToken)
    }

    /// Loads an account, within the caller's transaction.
    ///
    /// # Errors
    /// `InvalidToken` when the account no longer exists.
    pub async fn find(&self, conn: &mut Conn, id: Uuid) -> Result<User, AccountError> {
        store::user(conn, id).await?.ok_or(AccountError::InvalidToken)
    }

    /// Loads the account if the credentials are valid. Holds no database connection while it verifies the password.
    async fn verified(&self, credentials: &Credentials) -> Result<Option<User>, AccountError> {
        let Inner { db, passwords, .. } = &*self.0;
        let (user, stored) = store::credentials(&mut db.acquire().await?, &credentials.email).await?.unzip();
        let stored = stored.flatten();
        let verdict = passwords.verify(Share::Logins, credentials.password.clone(), stored).await?;
        if let (Verdict::CorrectButOutdated, Some(user)) = (verdict, &user) {
            let renewed = async {
                let hash = passwords.hash(Share::Logins, credentials.password.clone()).await?;
                store::update_password_hash(&mut db.acquire().await?, user.id, &hash).await?;
                Ok::<_, AccountError>(())
            };
            // The login succeeds even if the renewal fails; the next login tries again.
            if let Err(error) = renewed.await {
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to renew an old password hash");
            }
        }
        Ok(user.filter(|_| verdict != Verdict::Wrong))
    }

    /// Looks up the session of a token and its user.
    pub(super) async fn authenticate(&self, token: &str) -> Result<(Session, User), AccountError> {
        self.recognize(self.parse(token)?).await
    }

    /// As [`Self::authenticate`], and looks up one more cache entry in the same round trip.
    pub(super) async fn authenticate_and_lookup(
        &self,
        token: &str,
        cache: CacheType,
        id: &str,
    ) -> Result<(Session, User, Lookup), AccountError> {
        let token = self.parse(token)?;
        let name = token.cache_id();
        let [session, user, other] = self.0.cache.lookup([(CacheType::Session, &name), (CacheType::User, &name), (cache, id)]).await;
        let (session, user) = self.proven(&token, session, user).await?;
        Ok((session, user, other))
    }

    /// As [`Self::authenticate`], for a token of which only the hash is known.
    pub(super) async fn recognize(&self, token: TokenHash) -> Result<(Session, User), AccountError> {
        let name = token.cache_id();
        let [session, user] = self.0.cache.lookup([(CacheType::Session, &name), (CacheType::User, &name)]).await;
        self.proven(&token, session, user).await
    }

    fn parse(&self, token: &str) -> Result<TokenHash, AccountError> {
        let parsed = Token::parse(token).ok_or(AccountError::InvalidToken);
        parsed.inspect_err(|_| events::token_refused(&self.0.metrics)).map(|token| token.hash())
    }

    /// Returns the session and the user that the cache lookups found, or loads them from the database. A user is cached under the token
    /// hash of each of its sessions, so that one round trip finds both the session and the user.
    async fn proven(&self, token: &TokenHash, session: Lookup, user: Lookup) -> Result<(Session, User), AccountError> {
        let Inner { db, cache, limits, metrics, .. } = &*self.0;
        let load = async || store::touch_session(&mut db.acquire().await?, token, limits.idle).await;
        let found: Option<Session> = cache.found_or_load(session, load).await?;
        let Some(session) = found.filter(|session| session.expires_at > OffsetDateTime::now_utc()) else {
            events::token_refused(metrics);
            return Err(AccountError::InvalidToken);
        };
        let load = async || store::user(&mut db.acquire().await?, session.user_id).await;
        let Some(user) = cache.found_or_load(user, load).await? else {
            events::token_refused(metrics);
            return Err(AccountError::InvalidToken);
        };
        events::token_accepted(metrics);
        Ok((session, user))
    }

    /// Loads the account with this e-mail address, within the caller's transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_by_email(&self, conn: &mut Conn, email: &str) -> Result<Option<User>, StoreError> {
        store::user_by_email(conn, email).await
    }

    /// Grants the admin role to the account with this e-mail address. Returns false if there is no such account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn grant_admin(&self, email: &str) -> Result<bool, StoreError> {
        let Inner { db, cache, .. } = &*self.0;
        let mut tx = db.begin().await?;
        let Some(user) = store::set_admin(&mut tx, email).await? else { return Ok(false) };
        let tokens = store::tokens(&mut tx, user).await?;
        let entries = tokens.iter().map(|token| Stale::new(CacheType::User, token.cache_id()));
        let stale = cache.invalidate(&mut tx, entries).await?;
        tx.commit().await?;
        stale.finish().await;
        events::made_admin(user);
        Ok(true)
    }

    /// One page of a user's active sessions.
    pub(crate) async fn sessions(&self, user: Uuid, page: PageRequest) -> Result<Vec<SessionEntry>, AccountError> {
        let Inner { db, limits, .. } = &*self.0;
        Ok(store::sessions(&mut db.acquire().await?, user, limits.idle, page).await?)
    }

    /// Ends one session of a user.
    pub(super) async fn end_session(&self, user: Uuid, session: Uuid) -> Result<(), AccountError> {
        let mut tx = self.0.db.begin().await?;
        let ended = store::delete_session(&mut tx, user, session).await?;
        self.forget(tx, user, &[ended.ok_or(AccountError::NoSuchSession)?]).await
    }

    /// Ends every session of a user.
    pub(super) async fn end_sessions(&self, user: Uuid) -> Result<(), AccountError> {
        let mut tx = self.0.db.begin().await?;
        let ended = store::delete_sessions(&mut tx, user).await?;
        self.forget(tx, user, &ended).await
    }

    /// Commits the end of sessions, invalidates their cache entries, and announces the ended sessions to every replica.
    async fn forget(&self, mut tx: Conn, user: Uuid, ended: &[EndedSession]) -> Result<(), AccountError> {
        let Inner { cache, realtime, .. } = &*self.0;
        let entries = ended.iter().map(|session| Stale::new(CacheType::Session, session.token.cache_id()));
        let stale = cache.invalidate(&mut tx, entries).await?;
        tx.commit().await?;
        stale.finish().await;
        events::sessions_ended(realtime, user, ended);
        Ok(())
    }

    /// Subscribes to cache invalidations, which include ended sessions.
    pub(super) fn invalidated(&self) -> broadcast::Receiver<Arc<[Stale]>> {
        self.0.cache.invalidated()
    }

    /// Returns the given sessions that have ended.
    pub(super) async fn ended_among(&self, sessions: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        let Inner { db, limits, .. } = &*self.0;
        store::ended_among(&mut db.acquire().await?, sessions, limits.idle).await
    }

    /// Deletes a batch of sessions that are past their lifetime.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_expired(&self, conn: &mut Conn) -> Result<(), StoreError> {
        store::delete_expired_sessions(conn).await.map(drop)
    }

    /// Updates the gauge of active sessions, which one replica reports for the whole fleet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report(&self, conn: &mut Conn) -> Result<(), StoreError> {
        let count = store::count_sessions(conn, self.0.limits.idle).await?;
        events::sessions_counted(&self.0.metrics, count);
        Ok(())
    }

    /// Sets the gauge of active sessions to zero, on a replica that does not report it.
    pub fn report_nothing(&self) {
        events::sessions_counted(&self.0.metrics, 0);
    }
}

async fn insert(conn: &mut Conn, email: &str, display_name: &str, password_hash: Option<&str>) -> Result<User, AccountError> {
    match store::insert_user(conn, email, display_name, password_hash).await {
        Err(StoreError::Conflict(rule)) if rule == "users_email_key" => Err(AccountError::EmailTaken),
        inserted => Ok(inserted?),
    }
}
