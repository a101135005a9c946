//! Codes of both kinds, and the data that a user enters into an authenticator.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use totp_rs::{Builder, Secret, Totp};
use utoipa::ToSchema;
use uuid::Uuid;

const RECOVERY_CODES: usize = 10;
const RECOVERY_BYTES: usize = 10;
const GROUP: usize = 4;

/// The second factor that a user shows.
pub enum Code {
    /// Six digits of an authenticator.
    Authenticator(String),
    /// A recovery code.
    Recovery(String),
}

impl Code {
    /// Six digits are a code of an authenticator; anything else is a recovery code.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Authenticator(text)
        } else {
            Self::Recovery(text.to_ascii_lowercase())
        }
    }
}

/// The sealed content of a second factor.
#[derive(Deserialize, Serialize)]
pub struct Content {
    pub secret: [u8; 20],
    /// Empty once the factor is active.
    pub recovery_codes: Vec<String>,
}

impl Content {
    pub fn generate() -> Self {
        let code = || Secret::from(rand::random::<[u8; RECOVERY_BYTES]>()).to_base32().to_ascii_lowercase();
        Self { secret: rand::random(), recovery_codes: (0..RECOVERY_CODES).map(|_| code()).collect() }
    }

    /// The number of the step of 30 s to which a code belongs, if this step is the current, the previous or the next one.
    pub fn step(&self, code: &str, now: OffsetDateTime) -> Option<i64> {
        let now = u64::try_from(now.unix_timestamp()).ok()?;
        self.totp("").check(code, now).and_then(|step| i64::try_from(step).ok())
    }

    pub fn pending(&self, email: &str) -> Pending {
        let grouped = |code: &String| code.as_bytes().chunks(GROUP).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-");
        Pending {
            secret: Secret::from(self.secret).to_base32(),
            url: self.totp(&email.replace(':', " ")).to_url().unwrap_or_default(),
            recovery_codes: self.recovery_codes.iter().map(grouped).collect(),
        }
    }

    fn totp(&self, account: &str) -> Totp {
        Builder::new().with_secret(self.secret).with_account_name(account).with_issuer(Some("Vitrine")).build_noncompliant()
    }
}

/// The hash of a user's recovery code. A slow hash is not needed, because 80 random bits cannot be guessed.
pub fn hash(user: Uuid, code: &str) -> Vec<u8> {
    Sha256::new().chain_update(user.as_bytes()).chain_update(code).finalize().to_vec()
}

/// A second factor that is not active yet.
#[derive(Serialize, ToSchema)]
#[schema(as = PendingSecondFactor)]
pub struct Pending {
    /// The secret for the authenticator, in base32.
    pub secret: String,
    /// The same as an `otpauth:` URL, which authenticators read as a QR code.
    pub url: String,
    /// Codes that replace the authenticator, each once. They are shown only before the activation.
    pub recovery_codes: Vec<String>,
}

/// The state of an account's second factor.
#[derive(Serialize, ToSchema)]
#[schema(as = SecondFactor)]
pub struct Overview {
    /// Whether a sign-in with the password needs a code.
    pub active: bool,
    /// Number of unused recovery codes.
    pub recovery_codes_left: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_valid_one_step_before_and_after_but_not_90_seconds_off() {
        let content = Content::generate();
        let at = OffsetDateTime::from_unix_timestamp(1_795_000_020).unwrap();
        let code = content.totp("").generate(1_795_000_020).to_string();
        for (offset, valid) in [(-90, false), (-30, true), (0, true), (30, true), (90, false)] {
            let step = content.step(&code, at + time::Duration::seconds(offset));
            assert_eq!(step, valid.then_some(1_795_000_020 / 30), "{offset}");
        }
    }

    #[test]
    fn codes_are_read_as_users_type_them() {
        assert!(matches!(Code::parse(" 123 456 "), Code::Authenticator(code) if code == "123456"));
        assert!(matches!(Code::parse("ABCD-efgh"), Code::Recovery(code) if code == "abcdefgh"));
        let pending = Content::generate().pending("ada@example.com");
        assert_eq!((pending.recovery_codes.len(), pending.recovery_codes[0].len()), (10, 19));
        assert!(pending.url.starts_with("otpauth://totp/Vitrine:"), "{}", pending.url);
    }
}
