//! The knobs of a platform make it fail or behave incorrectly. They are the JSON of `PUT /knobs/{platform}`; an omitted field gets its
//! default.

use serde::{Deserialize, Serialize};

use crate::platform::Platform;

/// Ten minutes: longer than any client waits.
const MAX_LATENCY_MS: u64 = 600_000;
/// A year.
const MAX_TOKEN_S: u64 = 365 * 24 * 3600;
/// A day.
const MAX_RATE_LIMIT_S: u64 = 24 * 3600;

/// The knobs of one platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Delay of responses in milliseconds. A call takes effect before the delay, even if the client gives up during it.
    pub latency_ms: u64,
    /// Share of calls, 0 to 1, that fail with 500. Failed calls have no effect.
    pub error_rate: f64,
    /// Limit on API calls per account; `None` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// How the platform is down; `None` if it is up.
    pub outage: Option<Outage>,
    /// Lifetime of access tokens in seconds.
    pub token_s: u64,
    /// The incorrect value or behaviour; `None` if all are correct.
    pub lie: Option<Lie>,
}

/// A limit on the API calls of an account within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Permitted calls per period; 0 refuses every call.
    pub requests: u32,
    /// The period in seconds.
    pub per_s: u64,
}

/// How a platform is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// The connection is closed without a response.
    Refuse,
    /// No response is ever sent.
    Hang,
    /// Every response is 503.
    Error,
}

/// The wrong issuer that [`Lie::Issuer`], [`Lie::IssParameter`] and [`Lie::DiscoveryIssuer`] name.
pub const ANOTHER_ISSUER: &str = "https://another-issuer.invalid";

/// The single incorrect value or behaviour; all others stay correct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lie {
    /// The ID token has a wrong issuer.
    Issuer,
    /// The ID token has a wrong audience.
    Audience,
    /// The ID token has a wrong nonce.
    Nonce,
    /// The ID token has no nonce.
    NoNonce,
    /// The ID token expired an hour ago.
    Expired,
    /// The ID token is unsigned, with `alg` `none`.
    AlgNone,
    /// The ID token is signed by HMAC with the public key (its PEM) as the secret.
    Hs256,
    /// The signature of the ID token is invalid.
    Signature,
    /// The ID token is signed with a key that the platform does not publish.
    UnknownKey,
    /// The authorization response names a wrong issuer (RFC 9207).
    IssParameter,
    /// The authorization response names no issuer (RFC 9207).
    NoIssParameter,
    /// The platform sends the client an authorization code that the token endpoint refuses as already used.
    ReplayedCode,
    /// The e-mail address is not verified.
    UnverifiedEmail,
    /// No e-mail address is provided.
    NoEmail,
    /// The discovery document has a wrong issuer.
    DiscoveryIssuer,
}

impl Default for Knobs {
    fn default() -> Self {
        Self { latency_ms: 0, error_rate: 0.0, rate_limit: None, outage: None, token_s: 3600, lie: None }
    }
}

impl Knobs {
    /// Checks the ranges of the values, and that this platform supports the lie.
    ///
    /// # Errors
    /// A sentence that names the field and its constraint.
    pub fn check(&self, platform: Platform) -> Result<(), String> {
        if self.latency_ms > MAX_LATENCY_MS {
            return Err(format!("latency_ms must be at most {MAX_LATENCY_MS}"));
        }
        if !(0.0..=1.0).contains(&self.error_rate) {
            return Err("error_rate must be 0 to 1".to_owned());
        }
        if self.rate_limit.is_some_and(|limit| !(1..=MAX_RATE_LIMIT_S).contains(&limit.per_s)) {
            return Err(format!("rate_limit.per_s must be 1 to {MAX_RATE_LIMIT_S}"));
        }
        if self.token_s > MAX_TOKEN_S {
            return Err(format!("token_s must be at most {MAX_TOKEN_S}"));
        }
        match self.lie {
            Some(lie) if !lie.is_supported_by(platform) => Err(format!("lie must be one that {} supports", platform.title())),
            _ => Ok(()),
        }
    }
}

impl Lie {
    /// Whether the platform provides the value that the lie falsifies.
    fn is_supported_by(self, platform: Platform) -> bool {
        match self {
            Self::ReplayedCode => true,
            Self::UnverifiedEmail | Self::NoEmail => platform.tells_email(),
            Self::Issuer
            | Self::Audience
            | Self::Nonce
            | Self::NoNonce
            | Self::Expired
            | Self::AlgNone
            | Self::Hs256
            | Self::Signature
            | Self::UnknownKey
            | Self::IssParameter
            | Self::NoIssParameter
            | Self::DiscoveryIssuer => platform.is_oidc(),
        }
    }
}
