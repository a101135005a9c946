//! The data types of accounts, and the validation of requests.

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

use crate::domain::validation::FieldError;
use crate::domain::validation::{Fields, Line, characters, email};

/// Maximum length of an e-mail address in characters: RFC 5321 limits an address in angle brackets to 256 octets.
pub const EMAIL_LENGTH: usize = 254;
const NAME_LENGTH: usize = 80;
/// The name that others see.
pub type DisplayName = Line<1, NAME_LENGTH>;
/// The name of a session's device in the list of sessions.
pub type Device = Line<0, 120>;
/// A code of a second factor as a user types it: spaces, hyphens and case do not matter.
pub type CodeText = Line<1, 40>;
/// The token of a link in a mail.
pub type LinkToken = Line<1, 100>;
/// An address in a login attempt: not checked for syntax, because an invalid one matches no account anyway.
pub type LoginEmail = Line<1, EMAIL_LENGTH>;
/// NIST SP 800-63B (revision 3) requires at least 8 characters. The upper bound limits the text that is hashed.
const PASSWORD_LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
const TOKEN_BYTES: usize = 32;
/// Passwords of at least 8 characters from the top of lists of leaked passwords.
static COMMON_PASSWORDS: &str = include_str!("common_passwords.txt");

/// The role of an account across the service, beyond its roles in projects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UserRole)]
pub enum Role {
    /// Has the rights of an owner in every project.
    Admin,
    /// May do what its project roles allow.
    Member,
}

impl Role {
    /// Parses the database's value; `None` if this version does not know it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "admin" => Some(Self::Admin),
            "member" => Some(Self::Member),
            _ => None,
        }
    }
}

/// An account, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// UUID version 7: sorts by creation time.
    pub id: Uuid,
    /// E-mail address, compared case-insensitively.
    pub email: String,
    /// Whether the owner has confirmed the address. An account works before that. False in entries of a cache that an older version wrote.
    #[serde(default)]
    #[schema(required = true)]
    pub email_confirmed: bool,
    /// Name that others see.
    pub display_name: String,
    /// Role across the service.
    pub role: Role,
    /// Time of registration.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// The schema of the password of a new account.
pub fn new_password() -> Schema {
    let format = SchemaFormat::KnownFormat(KnownFormat::Password);
    characters(*PASSWORD_LENGTH.start(), *PASSWORD_LENGTH.end()).format(Some(format)).into()
}

/// The schema of the password of a login attempt. It has no lower bound: a short password is just wrong.
pub fn tried_password() -> Schema {
    let format = SchemaFormat::KnownFormat(KnownFormat::Password);
    characters(0, *PASSWORD_LENGTH.end()).format(Some(format)).into()
}

/// The schema of the e-mail address of a new account.
pub fn new_email() -> Schema {
    email(EMAIL_LENGTH)
}

/// A valid registration.
#[derive(Debug)]
pub struct NewUser {
    pub email: String,
    pub display_name: String,
    pub password: SecretString,
}

impl NewUser {
    /// Validates a registration and reports all errors together.
    pub fn parse(email: &str, password: SecretString, display_name: &str) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let email = Line::<3, EMAIL_LENGTH>::read(&mut fields, "email", email);
        if !is_address(&email) {
            fields.refuse("email", "invalid", "must be an address such as ada@example.com");
        }
        let display_name = DisplayName::read(&mut fields, "display_name", display_name);
        check_new(&mut fields, &password, &email);
        fields.finish(Self { email, display_name, password })
    }
}

/// Checks a new password against the rules for the account with this address.
pub fn check_password(password: &SecretString, email: &str) -> Result<(), Vec<FieldError>> {
    let mut fields = Fields::default();
    check_new(&mut fields, password, email);
    fields.finish(())
}

fn check_new(fields: &mut Fields, password: &SecretString, email: &str) {
    let plain = password.expose_secret();
    let length = plain.chars().count();
    if !PASSWORD_LENGTH.contains(&length) {
        let code = if length < *PASSWORD_LENGTH.start() { "too_short" } else { "too_long" };
        fields.refuse("password", code, format!("must be {} to {} characters", PASSWORD_LENGTH.start(), PASSWORD_LENGTH.end()));
    } else if COMMON_PASSWORDS.lines().any(|common| common.eq_ignore_ascii_case(plain)) || plain.eq_ignore_ascii_case(email) {
        fields.refuse("password", "too_common", "must not be a common password or the e-mail address");
    }
}

fn is_address(email: &str) -> bool {
    let rules = Options::default().without_display_text().without_domain_literal().with_required_tld();
    EmailAddress::parse_with_options(email, rules).is_ok()
}

/// The e-mail address and the name for an account without a password. They come from a platform that has verified the address, or from the
/// demo data.
#[derive(Debug)]
pub struct Vouched {
    pub(super) email: String,
    pub(super) display_name: String,
}

impl Vouched {
    /// Cleans up the name: removes control characters and truncates a name that is too long. The local part of the address replaces an
    /// empty name. Returns `None` when the address is invalid.
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

/// The credentials of a login attempt.
#[derive(Debug)]
pub struct Credentials {
    pub email: String,
    pub password: SecretString,
    /// The second factor.
    pub code: Option<String>,
    pub device: String,
}

impl Credentials {
    /// Validates lengths, and refuses control characters in the address and the device name. An address with invalid syntax and a password
    /// that is too short for an account are valid here: the login rejects them as wrong credentials.
    pub fn parse(email: &str, password: SecretString, code: Option<&str>, device: Option<&str>) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::default();
        let email = LoginEmail::read(&mut fields, "email", email);
        let code = code.map(|code| CodeText::read(&mut fields, "code", code));
        let device = Device::read(&mut fields, "device", device.unwrap_or_default());
        if password.expose_secret().chars().count() > *PASSWORD_LENGTH.end() {
            fields.refuse("password", "too_long", format!("must be at most {} characters", PASSWORD_LENGTH.end()));
        }
        fields.finish(Self { email, password, code, device })
    }
}

/// The secret that authenticates a session. Only the client keeps it.
pub struct Token(SecretString);

impl Token {
    /// Generates a token with a cryptographic generator that the operating system has seeded.
    pub fn generate() -> Self {
        let bytes: [u8; TOKEN_BYTES] = rand::random();
        Self(URL_SAFE_NO_PAD.encode(bytes).into())
    }

    /// Parses a token that a client sent; `None` unless it has a token's length and encoding.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == TOKEN_BYTES).then(|| Self(text.into()))
    }

    /// The secret, to be sent to its client only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The hash that the database stores in place of the token.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose()).to_vec())
    }
}

/// SHA-256 of a token. A slow hash is not needed, because 256 random bits cannot be guessed.
#[derive(Clone, Debug)]
pub struct TokenHash(pub Vec<u8>);

impl TokenHash {
    /// The key of the session, and of its user, in the cache.
    pub fn cache_id(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }
}

/// A session found by its token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    pub id: Uuid,
    pub user_id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// A session that its user has ended.
#[derive(Debug)]
pub struct EndedSession {
    pub id: Uuid,
    pub token: TokenHash,
}

/// A session in the list of an account's sessions.
#[derive(Debug)]
pub struct SessionEntry {
    pub id: Uuid,
    pub device: String,
    pub created_at: OffsetDateTime,
    pub last_seen_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// The account and the session that authenticated a request.
#[derive(Clone, Copy, Debug)]
pub struct SignedInClient {
    /// Identifier of the account.
    pub user: Uuid,
    /// Identifier of the session.
    pub session: Uuid,
}

/// A successful sign-in and its new session.
pub struct SignedIn {
    /// To be sent to the client only.
    pub token: Token,
    /// Identifier of the session.
    pub session: Uuid,
    /// When the session ends at the latest.
    pub expires_at: OffsetDateTime,
    /// The account that signed in.
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
    fn a_registration_reports_all_errors_together() {
        let expected = [("email", "invalid"), ("display_name", "too_short"), ("password", "too_short")];
        assert_eq!(codes("nobody", "short", " "), expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn common_passwords_are_refused_regardless_of_case() {
        assert_eq!(codes("ada@example.com", "PassWord1", "Ada"), [("password".to_owned(), "too_common")]);
        assert_eq!(codes("ada@example.com", "correct horse battery", "Ada"), []);
    }

    #[test]
    fn tokens_round_trip_through_the_client() {
        let token = Token::generate();
        assert_eq!(Token::parse(token.expose()).unwrap().hash().0, token.hash().0);
        assert!(Token::parse("../../etc/passwd").is_none());
    }
}
