//! Mail: hands one message to the mail server, and counts the outcome. Features write the texts and send them in jobs, so that a mail
//! waits while the server is unavailable.
//!
//! No error and no log line contains the address of the recipient or a response of the server, which may quote the address.

mod settings;

use std::sync::Arc;

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::{Error, extension::ClientId};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::Url;

pub use settings::Settings;

use crate::metrics::Metrics;
use crate::metrics::labels::{MailOutcome, MailTemplate};

/// Enhanced codes by which a server says that the recipient does not exist (RFC 3463, 3.2). After another error, such as one about the
/// sender or a full mailbox, a later attempt may succeed.
const NO_SUCH_RECIPIENT: [&str; 5] = ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"];

/// A mail without its recipient.
#[derive(Debug)]
pub struct Letter {
    /// The kind of mail.
    pub template: MailTemplate,
    /// One line.
    pub subject: &'static str,
    /// Plain text.
    pub text: String,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The address is invalid, or the server refuses it: another attempt would fail, too.
    #[error("the mail server refused the recipient")]
    Refused,
    /// The server is unavailable, or refuses the mail for now.
    #[error("{0}")]
    Failed(String),
}

/// Sends mails; cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    metrics: Metrics,
}

impl Mailer {
    /// A mailer that introduces itself to the mail server with the host of `public_url`.
    #[must_use]
    pub fn new(settings: Settings, public_url: &Url, metrics: Metrics) -> Self {
        let name = ClientId::Domain(public_url.host_str().unwrap_or("localhost").to_owned());
        Self(Arc::new(Inner { server: settings.server.hello_name(name).build(), from: settings.from, metrics }))
    }

    /// Sends a mail over a connection of its own.
    ///
    /// # Errors
    /// When the server does not accept the mail.
    pub async fn send(&self, to: &str, letter: Letter) -> Result<(), MailError> {
        let template = letter.template;
        let sent = self.deliver(to, letter).await;
        let outcome = match &sent {
            Ok(()) => MailOutcome::Sent,
            Err(MailError::Refused) => MailOutcome::Refused,
            Err(MailError::Failed(_)) => MailOutcome::Failed,
        };
        self.0.metrics.mails_sent.increment((template, outcome));
        sent
    }

    async fn deliver(&self, to: &str, letter: Letter) -> Result<(), MailError> {
        let Inner { server, from, .. } = &*self.0;
        let to: Address = to.parse().map_err(|_| MailError::Refused)?;
        let message = Message::builder().from(from.clone()).to(to.into()).subject(letter.subject).header(ContentType::TEXT_PLAIN);
        let message = message.body(letter.text).map_err(|_| MailError::Refused)?;
        server.send(message).await.map(drop).map_err(|error| failure(&error))
    }
}

fn failure(error: &Error) -> MailError {
    match error.status().map(u16::from) {
        Some(_) if is_about_recipient(&error.to_string()) => MailError::Refused,
        Some(code) => MailError::Failed(format!("the mail server answered with code {code}")),
        None if error.is_timeout() => MailError::Failed("the mail server did not answer in time".to_owned()),
        None if error.is_tls() => MailError::Failed("the TLS connection to the mail server failed".to_owned()),
        None => MailError::Failed("the mail server cannot be reached".to_owned()),
    }
}

/// Whether the response of a server, quoted in an error, has one of the codes. The text is not logged: it may quote the address.
fn is_about_recipient(error: &str) -> bool {
    error.split_whitespace().any(|word| NO_SUCH_RECIPIENT.contains(&word))
}
