//! Sign-in with a password, new sessions, and the proof of a password by a signed-in user.

use secrecy::SecretString;

use super::audit::{self, AuditEvent};
use super::limits::Caller;
use super::model::{Credentials, Role, SignedIn, Token, User};
use super::password::{Share, Verdict};
use super::second_factor::Code;
use super::service::{AccountError, Accounts, Parts};
use super::store::Stored;
use super::{events, store};
use crate::db::{Conn, StoreError};
use crate::metrics::labels::AuthEvent;

impl Accounts {
    /// Signs in with a password. Only wrong credentials count as a failure; errors of the service are not the client's fault.
    pub(super) async fn login(&self, credentials: Credentials, caller: &Caller) -> Result<SignedIn, AccountError> {
        let Parts { attempts, metrics, .. } = self.parts();
        let begun = attempts.begin_login(&credentials.email, caller).await;
        let attempt = begun.inspect_err(|_| events::login_throttled(metrics))?;
        let outcome = self.sign_in(&credentials, caller).await;
        if matches!(outcome, Err(AccountError::InvalidCredentials | AccountError::WrongCode)) {
            attempt.fail().await;
        } else {
            attempt.end().await;
        }
        outcome
    }

    async fn sign_in(&self, credentials: &Credentials, caller: &Caller) -> Result<SignedIn, AccountError> {
        let Parts { db, background, faults, metrics, .. } = self.parts();
        // Injected login failures spare admins: somebody must be able to end the fault.
        let passes = |user: &User| user.role == Role::Admin || !faults.refuses_login();
        let (stored, verdict) = self.verify(&credentials.email, &credentials.password).await?;
        let code = credentials.code.as_deref().map(Code::parse);
        let known = stored.as_ref().map(|stored| stored.user.id);
        let signed_in = match stored.filter(|stored| verdict != Verdict::Wrong && passes(&stored.user)) {
            Some(proven) => {
                let mut tx = db.begin().await?;
                let signed_in = self.insert_session(&mut tx, proven.user, &credentials.device, Some(proven.version)).await?;
                if let Some(signed_in) = &signed_in {
                    let factor = self.pass_factor(&mut tx, signed_in.user.id, code.as_ref(), caller).await;
                    if let Err(AccountError::WrongCode) = factor {
                        events::login_failed(metrics);
                        audit::record_failure(background.clone(), signed_in.user.id, caller.network);
                    }
                    factor?;
                    audit::record(&mut tx, signed_in.user.id, AuditEvent::SignIn, caller.network).await?;
                }
                tx.commit().await?;
                signed_in
            }
            None => None,
        };
        let Some(signed_in) = signed_in else {
            events::login_failed(metrics);
            if let Some(user) = known {
                audit::record_failure(background.clone(), user, caller.network);
            }
            return Err(AccountError::InvalidCredentials);
        };
        events::logged_in(metrics, signed_in.user.id, signed_in.session);
        Ok(signed_in)
    }

    /// Creates a session for a user whom a platform has authenticated, within the caller's transaction.
    ///
    /// # Errors
    /// `InvalidToken` when the account no longer exists, or an error of the database.
    pub async fn begin_session(&self, tx: &mut Conn, user: User, device: &str, caller: &Caller) -> Result<SignedIn, AccountError> {
        let signed_in = self.insert_session(tx, user, device, None).await?.ok_or(AccountError::InvalidToken)?;
        audit::record(tx, signed_in.user.id, AuditEvent::PlatformSignIn, caller.network).await?;
        Ok(signed_in)
    }

    /// Creates a session, unless the account is gone or its credentials no longer have this version.
    async fn insert_session(
        &self,
        conn: &mut Conn,
        user: User,
        device: &str,
        version: Option<i64>,
    ) -> Result<Option<SignedIn>, StoreError> {
        let token = Token::generate();
        let session = store::insert_session(conn, user.id, &token.hash(), device, self.limits().lifetime, version).await?;
        Ok(session.map(|session| SignedIn { token, session: session.id, expires_at: session.expires_at, user }))
    }

    /// Loads the account, and verifies the password. Holds no database connection while it verifies.
    async fn verify(&self, email: &str, password: &SecretString) -> Result<(Option<Stored>, Verdict), AccountError> {
        let (db, passwords) = (&self.parts().db, self.passwords());
        let stored = store::credentials(&mut db.acquire().await?, email).await?;
        let hash = stored.as_ref().and_then(|stored| stored.password_hash.clone());
        let verdict = passwords.verify(Share::Logins, password.clone(), hash).await?;
        if let (Verdict::CorrectButOutdated, Some(stored)) = (verdict, &stored) {
            let renewed = async {
                let hash = passwords.hash(Share::Logins, password.clone()).await?;
                store::renew_password_hash(&mut db.acquire().await?, stored.user.id, &hash, stored.version).await?;
                Ok::<_, AccountError>(())
            };
            // The login succeeds even if the renewal fails; the next login tries again.
            if let Err(error) = renewed.await {
                tracing::warn!(error = &error as &dyn std::error::Error, "failed to renew an old password hash");
            }
        }
        Ok((stored, verdict))
    }

    /// Requires a signed-in user to repeat their password, before a change that a stolen session must not make. Wrong passwords count like
    /// failed logins. Returns the version of the credentials.
    pub(super) async fn prove(&self, event: AuthEvent, user: &User, password: &SecretString, caller: &Caller) -> Result<i64, AccountError> {
        let Parts { attempts, metrics, .. } = self.parts();
        let begun = attempts.begin_login(&user.email, caller).await;
        let attempt = begun.inspect_err(|_| events::request_throttled(metrics, event))?;
        let (stored, verdict) = self.verify(&user.email, password).await?;
        let Some(proven) = stored.filter(|stored| verdict != Verdict::Wrong && stored.user.id == user.id) else {
            attempt.fail().await;
            events::wrong_password(metrics, event, user.id);
            return Err(AccountError::WrongPassword);
        };
        attempt.end().await;
        Ok(proven.version)
    }

    /// Locks an account after its user has repeated the password. Until the transaction ends, the account gets no new session, project or
    /// membership.
    ///
    /// # Errors
    /// `WrongPassword` when the credentials no longer have this version: the repeated password may be an old one.
    pub async fn hold_proven(&self, tx: &mut Conn, user: &User, version: i64) -> Result<(), AccountError> {
        store::hold_user(tx, user.id).await?;
        let stored = store::credentials(tx, &user.email).await?;
        let is_same = stored.is_some_and(|stored| stored.user.id == user.id && stored.version == version);
        if is_same { Ok(()) } else { Err(AccountError::WrongPassword) }
    }
}
