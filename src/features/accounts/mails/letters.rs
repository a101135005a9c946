//! The texts of the mails. Names that users chose are not in them: a stranger could use a name to send a text of their own.

use url::Url;

use super::super::model::Token;
use crate::mail::Letter;
use crate::metrics::labels::MailTemplate;

/// Asks the owner of an address to confirm it.
pub fn confirmation(public_url: &Url, token: &Token) -> Letter {
    let link = link(public_url, "confirm", token);
    let text = format!(
        "Somebody created an account at Vitrine with this e-mail address.\n\n\
         If it was you, confirm the address:\n\n{link}\n\n\
         The link works once, within three days. If it was not you, ignore this mail.\n"
    );
    Letter { template: MailTemplate::Confirmation, subject: "Confirm your e-mail address", text }
}

/// The address of a page, with the token as its query parameter.
fn link(public_url: &Url, page: &str, token: &Token) -> String {
    format!("{}/{page}?token={}", public_url.as_str().trim_end_matches('/'), token.expose())
}
