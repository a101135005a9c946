//! The types of linked accounts, and where a browser may be sent when it has come back.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use url::Url;
use utoipa::ToSchema;
use utoipa::openapi::Schema;
use uuid::Uuid;

use crate::http::fields::characters;
use crate::metrics::labels::Platform;

const PATH_LENGTH: usize = 512;
/// Enough for any platform's; what is longer is cut, since it is only shown.
const HANDLE_LENGTH: usize = 200;
/// Subjects are at most 255 ASCII characters (`OpenID` Connect Core, 2).
const SUBJECT_LENGTH: usize = 255;

/// Whether a platform still takes the tokens of a linked account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LinkStatus)]
pub enum Status {
    /// As far as is known.
    Active,
    /// It must be linked again.
    Expired,
}

impl Status {
    /// The status that the database holds.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "active" => Some(Self::Active),
            "expired" => Some(Self::Expired),
            _ => None,
        }
    }

    /// The status as the database holds it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// An account at a platform.
#[derive(Clone, Debug)]
pub struct Account {
    /// Ours.
    pub id: Uuid,
    /// Whose it is here.
    pub user_id: Uuid,
    /// Where it is.
    pub platform: Platform,
    /// Whose it is there.
    pub subject: String,
    /// What people call it there.
    pub handle: String,
    /// What Vitrine may do there.
    pub scopes: Vec<String>,
    /// Whether its tokens are taken.
    pub status: Status,
    /// When the access token ends; none when the platform does not say.
    pub expires_at: Option<OffsetDateTime>,
    /// Since when it is linked.
    pub created_at: OffsetDateTime,
    /// Since when it is as it is.
    pub updated_at: OffsetDateTime,
}

/// What a platform entrusts to us.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: SecretString,
    /// Works once.
    pub refresh: Option<SecretString>,
    /// When the access token ends; none when the platform does not say.
    pub expires_at: Option<OffsetDateTime>,
    pub scopes: Vec<String>,
}

/// Who somebody is at a platform, in the form in which it is stored.
#[derive(Clone, Debug)]
pub struct Identified {
    pub platform: Platform,
    pub issuer: String,
    pub subject: String,
    pub handle: String,
}

impl Identified {
    /// None when the subject is none.
    pub fn new(platform: Platform, issuer: &str, subject: &str, handle: &str) -> Option<Self> {
        if subject.is_empty() || subject.len() > SUBJECT_LENGTH || subject.contains(char::is_control) {
            return None;
        }
        let handle = handle.chars().filter(|c| !c.is_control()).take(HANDLE_LENGTH).collect();
        Some(Self { platform, issuer: issuer.to_owned(), subject: subject.to_owned(), handle })
    }
}

/// A path of this service, and never an address elsewhere (CWE-601).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The paths that [`Self::parse`] reads, but for dots that would leave two slashes at the beginning.
    pub fn schema() -> Schema {
        let path = characters(1, PATH_LENGTH).pattern(Some(r"^/([^/\\\u0000-\u001f\u007f-\u009f][^\\\u0000-\u001f\u007f-\u009f]*)?$"));
        path.default(Some("/".into())).into()
    }

    /// Reads a path, as a browser would read it. None for anything that could lead elsewhere.
    pub fn parse(text: &str, public_url: &Url) -> Option<Self> {
        // Browsers take a backslash for a slash, and drop tabs and line ends.
        let harmless = text.starts_with('/') && text.chars().count() <= PATH_LENGTH && !text.contains('\\');
        if !harmless || text.contains(char::is_control) {
            return None;
        }
        let url = public_url.join(text).ok().filter(|url| url.origin() == public_url.origin())?;
        let rest = &url[url::Position::BeforePath..];
        // Two slashes at the beginning would be read as a host.
        (!rest.starts_with("//")).then(|| Self(rest.to_owned()))
    }

    /// The path.
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

    fn read(text: &str) -> Option<String> {
        ReturnTo::parse(text, &Url::parse("https://vitrine.example").unwrap()).map(|path| path.0)
    }

    #[test]
    fn a_path_of_this_service_is_kept() {
        for path in ["/", "/studio/accounts", "/projects/a-b?tab=2#log", "/a//b"] {
            assert_eq!(read(path).as_deref(), Some(path));
        }
        assert_eq!(read("/a/../b c").as_deref(), Some("/b%20c"));
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
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
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&format!("/{}", "a".repeat(600))), None);
    }
}
