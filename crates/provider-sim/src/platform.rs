//! The six platforms, a closed set, and in what they differ as authorization servers. Their own APIs are in `platforms/`.

use axum::http::Method;
use serde::{Deserialize, Serialize};

/// One of the platforms that are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// OAuth 2 and an API that tells who somebody is.
    Github,
    /// `OpenID` Connect.
    Gitlab,
    /// `OpenID` Connect.
    Google,
    /// OAuth 2, an API that tells who somebody is, and posts.
    Mastodon,
    /// `OpenID` Connect, and posts.
    Linkedin,
    /// OAuth 2, an API that tells who somebody is, and posts.
    X,
}

impl Platform {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 6] = [Self::Github, Self::Gitlab, Self::Google, Self::Mastodon, Self::Linkedin, Self::X];

    /// As it stands in paths and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Google => "google",
            Self::Mastodon => "mastodon",
            Self::Linkedin => "linkedin",
            Self::X => "x",
        }
    }

    /// As people write it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
            Self::Google => "Google",
            Self::Mastodon => "Mastodon",
            Self::Linkedin => "LinkedIn",
            Self::X => "X",
        }
    }

    /// Whether it states who somebody is in a signed token (`OpenID` Connect) rather than by an API of its own.
    #[must_use]
    pub const fn is_oidc(self) -> bool {
        match self {
            Self::Gitlab | Self::Google | Self::Linkedin => true,
            Self::Github | Self::Mastodon | Self::X => false,
        }
    }

    /// Whether it ever tells an e-mail address.
    #[must_use]
    pub const fn tells_email(self) -> bool {
        match self {
            Self::Github | Self::Gitlab | Self::Google | Self::Linkedin => true,
            Self::Mastodon | Self::X => false,
        }
    }

    /// The scopes that it knows; any other is refused with `invalid_scope`.
    pub(crate) const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Github => &["read:user", "user", "user:email", "read:org", "repo", "public_repo"],
            Self::Gitlab => &["openid", "profile", "email", "read_user", "read_api", "api"],
            Self::Google => &["openid", "profile", "email"],
            Self::Mastodon => &["profile", "read", "read:accounts", "read:statuses", "write", "write:statuses", "write:media"],
            Self::Linkedin => &["openid", "profile", "email", "w_member_social", "r_member_profileAnalytics"],
            Self::X => &["users.read", "tweet.read", "tweet.write", "offline.access", "follows.read", "users.email"],
        }
    }

    /// Where it takes posts, below its own address.
    pub(crate) const fn posting_path(self) -> Option<&'static str> {
        match self {
            Self::Mastodon => Some("/api/v1/statuses"),
            Self::Linkedin => Some("/rest/posts"),
            Self::X => Some("/2/tweets"),
            Self::Github | Self::Gitlab | Self::Google => None,
        }
    }

    /// Whether a request for this path below its own address asks for a post.
    pub(crate) fn is_posting(self, method: &Method, path: &str) -> bool {
        method == Method::POST && self.posting_path() == Some(path)
    }
}
