//! The types of linked accounts, and the validation of return paths.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;
use utoipa::ToSchema;
use utoipa::openapi::Schema;
use uuid::Uuid;

use crate::domain::Platform;
use crate::domain::validation::characters;

/// Maximum number of characters of a return path.
const PATH_LENGTH: usize = 512;
/// Maximum number of characters of a handle, enough for every platform. Longer handles are truncated: a handle is only
/// displayed.
const HANDLE_LENGTH: usize = 200;
/// Maximum length of a subject in bytes. `OpenID` Connect Core, section 2, permits 255 ASCII characters.
const SUBJECT_LENGTH: usize = 255;

/// Status of a linked account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LinkStatus)]
pub enum Status {
    /// The platform accepts the account's tokens, as far as the service knows.
    Active,
    /// The account must be linked again.
    Expired,
}

impl Status {
    /// Parses the value of the database column; `None` for a value that only another release knows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "active" => Some(Self::Active),
            "expired" => Some(Self::Expired),
            _ => None,
        }
    }

    /// The value of the database column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// A linked account on a platform.
#[derive(Clone, Debug)]
pub struct Account {
    /// Identifier in this service.
    pub id: Uuid,
    /// User who linked the account.
    pub user_id: Uuid,
    /// Platform of the account.
    pub platform: Platform,
    /// Identifier of the user on the platform.
    pub subject: String,
    /// Name of the user on the platform.
    pub handle: String,
    /// Scopes granted to Vitrine.
    pub scopes: Vec<String>,
    /// Whether the account must be linked again.
    pub status: Status,
    /// Expiry of the access token; `None` if the platform does not specify one.
    pub expires_at: Option<OffsetDateTime>,
    /// Time when the account was linked. Linking it again does not change this time.
    pub created_at: OffsetDateTime,
    /// Time of the last change.
    pub updated_at: OffsetDateTime,
}

/// Tokens issued by a platform.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: SecretString,
    /// `None` if the platform issued no refresh token. On some platforms, a refresh token works only once.
    pub refresh: Option<SecretString>,
    /// Expiry of the access token; `None` if the platform does not specify one.
    pub expires_at: Option<OffsetDateTime>,
    pub scopes: Vec<String>,
}

/// An identity on a platform, in its stored form.
#[derive(Clone, Debug)]
pub struct Identified {
    pub platform: Platform,
    pub issuer: String,
    pub subject: String,
    pub handle: String,
}

impl Identified {
    /// Returns `None` when the subject is invalid. Removes control characters from the handle and truncates it.
    pub fn new(platform: Platform, issuer: &str, subject: &str, handle: &str) -> Option<Self> {
        if subject.is_empty() || subject.len() > SUBJECT_LENGTH || subject.contains(char::is_control) {
            return None;
        }
        let handle = handle.chars().filter(|c| !c.is_control()).take(HANDLE_LENGTH).collect();
        Some(Self { platform, issuer: issuer.to_owned(), subject: subject.to_owned(), handle })
    }
}

/// A path of this service to which the browser returns. It never leads to another site (CWE-601, open redirect).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// Schema of a return path. It differs from [`Self::parse`] for two rare kinds of paths: it permits paths that begin with two slashes
    /// once their dot segments are removed, and it rejects two slashes followed by this service's own host.
    pub fn schema() -> Schema {
        let path = characters(1, PATH_LENGTH).pattern(Some(r"^/([^/\\\u0000-\u001f\u007f-\u009f][^\\\u0000-\u001f\u007f-\u009f]*)?$"));
        path.default(Some("/".into())).into()
    }

    /// Parses a path as a browser would. Returns `None` if the text is too long, is no absolute path, contains a backslash or control
    /// character, or could lead to another site.
    pub fn parse(text: &str, public_url: &Url) -> Option<Self> {
        // Browsers treat a backslash as a slash, and ignore tabs and line ends.
        let is_plain_path = text.starts_with('/') && text.chars().count() <= PATH_LENGTH && !text.contains('\\');
        if !is_plain_path || text.contains(char::is_control) {
            return None;
        }
        let url = public_url.join(text).ok().filter(|url| url.origin() == public_url.origin())?;
        let path = &url[url::Position::BeforePath..];
        // Browsers treat text after two leading slashes as a host.
        (!path.starts_with("//")).then(|| Self(path.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ReturnTo {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        ReturnTo::parse(text, &Url::parse("https://vitrine.example").unwrap()).map(|path| path.0)
    }

    #[test]
    fn paths_of_this_service_are_accepted() {
        for path in ["/", "/studio/accounts", "/projects/a-b?tab=2#log", "/a//b"] {
            assert_eq!(parsed(path).as_deref(), Some(path));
        }
        assert_eq!(parsed("/a/../b c").as_deref(), Some("/b%20c"));
    }

    #[test]
    fn targets_outside_this_service_are_rejected() {
        let hostile = [
            "",
            "studio",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "/.//evil.example",
            "/a/..//evil.example",
            "/%0a/../..//evil.example",
            "@evil.example",
            "/\0",
            "/\u{7f}",
        ];
        for text in hostile {
            assert_eq!(parsed(text), None, "{text:?}");
        }
        assert_eq!(parsed(&format!("/{}", "a".repeat(600))), None);
    }
}
