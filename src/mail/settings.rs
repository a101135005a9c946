//! The mail server and the sender, as `SMTP_URL` and `MAIL_FROM` configure them.

use std::time::Duration;

use lettre::message::Mailbox;
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

/// Time limit for connecting to the mail server, and for each of its responses.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A valid configuration of the mail server.
pub struct Settings {
    pub(super) server: AsyncSmtpTransportBuilder,
    pub(super) from: Mailbox,
}

impl Settings {
    /// Parses the values of `SMTP_URL` and `MAIL_FROM`.
    ///
    /// # Errors
    /// A message that names the variable and its requirement, without the value.
    pub fn parse(smtp_url: &SecretString, mail_from: &str) -> Result<Self, String> {
        let server = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp_url.expose_secret());
        let server = server.map_err(|_| "SMTP_URL must be a URL such as smtp://host:25 or smtps://user:password@host".to_owned())?;
        let from = mail_from.parse().map_err(|_| "MAIL_FROM must be an address such as Vitrine <vitrine@example.com>".to_owned())?;
        Ok(Self { server: server.timeout(Some(TIMEOUT)), from })
    }
}
