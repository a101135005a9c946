//! The handler of the job that sends a mail.

use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use super::super::links::{self, Purpose};
use super::super::service::Accounts;
use super::super::{events, store};
use super::jobs::Mail;
use super::letters;
use crate::db::{Conn, Db, StoreError};
use crate::jobs::{Failure, Handler, Job};
use crate::mail::{Letter, MailError, Mailer};

/// The pauses after the first four failed attempts. The fifth failure is final ([`MAX_ATTEMPTS`](crate::jobs::MAX_ATTEMPTS)).
const PAUSES: [Duration; 4] = [Duration::from_mins(1), Duration::from_mins(10), Duration::from_mins(40), Duration::from_hours(2)];

/// Handles [`Mail`].
pub struct DeliverMail {
    db: Db,
    mailer: Option<Mailer>,
    public_url: Url,
}

impl DeliverMail {
    /// The handler for the mails of these accounts.
    pub fn of(accounts: &Accounts) -> Self {
        let parts = accounts.parts();
        Self { db: parts.background.clone(), mailer: parts.mailer.clone(), public_url: parts.public_url.clone() }
    }

    /// The mail and the address of its recipient. `None` if there is nothing to send any more.
    async fn write(&self, mail: &Mail) -> Result<Option<(String, Letter)>, StoreError> {
        let mut conn = self.db.acquire().await?;
        match mail {
            Mail::Confirmation { user } => {
                let Some(user) = store::user(&mut conn, *user).await?.filter(|user| !user.email_confirmed) else { return Ok(None) };
                let token = links::create(&mut conn, user.id, Purpose::Confirmation).await?;
                Ok(Some((user.email, letters::confirmation(&self.public_url, &token))))
            }
            Mail::PasswordReset { email } => {
                let Some(user) = store::user_by_email(&mut conn, email).await? else { return Ok(None) };
                let token = links::create(&mut conn, user.id, Purpose::PasswordReset).await?;
                Ok(Some((user.email, letters::password_reset(&self.public_url, &token))))
            }
            Mail::PasswordChanged { user } => {
                let user = store::user(&mut conn, *user).await?;
                Ok(user.map(|user| (user.email, letters::password_changed(&self.public_url))))
            }
        }
    }
}

#[async_trait]
impl Handler for DeliverMail {
    async fn run(&self, job: &Job) -> Result<(), Failure> {
        let mail: Mail = job.payload()?;
        let Some(mailer) = &self.mailer else {
            // During a change of the configuration, a replica that has a mail server may take the next attempt.
            return Err(later(job, "SMTP_URL is not set".to_owned()));
        };
        let Some((to, letter)) = self.write(&mail).await? else { return Ok(()) };
        let template = letter.template;
        match mailer.send(&to, letter).await {
            Ok(()) => events::mail_sent(template),
            Err(MailError::Refused) => events::mail_refused(template),
            Err(MailError::Failed(reason)) => return Err(later(job, reason)),
        }
        Ok(())
    }

    async fn give_up(&self, _job: &Job, _tx: &mut Conn, _reason: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

fn later(job: &Job, reason: String) -> Failure {
    let number = usize::try_from(job.attempt()).unwrap_or_default().clamp(1, PAUSES.len());
    Failure::Retry { reason, after: Some(PAUSES[number - 1]) }
}
