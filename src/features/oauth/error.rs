//! Errors of a platform's authorization server. `routes` maps them to responses.

use std::time::Duration;

use crate::platforms::CallError;
use crate::platforms::api::ApiFailure;

/// Why an identity is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Wrong or missing `iss`, or a discovery document of another issuer.
    #[error("the issuer does not match")]
    Issuer,
    /// Wrong `aud`.
    #[error("the audience does not match")]
    Audience,
    /// Wrong or missing `nonce`.
    #[error("the nonce does not match")]
    Nonce,
    /// `exp` has passed.
    #[error("the ID token has expired")]
    Expired,
    /// The provider may have rotated its keys.
    #[error("the ID token is signed with an unknown key")]
    UnknownKey,
    /// Any other defect of the ID token, or an invalid subject.
    #[error("the ID token is invalid")]
    Invalid,
}

/// The error of a call to a platform's authorization server.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The server is unavailable, slow, overloaded, or sent an invalid response. A later call may succeed.
    #[error("the platform is unavailable: {reason}")]
    Unavailable {
        /// Reason, for the log.
        reason: String,
        /// Time to wait before the next call, if the platform named one.
        after: Option<Duration>,
    },
    /// The server rejected the code or the refresh token, or the service has no code or refresh token to send.
    #[error("the platform refused the grant")]
    GrantRefused,
    /// The server rejected this client or the request, or no valid request can be made. The configuration is probably wrong.
    #[error("the platform refused the client: {0}")]
    ClientRefused(String),
    /// The identity cannot be trusted.
    #[error(transparent)]
    Distrusted(#[from] Distrust),
}

impl From<CallError> for ProviderError {
    fn from(error: CallError) -> Self {
        Self::Unavailable { reason: error.to_string(), after: None }
    }
}

impl From<ApiFailure> for ProviderError {
    fn from(failure: ApiFailure) -> Self {
        let reason = failure.to_string();
        match failure {
            ApiFailure::RateLimited { after } => Self::Unavailable { reason, after },
            ApiFailure::NoAnswer(_) | ApiFailure::Failed(_) | ApiFailure::NotUnderstood => Self::Unavailable { reason, after: None },
            // The token was issued a moment ago, so the user is not the cause.
            ApiFailure::Unauthorised | ApiFailure::Refused(_) => Self::ClientRefused(reason),
        }
    }
}
