//! Sign-in with a password, new sessions, and the proof of a password by a signed-in user.

use secrecy::SecretString;

use super::limits::Caller;
use super::model::{Credentials, Role, SignedIn, Token, User};
use super::password::{Share, Verdict};
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
        let outcome = self.sign_in(&credentials).await;
        if matches!(outcome, Err(AccountError::InvalidCredentials)) {
            attempt.fail().await;
        } else {
            attempt.end().await;
        }
        outcome
    }

    async fn sign_in(&self, credentials: &Credentials) -> Result<SignedIn, AccountError> {
        let Parts { db, faults, metrics, .. } = self.parts();
        // Injected login failures spare admins: somebody must be able to end the fault.
        let passes = |user: &User| user.role == Role::Admin || !faults.refuses_login();
        let proven = self.verified(&credentials.email, &credentials.password).await?.filter(|proven| passes(&proven.user));
        let signed_in = match proven {
            Some(proven) => self.insert_session(&mut db.acquire().await?, proven.user, &credentials.device, Some(proven.version)).await?,
            None => None,
        };
        let Some(signed_in) = signed_in else {
            events::login_failed(metrics);
            return Err(AccountError::InvalidCredentials);
        };
        events::logged_in(metrics, signed_in.user.id, signed_in.session);
        Ok(signed_in)
    }

    /// Creates a session for an authenticated user, on the caller's connection or within its transaction.
    ///
    /// # Errors
    /// `InvalidToken` when the account no longer exists; when the database fails.
    pub async fn begin_session(&self, conn: &mut Conn, user: User, device: &str) -> Result<SignedIn, AccountError> {
        self.insert_session(conn, user, device, None).await?.ok_or(AccountError::InvalidToken)
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

    /// Loads the account if the password is correct. Holds no database connection while it verifies the password.
    async fn verified(&self, email: &str, password: &SecretString) -> Result<Option<Stored>, AccountError> {
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
        Ok(stored.filter(|_| verdict != Verdict::Wrong))
    }

    /// Requires a signed-in user to repeat their password, before a change that a stolen session must not make. Wrong passwords count like
    /// failed logins. Returns the version of the credentials.
    pub(super) async fn prove(&self, event: AuthEvent, user: &User, password: &SecretString, caller: &Caller) -> Result<i64, AccountError> {
        let Parts { attempts, metrics, .. } = self.parts();
        let begun = attempts.begin_login(&user.email, caller).await;
        let attempt = begun.inspect_err(|_| events::request_throttled(metrics, event))?;
        let proven = self.verified(&user.email, password).await?.filter(|proven| proven.user.id == user.id);
        let Some(proven) = proven else {
            attempt.fail().await;
            events::wrong_password(metrics, event, user.id);
            return Err(AccountError::WrongPassword);
        };
        attempt.end().await;
        Ok(proven.version)
    }
}
