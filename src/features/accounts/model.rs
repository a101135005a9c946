//! The types of accounts and what text may become one of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use email_address::{EmailAddress, Options};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa::openapi::{KnownFormat, Schema, SchemaFormat};
use uuid::Uuid;

use crate::http::FieldError;
use crate::http::fields::{Fields, Line, characters, email};

/// RFC 5321 allows a path of 256 characters, the angle brackets included.
pub const EMAIL_LENGTH: usize = 254;
const NAME_LENGTH: usize = 80;
/// How others see an account.
pub type DisplayName = Line<1, NAME_LENGTH>;
/// How the list of sessions names one.
pub type Device = Line<0, 120>;
/// Whatever may be tried as an address; no account has one that is none.
pub type LoginEmail = Line<1, EMAIL_LENGTH>;
/// NIST SP 800-63B asks for at least 8; the upper bound keeps hashing cheap to refuse.
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
const TOKEN_BYTES: usize = 32;
/// Passwords of at least 8 characters that lists of leaked ones put first.
static COMMON_PASSWORDS: &str = include_str!("common_passwords.txt");

/// What an account may do beyond its own projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UserRole)]
pub enum Role {
    /// Everything, everywhere.
    Admin,
    /// What its projects allow.
    Member,
}

impl Role {
    /// The role that the database holds.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == "admin" { Self::Admin } else { Self::Member }
    }
}

/// An account, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Identifier (version 7: sorts by time).
    pub id: Uuid,
    /// Address, compared without regard to case.
    pub email: String,
    /// How others see the account.
    pub display_name: String,
    /// What it may do.
    pub role: Role,
    /// When it signed up.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// The schema of a password that an account may have.
pub fn new_password() -> Schema {
    let format = SchemaFormat::KnownFormat(KnownFormat::Password);
    characters(*PASSWORD_LENGTH.start(), *PASSWORD_LENGTH.end()).format(Some(format)).into()
}

/// The schema of a password that may be tried.
pub fn tried_password() -> Schema {
    let format = SchemaFormat::KnownFormat(KnownFormat::Password);
    characters(0, *PASSWORD_LENGTH.end()).format(Some(format)).into()
}

/// The schema of an address that an account may have.
pub fn new_email() -> Schema {
    email(EMAIL_LENGTH)
}

/// Someone who signs up.
#[derive(Debug)]
pub struct NewUser {
    pub email: String,
    pub display_name: String,
    pub password: SecretString,
}

impl NewUser {
    /// Checks what was sent.
    pub fn parse(email: &str, password: SecretString, display_name: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let email = Line::<3, EMAIL_LENGTH>::read(&mut fields, "email", email);
        if !is_address(&email) {
            fields.refuse("email", "invalid", "must be an address such as ada@example.com");
        }
        let display_name = DisplayName::read(&mut fields, "display_name", display_name);
        let plain = password.expose_secret();
        let length = plain.chars().count();
        if !PASSWORD_LENGTH.contains(&length) {
            let code = if length < *PASSWORD_LENGTH.start() { "too_short" } else { "too_long" };
            fields.refuse("password", code, format!("must be {} to {} characters", PASSWORD_LENGTH.start(), PASSWORD_LENGTH.end()));
        } else if COMMON_PASSWORDS.lines().any(|common| common.eq_ignore_ascii_case(plain)) || plain.eq_ignore_ascii_case(&email) {
            fields.refuse("password", "too_common", "is among the first that an attacker tries");
        }
        fields.finish(Self { email, display_name, password })
    }
}

fn is_address(email: &str) -> bool {
    let rules = Options::default().without_display_text().without_domain_literal().with_required_tld();
    EmailAddress::parse_with_options(email, rules).is_ok()
}

/// Someone for whose address a platform vouches.
#[derive(Debug)]
pub struct Vouched {
    pub(super) email: String,
    pub(super) display_name: String,
}

impl Vouched {
    /// Takes over what the platform says; a name that is none of ours is made to fit. None when the address is none.
    #[must_use]
    pub fn new(email: &str, name: &str) -> Option<Self> {
        let email = email.trim();
        if !is_address(email) || email.chars().count() > EMAIL_LENGTH {
            return None;
        }
        let name: String = name.chars().filter(|c| !c.is_control()).collect();
        let name: String = name.trim().chars().take(NAME_LENGTH).collect();
        let display_name =
            if name.trim().is_empty() { email.split('@').next().unwrap_or_default().to_owned() } else { name.trim().to_owned() };
        Some(Self { email: email.to_owned(), display_name })
    }
}

/// Someone who signs in.
#[derive(Debug)]
pub struct Credentials {
    pub email: String,
    pub password: SecretString,
    pub device: String,
}

impl Credentials {
    /// Checks what was sent. What cannot be an account's is left to the login to refuse like any other.
    pub fn parse(email: &str, password: SecretString, device: Option<&str>) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let email = LoginEmail::read(&mut fields, "email", email);
        let device = Device::read(&mut fields, "device", device.unwrap_or_default());
        if password.expose_secret().chars().count() > *PASSWORD_LENGTH.end() {
            fields.refuse("password", "too_long", format!("must be at most {} characters", PASSWORD_LENGTH.end()));
        }
        fields.finish(Self { email, password, device })
    }
}

/// What proves a session: known to its client only.
pub struct Token(SecretString);

impl Token {
    /// A new one, from the operating system's randomness.
    pub fn generate() -> Self {
        let bytes: [u8; TOKEN_BYTES] = rand::random();
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// What a client sent, if it has the shape of a token.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == TOKEN_BYTES).then(|| Self(text.into()))
    }

    /// For the client's eyes.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What is stored of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose()).to_vec())
    }
}

/// SHA-256 of a token: enough for 256 random bits, which cannot be guessed.
#[derive(Clone, Debug)]
pub struct TokenHash(pub Vec<u8>);

impl TokenHash {
    /// The name under which a cache holds the session.
    pub fn cache_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }
}

/// A session that has been looked up by its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    pub id: Uuid,
    pub user_id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// A session that was ended before its time.
#[derive(Debug)]
pub struct EndedSession {
    pub id: Uuid,
    pub token: TokenHash,
}

/// A session, as the list of an account's sessions shows it.
#[derive(Debug)]
pub struct SessionEntry {
    pub id: Uuid,
    pub device: String,
    pub created_at: OffsetDateTime,
    pub last_seen_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// Someone who has been proven, and the session that has begun.
pub struct SignedIn {
    /// For the client's eyes only.
    pub token: Token,
    /// The session.
    pub session: Uuid,
    /// When it ends at the latest.
    pub expires_at: OffsetDateTime,
    /// Whose it is.
    pub user: User,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(email: &str, password: &str, name: &str) -> Vec<(String, &'static str)> {
        let refused = NewUser::parse(email, password.into(), name).err().unwrap_or_default();
        refused.into_iter().map(|error| (error.field, error.code)).collect()
    }

    #[test]
    fn everything_that_is_wrong_with_a_sign_up_is_said_at_once() {
        let expected = [("email", "invalid"), ("display_name", "too_short"), ("password", "too_short")];
        assert_eq!(codes("nobody", "short", " "), expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        assert_eq!(codes("ada@example.com", "PassWord1", "Ada"), [("password".to_owned(), "too_common")]);
        assert_eq!(codes("ada@example.com", "correct horse battery", "Ada"), []);
    }

    #[test]
    fn a_token_survives_its_way_to_the_client_and_back() {
        let token = Token::generate();
        assert_eq!(Token::parse(token.expose()).unwrap().hash().0, token.hash().0);
        assert!(Token::parse("../../etc/passwd").is_none());
    }
}
