//! The six simulated platforms and how they differ as authorization servers. Their own APIs are in `platforms/`.

use axum::http::Method;
use serde::{Deserialize, Serialize};

/// A simulated platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// OAuth 2 and an API for the user's identity.
    Github,
    /// `OpenID` Connect.
    Gitlab,
    /// `OpenID` Connect.
    Google,
    /// OAuth 2, an API for the user's identity, and posts.
    Mastodon,
    /// `OpenID` Connect, and posts.
    Linkedin,
    /// OAuth 2, an API for the user's identity, and posts.
    X,
}

impl Platform {
    /// All platforms, in display order.
    pub const ALL: [Self; 6] = [Self::Github, Self::Gitlab, Self::Google, Self::Mastodon, Self::Linkedin, Self::X];

    /// The name in paths and in JSON.
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

    /// The name on pages and in messages.
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

    /// Whether the platform identifies users by an ID token (`OpenID` Connect). The others have their own API for the identity.
    #[must_use]
    pub const fn is_oidc(self) -> bool {
        match self {
            Self::Gitlab | Self::Google | Self::Linkedin => true,
            Self::Github | Self::Mastodon | Self::X => false,
        }
    }

    /// Whether the platform can provide the user's e-mail address.
    #[must_use]
    pub const fn tells_email(self) -> bool {
        match self {
            Self::Github | Self::Gitlab | Self::Google | Self::Linkedin => true,
            Self::Mastodon | Self::X => false,
        }
    }

    /// The supported scopes. The platform refuses any other with `invalid_scope`.
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

    /// The path for creating posts, relative to the platform's base URL; `None` if the platform has no posts.
    pub(crate) const fn posting_path(self) -> Option<&'static str> {
        match self {
            Self::Mastodon => Some("/api/v1/statuses"),
            Self::Linkedin => Some("/rest/posts"),
            Self::X => Some("/2/tweets"),
            Self::Github | Self::Gitlab | Self::Google => None,
        }
    }

    /// Whether a request with this method and path is meant to create a post. `path` is relative to the platform's base URL.
    pub(crate) fn is_posting(self, method: &Method, path: &str) -> bool {
        method == Method::POST && self.posting_path() == Some(path)
    }
}
