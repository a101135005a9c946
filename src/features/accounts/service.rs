//! The rules of accounts; `mod.rs` lists them.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use url::Url;
use uuid::Uuid;

use super::limits::{AccountLimits, Caller};
use super::mails::Mail;
use super::model::{NewUser, Session, SignedIn, SignedInClient, Token, TokenHash, User, Vouched};
use super::password::{PasswordError, Passwords, Share, Verdict};
use super::{events, store};
use crate::cache::throttle::Throttled;
use crate::cache::{Cache, Lookup, Stale};
use crate::config::Config;
use crate::db::idempotency::{IdempotentRequest, Outcome, Refusal};
use crate::db::{Conn, Db, StoreError};
use crate::domain::validation::FieldError;
use crate::fault_injection::FaultInjector;
use crate::jobs::Queue;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::metrics::labels::CacheType;
use crate::realtime::Realtime;
use crate::sealing::Keyring;

/// Why a request on an account is refused or fails.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Another account has the address.
    #[error("an account with this e-mail address exists")]
    EmailTaken,
    /// A signed-in user must repeat their password, and sent another.
    #[error("the password is wrong")]
    WrongPassword,
    /// The new password breaks a rule.
    #[error("the password breaks a rule")]
    Invalid(Vec<FieldError>),
    /// The response does not reveal whether the address or the password is wrong.
    #[error("the e-mail address or password is wrong")]
    InvalidCredentials,
    /// No active session has this token, or the account no longer exists.
    #[error("the session is unknown or has ended")]
    InvalidToken,
    /// The account has no session with this identifier.
    #[error("there is no such session")]
    NoSuchSession,
    /// The password is right, but the account's second factor is missing.
    #[error("a code of the second factor is required")]
    CodeRequired,
    /// The code is wrong, too old, or was used before.
    #[error("the code is wrong")]
    WrongCode,
    /// The account has an active second factor already.
    #[error("a second factor is active")]
    SecondFactorActive,
    /// No set-up of a second factor waits for its activation.
    #[error("no second factor waits for its activation")]
    NoPendingFactor,
    /// `TOKEN_KEYS` is not set.
    #[error("no keys for second factors are configured")]
    NoSecondFactors,
    /// None of `TOKEN_KEYS` opens the second factor.
    #[error("the second factor cannot be opened with TOKEN_KEYS")]
    UnreadableFactor,
    /// The link of a mail is unknown, was used, has expired, or serves another purpose.
    #[error("the link is not valid")]
    InvalidLink,
    /// `SMTP_URL` is not set.
    #[error("no mail server is configured")]
    NoMail,
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
    /// Connections for jobs.
    pub background: Db,
    /// Caches sessions and their users.
    pub cache: Cache,
    /// Limits on logins, registrations and visits to platforms.
    pub attempts: AccountLimits,
    /// Notifies clients and other replicas of the end of sessions.
    pub realtime: Realtime,
    /// Sends mails to owners of accounts; `None` without `SMTP_URL`.
    pub mailer: Option<Mailer>,
    /// Seals the secrets of second factors; `None` without `TOKEN_KEYS`.
    pub keys: Option<Keyring>,
    /// Queue for mails.
    pub queue: Queue,
    /// Base of the links in mails.
    pub public_url: Url,
    /// Injects failed logins.
    pub faults: FaultInjector,
    /// Records this feature's metrics.
    pub metrics: Metrics,
}

struct Inner {
    parts: Parts,
    passwords: Passwords,
    limits: Limits,
}

/// The durations after which sessions end.
pub(super) struct Limits {
    pub idle: Duration,
    pub lifetime: Duration,
}

impl Accounts {
    /// # Errors
    /// When the operating system has no randomness.
    pub fn new(parts: Parts, config: &Config) -> Result<Self, PasswordError> {
        let passwords = Passwords::new(parts.metrics.clone())?;
        let limits = Limits { idle: config.session_idle_timeout, lifetime: config.session_lifetime };
        Ok(Self(Arc::new(Inner { parts, passwords, limits })))
    }

    /// The service's dependencies.
    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// Hashes and verifies passwords.
    pub(super) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// The durations after which sessions end.
    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Registers an account. Anybody may register, so every attempt that the limit admits is counted, whatever its outcome.
    pub(super) async fn register(&self, new: NewUser, request: Option<IdempotentRequest>, caller: &Caller) -> Result<User, AccountError> {
        let (Parts { db, attempts, queue, metrics, .. }, passwords) = (self.parts(), self.passwords());
        attempts.take_registration(caller.network).await?;
        // Registrations and deletions in turn must not flood the mailbox of a stranger.
        let may_mail = self.sends_mail() && attempts.take_mail(&new.email, caller).await.is_ok();
        let hash = passwords.hash(Share::Registrations, new.password.clone()).await?;
        let insert = async |tx: &mut Conn| {
            let user = insert(tx, &new.email, &new.display_name, Some(&hash), false).await?;
            if may_mail {
                self.enqueue(tx, &Mail::Confirmation { user: user.id }).await?;
            }
            Ok::<_, AccountError>(user)
        };
        let Outcome { result: user, is_replay } = db.begin().await?.commit_idempotent(request.as_ref(), insert).await?;
        if !is_replay {
            queue.wake();
            events::registered(metrics, user.id);
            return Ok(user);
        }
        // The request's fingerprint leaves the password out, so the client must prove that it knows the password.
        let stored = store::credentials(&mut db.acquire().await?, &new.email).await?.and_then(|stored| stored.password_hash);
        match passwords.verify(Share::Registrations, new.password, stored).await? {
            Verdict::Wrong => Err(Refusal::Mismatch.into()),
            Verdict::Correct | Verdict::CorrectButOutdated => Ok(user),
        }
    }

    /// Whether a mail server is configured.
    #[must_use]
    pub fn sends_mail(&self) -> bool {
        self.parts().mailer.is_some()
    }

    /// Enqueues a mail in the transaction that makes it necessary. Without a mail server, does nothing.
    pub(super) async fn enqueue(&self, tx: &mut Conn, mail: &Mail) -> Result<(), StoreError> {
        if self.sends_mail() { self.parts().queue.enqueue(tx, &mail.job()).await } else { Ok(()) }
    }

    /// Counts a redirect to a platform or a return from it. Neither requires an account, so their rate is limited.
    ///
    /// # Errors
    /// `Throttled` when the client's network has made too many of these requests.
    pub async fn take_platform_visit(&self, caller: &Caller) -> Result<(), AccountError> {
        Ok(self.parts().attempts.take_platform_visit(caller.network).await?)
    }

    /// Remembers a client that has registered or signed in. Returns its device cookie.
    pub async fn remember(&self, user: &User, caller: &Caller) -> String {
        self.parts().attempts.remember(&user.email, caller).await
    }

    /// Registers an account without a password for an address that a platform has verified, within the caller's transaction.
    ///
    /// # Errors
    /// `EmailTaken` when an account has the address.
    pub async fn register_vouched(&self, conn: &mut Conn, vouched: &Vouched) -> Result<User, AccountError> {
        insert(conn, &vouched.email, &vouched.display_name, None, true).await
    }

    /// Finds the account with a verified address, or registers one without a password. Returns whether the account is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_or_register(&self, vouched: &Vouched) -> Result<(User, bool), AccountError> {
        let mut tx = self.parts().db.begin().await?;
        if let Some(user) = store::user_by_email(&mut tx, &vouched.email).await? {
            return Ok((user, false));
        }
        let user = self.register_vouched(&mut tx, vouched).await?;
        tx.commit().await?;
        events::registered(&self.parts().metrics, user.id);
        Ok((user, true))
    }

    /// Records a sign-in through a platform, and the registration if the account is new. Call it after the commit.
    pub fn vouched_for(&self, signed_in: &SignedIn, is_new: bool) {
        let (metrics, user) = (&self.parts().metrics, signed_in.user.id);
        if is_new {
            events::registered(metrics, user);
        }
        events::vouched_for(metrics, user, signed_in.session);
    }

    /// Records a failed sign-in through a platform.
    pub fn not_vouched_for(&self) {
        events::not_vouched_for(&self.parts().metrics);
    }

    /// Locks the row of a signed-in user until the caller's transaction ends. Returns whether the account has a password. Requires that the
    /// session of the request still exists: a reset or change of the password may have ended it since the request was authenticated.
    ///
    /// # Errors
    /// `InvalidToken` when the account no longer exists or the session has ended.
    pub async fn lock_signed_in(&self, conn: &mut Conn, client: SignedInClient) -> Result<bool, AccountError> {
        let has_password = store::lock_user(conn, client.user).await?.ok_or(AccountError::InvalidToken)?;
        let is_signed_in = store::has_session(conn, client.user, client.session).await?;
        if is_signed_in { Ok(has_password) } else { Err(AccountError::InvalidToken) }
    }

    /// Loads an account, within the caller's transaction.
    ///
    /// # Errors
    /// `InvalidToken` when the account no longer exists.
    pub async fn find(&self, conn: &mut Conn, id: Uuid) -> Result<User, AccountError> {
        store::user(conn, id).await?.ok_or(AccountError::InvalidToken)
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
        let [session, user, other] = self.parts().cache.lookup([(CacheType::Session, &name), (CacheType::User, &name), (cache, id)]).await;
        let (session, user) = self.proven(&token, session, user).await?;
        Ok((session, user, other))
    }

    /// As [`Self::authenticate`], for a token of which only the hash is known.
    pub(super) async fn recognize(&self, token: TokenHash) -> Result<(Session, User), AccountError> {
        let name = token.cache_id();
        let [session, user] = self.parts().cache.lookup([(CacheType::Session, &name), (CacheType::User, &name)]).await;
        self.proven(&token, session, user).await
    }

    fn parse(&self, token: &str) -> Result<TokenHash, AccountError> {
        let parsed = Token::parse(token).ok_or(AccountError::InvalidToken);
        parsed.inspect_err(|_| events::token_refused(&self.parts().metrics)).map(|token| token.hash())
    }

    /// Returns the session and the user that the cache lookups found, or loads them from the database. A user is cached under the token
    /// hash of each of its sessions, so that one round trip finds both the session and the user.
    async fn proven(&self, token: &TokenHash, session: Lookup, user: Lookup) -> Result<(Session, User), AccountError> {
        let (Parts { db, cache, metrics, .. }, limits) = (self.parts(), self.limits());
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
        let mut tx = self.parts().db.begin().await?;
        let Some(user) = store::set_admin(&mut tx, email).await? else { return Ok(false) };
        self.commit_changed(tx, user).await?;
        events::made_admin(user);
        Ok(true)
    }

    /// Commits a change of an account, and removes the account from the cache. The transaction has locked the account's row `FOR UPDATE`,
    /// which blocks new sessions, so this finds every session under which the account is cached.
    pub(super) async fn commit_changed(&self, mut tx: Conn, user: Uuid) -> Result<(), StoreError> {
        let tokens = store::tokens(&mut tx, user).await?;
        let entries = tokens.iter().map(|token| Stale::new(CacheType::User, token.cache_id()));
        let stale = self.parts().cache.invalidate(&mut tx, entries).await?;
        tx.commit().await?;
        stale.finish().await;
        Ok(())
    }
}

async fn insert(
    conn: &mut Conn,
    email: &str,
    display_name: &str,
    password_hash: Option<&str>,
    is_confirmed: bool,
) -> Result<User, AccountError> {
    match store::insert_user(conn, email, display_name, password_hash, is_confirmed).await {
        Err(StoreError::Conflict(rule)) if rule == "users_email_key" => Err(AccountError::EmailTaken),
        inserted => Ok(inserted?),
    }
}
