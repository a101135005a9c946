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

/// Lets the owner of an account set a new password.
pub fn password_reset(public_url: &Url, token: &Token) -> Letter {
    let link = link(public_url, "password-reset", token);
    let text = format!(
        "Somebody asked for a new password for your account at Vitrine.\n\n\
         If it was you, set it here:\n\n{link}\n\n\
         The link works once, within an hour, and signs you out on all devices. If it was not you, ignore this mail: your password stays.\n"
    );
    Letter { template: MailTemplate::PasswordReset, subject: "Set a new password", text }
}

/// Tells the owner of an account that the password is new.
pub fn password_changed(public_url: &Url) -> Letter {
    let page = page(public_url, "password-reset");
    let text = format!(
        "The password of your account at Vitrine was changed, and other devices were signed out.\n\n\
         If it was not you, set a new password now:\n\n{page}\n"
    );
    Letter { template: MailTemplate::PasswordChanged, subject: "Your password was changed", text }
}

/// The address of a page, with the token as its query parameter.
fn link(public_url: &Url, page: &str, token: &Token) -> String {
    format!("{}?token={}", self::page(public_url, page), token.expose())
}

fn page(public_url: &Url, page: &str) -> String {
    format!("{}/{page}", public_url.as_str().trim_end_matches('/'))
}
