//! The file of platforms: TOML with one table per platform. `platforms/simulated.toml` is a commented example.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use crate::config::Environment;
use crate::domain::Platform;

/// The settings of one platform.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The platform that these settings configure.
    pub platform: Platform,
    /// How the platform authenticates users.
    pub authority: Authority,
    /// Base URL of the platform's own API; required for OAuth 2 and for posts.
    pub api_url: Option<Url>,
    /// The client identifier that the platform issued to Vitrine.
    pub client_id: String,
    /// The client secret that the platform issued to Vitrine.
    pub client_secret: SecretString,
    /// The OAuth scopes that Vitrine requests.
    pub scopes: Vec<String>,
    /// Whether users can sign in with the platform.
    pub sign_in: bool,
    /// Whether users can post on the platform.
    pub post: bool,
}

/// How a platform authenticates users.
#[derive(Clone, Debug)]
pub enum Authority {
    /// With a signed ID token (`OpenID` Connect); the endpoints come from the discovery document.
    Oidc {
        /// The `iss` that an ID token must contain.
        issuer: Url,
        /// The address of the discovery document.
        discovery_url: Url,
    },
    /// With its own API (OAuth 2).
    OAuth2 {
        /// The authorization endpoint, to which browsers are redirected.
        authorization_url: Url,
        /// The token endpoint, for codes and refresh tokens.
        token_url: Url,
        /// The revocation endpoint (RFC 7009), if the platform has one.
        revocation_url: Option<Url>,
    },
}

impl Settings {
    /// The namespace of the platform's subjects: the OIDC issuer, or the authorization endpoint.
    #[must_use]
    pub fn issuer(&self) -> &str {
        match &self.authority {
            Authority::Oidc { issuer, .. } => issuer.as_str(),
            Authority::OAuth2 { authorization_url, .. } => authorization_url.as_str(),
        }
    }
}

/// Why the file of platforms is invalid.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file, or a secret file that it names, cannot be read.
    #[error("PLATFORMS_FILE: failed to read {}: {source}", path.display())]
    Unreadable {
        /// The unreadable file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is not valid TOML, or a table or key is unknown, missing or of the wrong type.
    #[error("PLATFORMS_FILE must contain one table per platform; line {line}: {message}")]
    Malformed {
        /// Number of the line, from 1.
        line: usize,
        /// The parser's message, without the text of the line, which may contain a secret.
        message: String,
    },
    /// The settings of a platform are incomplete, contradictory or not permitted.
    #[error("PLATFORMS_FILE: {platform} {message}")]
    Incomplete {
        /// The platform's name.
        platform: &'static str,
        /// The requirement that the settings violate.
        message: &'static str,
    },
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Oidc,
    OAuth2,
}

/// A table of the file.
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

/// Reads and checks the file of platforms.
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

/// Appends a path to a base URL, whether or not the base ends with a slash.
pub fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}
