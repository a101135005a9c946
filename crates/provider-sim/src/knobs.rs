//! What can be made to go wrong, for each platform. The JSON of `PUT /knobs/{platform}`; what is left out is as it should be.

use serde::{Deserialize, Serialize};

use crate::platform::Platform;

/// Ten minutes: longer than anybody waits.
const MOST_LATENCY_MS: u64 = 600_000;
/// A year.
const MOST_TOKEN_S: u64 = 365 * 24 * 3600;
/// A day.
const MOST_RATE_LIMIT_S: u64 = 24 * 3600;

/// The knobs of one platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Milliseconds by which answers are late. The work is done before the wait: who gives up may have been served.
    pub latency_ms: u64,
    /// Share of the calls that are answered with 500 and have no effect, 0 to 1.
    pub error_rate: f64,
    /// Calls that an account may make.
    pub rate_limit: Option<RateLimit>,
    /// The platform is down, and how.
    pub outage: Option<Outage>,
    /// Seconds that access tokens last.
    pub token_s: u64,
    /// The one thing that is wrong.
    pub lie: Option<Lie>,
}

/// So many API calls of an account in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// Calls; with 0 every one is refused.
    pub requests: u32,
    /// Seconds.
    pub per_s: u64,
}

/// How a platform is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// The connection is closed without an answer.
    Refuse,
    /// No answer ever comes.
    Hang,
    /// Every answer is 503.
    Error,
}

/// The one thing that a platform does wrong while it does everything else right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lie {
    /// The ID token is of another issuer.
    Issuer,
    /// The ID token is for another client.
    Audience,
    /// The ID token has another nonce.
    Nonce,
    /// The ID token has no nonce.
    NoNonce,
    /// The ID token was over an hour ago.
    Expired,
    /// The ID token is not signed, and says so.
    AlgNone,
    /// The ID token is signed by HMAC with the public key (its PEM) as the secret.
    Hs256,
    /// The signature of the ID token does not fit.
    Signature,
    /// The ID token is signed with a key that the platform does not publish.
    UnknownKey,
    /// The answer to the authorization request names another issuer (RFC 9207).
    IssParameter,
    /// The answer to the authorization request names no issuer (RFC 9207).
    NoIssParameter,
    /// The code was used before it arrives.
    ReplayedCode,
    /// The e-mail address is not verified.
    UnverifiedEmail,
    /// No e-mail address is told.
    NoEmail,
    /// The discovery document is of another issuer.
    DiscoveryIssuer,
}

impl Default for Knobs {
    fn default() -> Self {
        Self { latency_ms: 0, error_rate: 0.0, rate_limit: None, outage: None, token_s: 3600, lie: None }
    }
}

impl Knobs {
    /// Whether this platform can do all that.
    ///
    /// # Errors
    /// A sentence that names the field and what it wants.
    pub fn check(&self, platform: Platform) -> Result<(), String> {
        if self.latency_ms > MOST_LATENCY_MS {
            return Err(format!("latency_ms wants at most {MOST_LATENCY_MS}"));
        }
        if !(0.0..=1.0).contains(&self.error_rate) {
            return Err("error_rate wants 0 to 1".to_owned());
        }
        if self.rate_limit.is_some_and(|limit| !(1..=MOST_RATE_LIMIT_S).contains(&limit.per_s)) {
            return Err(format!("rate_limit.per_s wants 1 to {MOST_RATE_LIMIT_S}"));
        }
        if self.token_s > MOST_TOKEN_S {
            return Err(format!("token_s wants at most {MOST_TOKEN_S}"));
        }
        match self.lie {
            Some(lie) if !lie.can_be_told_by(platform) => Err(format!("lie wants one that {} can tell", platform.title())),
            _ => Ok(()),
        }
    }
}

impl Lie {
    /// A lie about something that the platform never says would be a knob without effect.
    fn can_be_told_by(self, platform: Platform) -> bool {
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
