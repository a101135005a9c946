//! Why a platform's authority does not prove somebody, or does not do what it is asked for. What users hear of it: `routes`.

use std::time::Duration;

use crate::platforms::CallError;
use crate::platforms::api::ApiFailure;

/// Why a statement is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// Wrong `iss`.
    #[error("it comes from another issuer")]
    Issuer,
    /// Wrong `aud`.
    #[error("it was made for somebody else")]
    Audience,
    /// Wrong or missing `nonce`.
    #[error("it was made for another sign-in")]
    Nonce,
    /// `exp` has passed.
    #[error("it has expired")]
    Expired,
    /// The provider may have a new key.
    #[error("it is signed with a key that is not known")]
    UnknownKey,
    /// Whatever else is wrong.
    #[error("it is not signed as it should be, or not whole")]
    Invalid,
}

/// Why a platform's authority did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It is away, slow, overloaded, or says what is not understood: the same may succeed later.
    #[error("the platform is away: {reason}")]
    Away {
        /// For the log.
        reason: String,
        /// When it wants to be asked again, if it said so.
        after: Option<Duration>,
    },
    /// It does not take the code or the token that it gave.
    #[error("the platform refused the grant")]
    GrantRefused,
    /// It does not take us for who we are: the settings are wrong.
    #[error("the platform refused the client: {0}")]
    ClientRefused(String),
    /// What it says of somebody cannot be believed.
    #[error(transparent)]
    Distrusted(#[from] Distrust),
}

impl From<CallError> for ProviderError {
    fn from(error: CallError) -> Self {
        Self::Away { reason: error.to_string(), after: None }
    }
}

impl From<ApiFailure> for ProviderError {
    fn from(failure: ApiFailure) -> Self {
        let reason = failure.to_string();
        match failure {
            ApiFailure::RateLimited { after } => Self::Away { reason, after },
            ApiFailure::NoAnswer(_) | ApiFailure::Failed(_) | ApiFailure::NotUnderstood => Self::Away { reason, after: None },
            // It has given this token a moment ago.
            ApiFailure::Unauthorised | ApiFailure::Refused(_) => Self::ClientRefused(reason),
        }
    }
}
