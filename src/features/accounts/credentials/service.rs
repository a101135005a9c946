//! The rules of the links in mails, and of new passwords.

use async_trait::async_trait;
use secrecy::SecretString;
use uuid::Uuid;

use super::super::audit::{self, AuditEvent};
use super::super::limits::Caller;
use super::super::links::{self, Purpose};
use super::super::mails::Mail;
use super::super::model::{Token, TokenHash, User, check_password};
use super::super::password::Share;
use super::super::service::{AccountError, Accounts, Parts};
use super::super::{events, store};
use crate::cache::throttle::Attempt;
use crate::db::{Conn, StoreError};
use crate::metrics::labels::AuthEvent;

/// A change of the password of a signed-in user.
pub(super) struct PasswordChange {
    pub user: User,
    /// The session that requests the change.
    pub session: Uuid,
    pub current: SecretString,
    pub new: SecretString,
}

/// The ways to sign in that another feature stores.
#[async_trait]
pub trait OtherSignIns: Sync {
    /// Ends those of an account, within the caller's transaction.
    async fn end_all(&self, tx: &mut Conn, user: Uuid) -> Result<(), StoreError>;

    /// Completes the end after the commit.
    fn ended(&self);
}

impl Accounts {
    /// Sends another mail with a link that confirms the account's address. If the address is confirmed already, no mail is sent.
    pub(super) async fn request_confirmation(&self, user: &User, caller: &Caller) -> Result<(), AccountError> {
        self.request_mail(AuthEvent::ConfirmationRequest, &user.email, &Mail::Confirmation { user: user.id }, caller).await
    }

    async fn request_mail(&self, event: AuthEvent, email: &str, mail: &Mail, caller: &Caller) -> Result<(), AccountError> {
        let Parts { db, attempts, queue, metrics, .. } = self.parts();
        if !self.sends_mail() {
            return Err(AccountError::NoMail);
        }
        attempts.take_mail(email, caller).await.inspect_err(|_| events::request_throttled(metrics, event))?;
        let mut tx = db.begin().await?;
        self.enqueue(&mut tx, mail).await?;
        tx.commit().await?;
        queue.wake();
        events::mail_requested(metrics, event);
        Ok(())
    }

    /// Confirms the address of the account to which the link was sent.
    pub(super) async fn confirm(&self, token: &str, caller: &Caller) -> Result<(), AccountError> {
        let Parts { db, metrics, .. } = self.parts();
        let (user, token, attempt) = self.find_link(AuthEvent::Confirmation, token, Purpose::Confirmation, caller).await?;
        attempt.end().await;
        let mut tx = db.begin().await?;
        store::hold_user(&mut tx, user).await?;
        if !links::redeem(&mut tx, user, &token, Purpose::Confirmation).await? {
            events::link_refused(metrics, AuthEvent::Confirmation);
            return Err(AccountError::InvalidLink);
        }
        store::set_confirmed(&mut tx, user).await?;
        audit::record(&mut tx, user, AuditEvent::AddressConfirmed, caller.network).await?;
        self.commit_changed(tx, user).await?;
        events::address_confirmed(metrics, user);
        Ok(())
    }

    /// Sends the mail that sets a new password, if an account has the address.
    pub(super) async fn request_reset(&self, email: String, caller: &Caller) -> Result<(), AccountError> {
        self.request_mail(AuthEvent::PasswordResetRequest, &email.clone(), &Mail::PasswordReset { email }, caller).await
    }

    /// Sets a new password for the account to which the link was sent, and ends all of its sessions. The link also proves the address. If
    /// this is the first proof, a stranger may have created the account: every other way to sign in ends.
    pub(super) async fn reset_password(
        &self,
        token: &str,
        password: SecretString,
        others: &dyn OtherSignIns,
        caller: &Caller,
    ) -> Result<(), AccountError> {
        let Parts { db, queue, metrics, .. } = self.parts();
        let (event, purpose) = (AuthEvent::PasswordReset, Purpose::PasswordReset);
        let (id, token, attempt) = self.find_link(event, token, purpose, caller).await?;
        let user = store::user(&mut db.acquire().await?, id).await?.ok_or(AccountError::InvalidLink)?;
        check_password(&password, &user.email).map_err(AccountError::Invalid)?;
        let hash = self.passwords().hash(Share::Logins, password).await?;
        // Until now, because a network may hash only a few passwords at the same time.
        attempt.end().await;
        let mut tx = db.begin().await?;
        store::hold_user(&mut tx, id).await?;
        if !links::redeem(&mut tx, id, &token, purpose).await? {
            events::link_refused(metrics, event);
            return Err(AccountError::InvalidLink);
        }
        store::set_password(&mut tx, id, &hash, None).await?;
        if !user.email_confirmed {
            store::set_confirmed(&mut tx, id).await?;
            self.drop_factor(&mut tx, id, caller).await?;
            others.end_all(&mut tx, id).await?;
        }
        let ended = store::delete_sessions(&mut tx, id, None).await?;
        audit::record(&mut tx, id, AuditEvent::PasswordReset, caller.network).await?;
        self.enqueue(&mut tx, &Mail::PasswordChanged { user: id }).await?;
        self.forget(tx, id, &ended).await?;
        queue.wake();
        others.ended();
        events::password_set(metrics, event, id);
        Ok(())
    }

    /// Replaces the password of a signed-in user, who repeats the current one. Ends all other sessions, and all links that set a password.
    pub(super) async fn change_password(&self, change: PasswordChange, caller: &Caller) -> Result<(), AccountError> {
        let Parts { db, attempts, queue, metrics, .. } = self.parts();
        let (PasswordChange { user, session, current, new }, event) = (change, AuthEvent::PasswordChange);
        check_password(&new, &user.email).map_err(AccountError::Invalid)?;
        let version = self.prove(event, &user, &current, caller).await?;
        if self.sends_mail() {
            // Without its mail, a thief could change the password unnoticed; without a limit, changes could flood a stranger's mailbox.
            attempts.take_mail(&user.email, caller).await.inspect_err(|_| events::request_throttled(metrics, event))?;
        }
        let hash = self.passwords().hash(Share::Logins, new).await?;
        let mut tx = db.begin().await?;
        store::hold_user(&mut tx, user.id).await?;
        if !store::set_password(&mut tx, user.id, &hash, Some(version)).await? {
            events::wrong_password(metrics, event, user.id);
            return Err(AccountError::WrongPassword);
        }
        links::end(&mut tx, user.id, Purpose::PasswordReset).await?;
        let ended = store::delete_sessions(&mut tx, user.id, Some(session)).await?;
        audit::record(&mut tx, user.id, AuditEvent::PasswordChanged, caller.network).await?;
        self.enqueue(&mut tx, &Mail::PasswordChanged { user: user.id }).await?;
        self.forget(tx, user.id, &ended).await?;
        queue.wake();
        events::password_set(metrics, event, user.id);
        Ok(())
    }

    /// The account of a valid link, the hash of the link's token, and the attempt, which the caller ends. An invalid link counts like a
    /// failed login from this network.
    async fn find_link(
        &self,
        event: AuthEvent,
        token: &str,
        purpose: Purpose,
        caller: &Caller,
    ) -> Result<(Uuid, TokenHash, Attempt), AccountError> {
        let Parts { db, attempts, metrics, .. } = self.parts();
        let begun = attempts.begin_redemption(caller.network).await;
        let attempt = begun.inspect_err(|_| events::request_throttled(metrics, event))?;
        let found = match Token::parse(token).map(|token| token.hash()) {
            Some(token) => links::find(&mut db.acquire().await?, &token, purpose).await?.map(|user| (user, token)),
            None => None,
        };
        let Some((user, token)) = found else {
            attempt.fail().await;
            events::link_refused(metrics, event);
            return Err(AccountError::InvalidLink);
        };
        Ok((user, token, attempt))
    }
}
