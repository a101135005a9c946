//! The rules of the links in mails.

use uuid::Uuid;

use super::super::limits::Caller;
use super::super::links::{self, Purpose};
use super::super::mails::Mail;
use super::super::model::{Token, TokenHash, User};
use super::super::service::{AccountError, Accounts, Parts};
use super::super::{events, store};
use crate::metrics::labels::AuthEvent;

impl Accounts {
    /// Sends the mail that confirms the account's address again. If the address is confirmed already, no mail is sent.
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
        let (user, token) = self.find_link(AuthEvent::Confirmation, token, Purpose::Confirmation, caller).await?;
        let mut tx = db.begin().await?;
        store::hold_user(&mut tx, user).await?;
        if !links::redeem(&mut tx, user, &token, Purpose::Confirmation).await? {
            events::link_refused(metrics, AuthEvent::Confirmation);
            return Err(AccountError::InvalidLink);
        }
        store::set_confirmed(&mut tx, user).await?;
        self.commit_changed(tx, user).await?;
        events::address_confirmed(metrics, user);
        Ok(())
    }

    /// The account of a valid link, and the hash of the link's token. An invalid link counts like a failed login from this network.
    async fn find_link(&self, event: AuthEvent, token: &str, purpose: Purpose, caller: &Caller) -> Result<(Uuid, TokenHash), AccountError> {
        let Parts { db, attempts, metrics, .. } = self.parts();
        let begun = attempts.begin_redemption(caller.network).await;
        let attempt = begun.inspect_err(|_| events::request_throttled(metrics, event))?;
        let found = match Token::parse(token).map(|token| token.hash()) {
            Some(token) => links::find(&mut db.acquire().await?, &token, purpose).await?.map(|user| (user, token)),
            None => None,
        };
        if found.is_none() {
            attempt.fail().await;
            events::link_refused(metrics, event);
            return Err(AccountError::InvalidLink);
        }
        attempt.end().await;
        found.ok_or(AccountError::InvalidLink)
    }
}
