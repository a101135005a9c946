//! Errors of sign-ins and links, and of a platform's authorization server. `routes` maps them to responses.

use std::time::Duration;

use super::flow::StateError;
use crate::db::StoreError;
use crate::features::accounts::AccountError;
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

/// Why a sign-in or a change of a linked account failed.
#[derive(Debug, thiserror::Error)]
pub enum OauthError {
    #[error("the platform is not configured")]
    NoSuchPlatform,
    #[error("there is no such account")]
    NoSuchAccount,
    #[error("the platform supports linking accounts, not signing in")]
    LinkOnly,
    #[error("the return path is not a path of this service")]
    ReturnTo,
    #[error(transparent)]
    State(#[from] StateError),
    #[error("access was denied on the platform: {0}")]
    Denied(&'static str),
    #[error("the user who started the link is not signed in")]
    SignedInAsOther,
    #[error("the identity is linked to another user")]
    IdentityTaken,
    #[error("the user has already linked another identity of this platform")]
    PlatformTaken,
    #[error("the platform did not provide a verified e-mail address")]
    EmailUnverified,
    #[error("the user would have no way to sign in")]
    LastSignIn,
    #[error("the platform issued no refresh token")]
    RefreshUnsupported,
    #[error("another refresh is in progress")]
    RefreshInProgress,
    #[error("the account must be linked again")]
    LinkExpired,
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OauthError {
    /// Whether the user failed to prove an identity. False for failures of the service or of the platform, and for mistakes in a request.
    pub(super) fn is_authentication_failure(&self) -> bool {
        match self {
            Self::State(_) | Self::Denied(_) | Self::EmailUnverified | Self::IdentityTaken | Self::Account(AccountError::EmailTaken) => {
                true
            }
            Self::Provider(error) => matches!(error, ProviderError::GrantRefused | ProviderError::Distrusted(_)),
            Self::NoSuchPlatform
            | Self::NoSuchAccount
            | Self::LinkOnly
            | Self::ReturnTo
            | Self::SignedInAsOther
            | Self::PlatformTaken
            | Self::LastSignIn
            | Self::RefreshUnsupported
            | Self::RefreshInProgress
            | Self::LinkExpired
            | Self::Account(_)
            | Self::Store(_) => false,
        }
    }
}
