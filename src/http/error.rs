//! Problems (RFC 9457, `application/problem+json`): the only place that maps an error to an HTTP status.
//!
//! Each [`Code`] is stable and has one status and one class. A response body never reveals the cause of a 5xx; this module logs the
//! cause once. A feature's `routes.rs` converts its domain errors into [`ApiError`].

use std::borrow::Cow;
use std::error::Error;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::context::RequestContext;
use crate::db::StoreError;
use crate::db::idempotency::Refusal;
use crate::domain::validation::FieldError;
use crate::metrics::labels::ErrorType;

/// Declares the codes. Each line holds the variant, status, code, class and title.
macro_rules! codes {
    ($($name:ident = $status:literal $code:literal $class:ident $title:literal;)+) => {
        /// The kind of an error, for programs. Codes are never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $(#[doc = $title] $name,)+ }

        impl Code {
            /// Every code, in order of declaration.
            pub const ALL: &[Self] = &[$(Self::$name),+];
            /// The HTTP status of the code.
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)+ } }
            /// The stable text that clients match on.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $code,)+ } }
            /// The value of the label `type` in `api_errors_total`.
            #[must_use]
            pub const fn class(self) -> ErrorType { match self { $(Self::$name => ErrorType::$class,)+ } }
            /// A one-line summary for people.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title,)+ } }
        }
    };
}

impl Code {
    /// The classes of all codes with this status.
    #[must_use]
    pub fn classes(status: u16) -> Vec<ErrorType> {
        Self::ALL.iter().filter(|code| code.status() == status).map(|code| code.class()).collect()
    }
}

codes! {
    MalformedJson = 400 "malformed_json" BadRequest "The request body is not valid JSON";
    InvalidQuery = 400 "invalid_query" BadRequest "A query parameter is invalid";
    InvalidCursor = 400 "invalid_cursor" BadRequest "The cursor is invalid";
    InvalidHeader = 400 "invalid_header" BadRequest "A request header is invalid";
    OauthStateMissing = 400 "oauth_state_missing" Authentication "No sign-in with this platform was started in this browser";
    OauthStateMismatch = 400 "oauth_state_mismatch" Authentication "The response belongs to a different sign-in";
    OauthStateExpired = 400 "oauth_state_expired" Authentication "The sign-in took too long and has expired";
    OauthStateUsed = 400 "oauth_state_used" Authentication "The sign-in has already been completed";
    OauthIssuerMismatch = 400 "oauth_issuer_mismatch" Authentication "The response comes from a different issuer";
    OauthAudienceMismatch = 400 "oauth_audience_mismatch" Authentication "The ID token was issued to a different client";
    OauthNonceMismatch = 400 "oauth_nonce_mismatch" Authentication "The ID token was issued for a different sign-in";
    OauthTokenExpired = 400 "oauth_token_expired" Authentication "The ID token has expired";
    OauthTokenInvalid = 400 "oauth_token_invalid" Authentication "The ID token could not be verified";
    OauthCodeRefused = 400 "oauth_code_refused" Authentication "The platform rejected the authorization code";
    InvalidLink = 400 "invalid_link" Authentication "The link was used, has expired or is incomplete";
    ReturnToRefused = 400 "return_to_refused" BadRequest "The return address must be a path of this service";
    IncompleteBody = 400 "incomplete_body" BadRequest "The request body is incomplete";
    Unauthenticated = 401 "unauthenticated" Authentication "Sign in to continue";
    InvalidToken = 401 "invalid_token" Authentication "The session is unknown or has ended";
    InvalidCredentials = 401 "invalid_credentials" Authentication "The e-mail address or the password is wrong";
    SecondFactorRequired = 401 "second_factor_required" Authentication "Enter a code of your second factor";
    WrongCode = 401 "wrong_code" Authentication "The code is wrong, too old, or was used before";
    Forbidden = 403 "forbidden" Authorization "Your role does not allow this";
    WrongPassword = 403 "wrong_password" Authorization "The password is wrong";
    OauthDenied = 403 "oauth_denied" Authorization "Access was denied on the platform";
    EmailUnverified = 403 "email_unverified" Authorization "The platform did not provide a verified e-mail address";
    CrossSite = 403 "cross_site_request" Authorization "The request came from another site";
    NotFound = 404 "not_found" NotFound "Not found";
    UnknownEvent = 404 "unknown_event" NotFound "Unknown event";
    MethodNotAllowed = 405 "method_not_allowed" Method "This route does not support the request method";
    RequestTimeout = 408 "body_timeout" Timeout "The request body did not arrive in time";
    EmailTaken = 409 "email_taken" Conflict "An account with this e-mail address already exists";
    SecondFactorActive = 409 "second_factor_active" Conflict "The account already has a second factor";
    NoPendingFactor = 409 "second_factor_not_pending" Conflict "No second factor waits for its activation";
    SecondFactorsOff = 409 "second_factors_off" Conflict "This service offers no second factor";
    MailOff = 409 "mail_off" Conflict "This service sends no mail";
    IdentityTaken = 409 "identity_taken" Conflict "This identity is linked to another account";
    PlatformTaken = 409 "platform_taken" Conflict "The account is already linked to another identity on this platform";
    SignedInAsOther = 409 "signed_in_as_other" Conflict "The link was started by an account that is no longer signed in";
    LastSignIn = 409 "last_sign_in" Conflict "The account would be left without a way to sign in";
    NotLinked = 409 "not_linked" Conflict "The account is not linked to this platform";
    LinkExpired = 409 "link_expired" Conflict "The link to the platform has expired";
    RefreshUnsupported = 409 "refresh_unsupported" Conflict "The platform issued no refresh token";
    RefreshInProgress = 409 "refresh_in_progress" Conflict "The link is already being refreshed";
    NotPublished = 409 "not_published" Conflict "The project is not published";
    OwnerRequired = 409 "owner_required" Conflict "A project must have an owner";
    SlugTaken = 409 "slug_taken" Conflict "A project with this slug already exists";
    AlreadyPublished = 409 "already_published" Conflict "The project is already published under another slug";
    TooManyMembers = 409 "too_many_members" Conflict "The project has reached its member limit";
    EnvironmentBusy = 409 "environment_busy" Conflict "The environment is being deleted";
    EnvironmentRunning = 409 "environment_running" Conflict "The environment is running";
    EnvironmentNotRunning = 409 "environment_not_running" Conflict "The environment is not running";
    EnvironmentNameTaken = 409 "environment_name_taken" Conflict "The project already has an environment with this name";
    TooManyEnvironments = 409 "too_many_environments" Conflict "The environment limit is reached";
    TooManySessions = 409 "too_many_sessions" Conflict "The environment has reached its session limit";
    SessionClosed = 409 "session_closed" Conflict "The session has ended";
    NotATerminal = 409 "not_a_terminal" Conflict "Sessions of this type have no terminal";
    TerminalBusy = 409 "terminal_busy" Conflict "The terminal is already open on this connection";
    TooManyTerminals = 409 "too_many_terminals" Conflict "The connection has reached its terminal limit";
    TerminalRefused = 409 "terminal_refused" Conflict "The terminal cannot be opened";
    OtherDriver = 409 "other_driver" Conflict "The driver of this environment is not enabled";
    IdempotencyInProgress = 409 "idempotency_in_progress" Conflict "A request with this idempotency key is still in progress";
    PreconditionFailed = 412 "precondition_failed" Precondition "The resource has changed since you read it";
    PayloadTooLarge = 413 "payload_too_large" TooLarge "The request body is too large";
    UnsupportedMediaType = 415 "unsupported_media_type" MediaType "The request body must be application/json";
    ValidationFailed = 422 "validation_failed" Validation "Some fields are invalid";
    IdempotencyMismatch = 422 "idempotency_key_reused" Validation "The idempotency key was used for a different request";
    PreconditionRequired = 428 "precondition_required" Precondition "An If-Match header with the entity tag that you read is required";
    TooManyAttempts = 429 "too_many_attempts" RateLimit "Too many attempts";
    TooManyConnections = 429 "too_many_connections" RateLimit "Too many connections";
    TooManyEvents = 429 "too_many_events" RateLimit "Too many events";
    Internal = 500 "internal" Internal "Something went wrong on our side";
    Unavailable = 503 "unavailable" Unavailable "A dependency is unavailable";
    PlatformUnavailable = 503 "platform_unavailable" Unavailable "The platform is unavailable";
    Overloaded = 503 "overloaded" Unavailable "The service is busy";
    Timeout = 503 "timeout" Timeout "The request timed out";
}

/// The body of an error response (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank#<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One-line summary for people; the same for every problem of the service with this code.
    pub title: &'static str,
    /// HTTP status of the response.
    pub status: u16,
    /// Stable code for programs.
    pub code: &'static str,
    /// Explanation of this occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
    /// Path of the request. Problems from the edge omit it.
    #[schema(required = false)]
    pub instance: String,
    /// Identifier of the request and of its trace, as in the header `X-Request-Id`; quote it when you contact the operators.
    pub trace_id: String,
    /// The fields that failed validation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A problem as it appears in the acknowledgement of a Socket.IO event.
#[derive(Debug, Serialize)]
pub struct Brief<'a> {
    code: &'static str,
    title: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

/// An error that becomes a [`Problem`] response.
#[derive(Debug)]
pub struct ApiError {
    code: Code,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    retry_after: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// An error with a code and nothing else.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, errors: Vec::new(), retry_after: None, source: None }
    }

    /// A `validation_failed` error for these fields.
    #[must_use]
    pub fn validation(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Code::ValidationFailed) }
    }

    /// Explains this occurrence to the client. Not for 5xx: their cause goes to the log, see [`Self::source`].
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Sets `Retry-After`, at least 1 second.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Attaches the cause for the log; clients never see it.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The code that clients will receive.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The error for the acknowledgement of a Socket.IO event. Logs the cause: call it once.
    #[must_use]
    pub fn brief(&self) -> Brief<'_> {
        self.log();
        let Self { code, detail, errors, .. } = self;
        Brief { code: code.as_str(), title: code.title(), detail: detail.as_deref(), errors }
    }

    /// The HTTP status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn log(&self) {
        let source = self.source.as_deref().map(|source| source as &dyn Error);
        // Under overload, warnings about refusals would add work to every excess request. Metrics count the refusals instead.
        let is_excess = self.code == Code::Overloaded && source.is_none();
        match self.code.status() {
            500 => tracing::error!(code = self.code.as_str(), error = source, "request failed"),
            501.. if !is_excess => tracing::warn!(code = self.code.as_str(), error = source, "request refused"),
            _ => tracing::debug!(code = self.code.as_str(), error = source, "request refused"),
        }
    }
}

/// For store errors that a feature does not map to a code of its own.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Timeout => Self::new(Code::Unavailable).retry_after(1).source(error),
            StoreError::Contended => Self::new(Code::Overloaded).retry_after(1).source(error),
            StoreError::Conflict(_) | StoreError::Internal(_) => Self::new(Code::Internal).source(error),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InProgress => Self::new(Code::IdempotencyInProgress).retry_after(1),
            Refusal::Mismatch => Self::new(Code::IdempotencyMismatch),
            Refusal::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let context = RequestContext::current();
        let named = |context: RequestContext| (context.id().to_string(), context.uri.path().to_owned());
        let (trace_id, instance) = context.map_or_else(Default::default, named);
        self.log();
        let status = self.status();
        let Self { code, detail, errors, retry_after, source: _ } = self;
        let problem = Problem {
            kind: format!("about:blank#{}", code.as_str()),
            title: code.title(),
            status: code.status(),
            code: code.as_str(),
            detail,
            instance,
            trace_id,
            errors,
        };
        let mut response = (status, axum::Json(&problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"vitrine\""));
        }
        response.extensions_mut().insert(code.class());
        response.extensions_mut().insert(problem);
        response
    }
}
