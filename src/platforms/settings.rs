//! The file of platforms: TOML, one table for each. `platforms/simulated.toml` is an example that explains itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::config::Environment;
use crate::metrics::labels::Platform;

/// What is known of one platform.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which one.
    pub platform: Platform,
    /// Who vouches for its accounts.
    pub authority: Authority,
    /// Base of its own API.
    pub api_url: Option<Url>,
    /// The name under which Vitrine is registered there.
    pub client_id: String,
    /// What proves it.
    pub client_secret: SecretString,
    /// What Vitrine asks to be allowed.
    pub scopes: Vec<String>,
    /// Whether one may sign in by it.
    pub sign_in: bool,
    /// Whether one may post on it.
    pub post: bool,
}

/// How a platform says who somebody is.
#[derive(Clone, Debug)]
pub enum Authority {
    /// By a signed statement (`OpenID` Connect): everything else is in its discovery document.
    Oidc {
        /// What the statement must name.
        issuer: Url,
        /// Where the document is.
        discovery_url: Url,
    },
    /// By its own API (OAuth 2).
    OAuth2 {
        /// Where browsers go.
        authorization_url: Url,
        /// Where codes and refresh tokens become access tokens.
        token_url: Url,
        /// Where tokens are ended (RFC 7009), if that is possible.
        revocation_url: Option<Url>,
    },
}

impl Settings {
    /// Who vouches for a subject.
    #[must_use]
    pub fn issuer(&self) -> &str {
        match &self.authority {
            Authority::Oidc { issuer, .. } => issuer.as_str(),
            Authority::OAuth2 { authorization_url, .. } => authorization_url.as_str(),
        }
    }
}

/// Why the platforms cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file, or one that it names, cannot be read.
    #[error("PLATFORMS_FILE: failed to read {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("PLATFORMS_FILE must contain one table per platform; line {line}: {message}")]
    Malformed {
        /// Where.
        line: usize,
        /// What is wrong. The line itself may hold a secret.
        message: String,
    },
    /// A platform lacks something.
    #[error("PLATFORMS_FILE: {platform} {message}")]
    Incomplete {
        /// Which platform.
        platform: &'static str,
        /// What is wrong.
        message: &'static str,
    },
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Oidc,
    OAuth2,
}

/// A table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: Kind,
    issuer: Option<Url>,
    discovery_url: Option<Url>,
    authorization_url: Option<Url>,
    token_url: Option<Url>,
    revocation_url: Option<Url>,
    api_url: Option<Url>,
    client_id: String,
    client_secret: Option<SecretString>,
    client_secret_file: Option<PathBuf>,
    scopes: Vec<String>,
    #[serde(default)]
    sign_in: bool,
    #[serde(default)]
    post: bool,
}

/// Reads the file.
pub fn read(path: &Path, environment: Environment) -> Result<BTreeMap<Platform, Settings>, SettingsError> {
    let text = read_text(path)?;
    let tables: BTreeMap<Platform, Table> = toml::from_str(&text).map_err(|error| SettingsError::Malformed {
        line: text[..error.span().map_or(0, |span| span.start)].lines().count().max(1),
        message: error.message().to_owned(),
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    tables.into_iter().map(|(platform, table)| Ok((platform, table.settings(platform, folder, environment)?))).collect()
}

fn read_text(path: &Path) -> Result<String, SettingsError> {
    std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })
}

impl Table {
    fn settings(self, platform: Platform, folder: &Path, environment: Environment) -> Result<Settings, SettingsError> {
        let refuse = |message| SettingsError::Incomplete { platform: platform.name(), message };
        let Self { kind, issuer, discovery_url, authorization_url, token_url, revocation_url, api_url, .. } = self;
        let authority = match kind {
            Kind::Oidc => {
                let issuer = issuer.ok_or_else(|| refuse("must have an issuer"))?;
                if authorization_url.is_some() || token_url.is_some() || revocation_url.is_some() {
                    return Err(refuse("must not set endpoints: they come from its discovery document"));
                }
                let discovery_url = discovery_url.unwrap_or_else(|| below(&issuer, ".well-known/openid-configuration"));
                Authority::Oidc { issuer, discovery_url }
            }
            Kind::OAuth2 => {
                if issuer.is_some() || discovery_url.is_some() {
                    return Err(refuse("must not set issuer or discovery_url unless its kind is oidc"));
                }
                Authority::OAuth2 {
                    authorization_url: authorization_url.ok_or_else(|| refuse("must have an authorization_url"))?,
                    token_url: token_url.ok_or_else(|| refuse("must have a token_url"))?,
                    revocation_url,
                }
            }
        };
        if self.post && !matches!(platform, Platform::Mastodon | Platform::Linkedin | Platform::X) {
            return Err(refuse("must not set post: Vitrine cannot post on it"));
        }
        if api_url.is_none() && (self.post || matches!(authority, Authority::OAuth2 { .. })) {
            return Err(refuse("must have an api_url"));
        }
        if matches!(authority, Authority::OAuth2 { .. }) && !matches!(platform, Platform::Github | Platform::Mastodon | Platform::X) {
            return Err(refuse("must be of kind oidc"));
        }
        if matches!(authority, Authority::Oidc { .. }) && !self.scopes.iter().any(|scope| scope == "openid") {
            return Err(refuse("must have the scope openid"));
        }
        let client_secret = match (self.client_secret, self.client_secret_file) {
            (Some(_), None) if environment == Environment::Production => {
                return Err(refuse("must use client_secret_file in production"));
            }
            (Some(secret), None) => secret,
            (None, Some(file)) => read_text(&folder.join(file))?.trim().into(),
            _ => return Err(refuse("must have either client_secret_file or client_secret")),
        };
        Ok(Settings {
            platform,
            authority,
            api_url,
            client_id: self.client_id,
            client_secret,
            scopes: self.scopes,
            sign_in: self.sign_in,
            post: self.post,
        })
    }
}

/// An address below another one, whether that ends with a slash or not.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}
