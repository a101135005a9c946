//! Problems: the only place where an error becomes a status (RFC 9457, `application/problem+json`).
//!
//! Each [`Code`] is stable, has one status and one class. A body never tells the cause of a 5xx: it is logged here,
//! once, with the request's identifier. Domain errors are turned into [`ApiError`] in the feature's `routes.rs`.

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
use crate::metrics::labels::ErrorType;

/// Declares the codes: name, status, code, class, title.
macro_rules! codes {
    ($($name:ident = $status:literal $code:literal $class:ident $title:literal;)+) => {
        /// What went wrong, for programs. Codes are never renamed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $(#[doc = $title] $name,)+ }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name),+];
            /// The status that goes with the code.
            #[must_use]
            pub const fn status(self) -> u16 { match self { $(Self::$name => $status,)+ } }
            /// The code as clients read it.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $code,)+ } }
            /// The class under which it is counted.
            #[must_use]
            pub const fn class(self) -> ErrorType { match self { $(Self::$name => ErrorType::$class,)+ } }
            /// One line for people.
            #[must_use]
            pub const fn title(self) -> &'static str { match self { $(Self::$name => $title,)+ } }
        }
    };
}

impl Code {
    /// The classes of the problems with this status.
    #[must_use]
    pub fn classes(status: u16) -> Vec<ErrorType> {
        Self::ALL.iter().filter(|code| code.status() == status).map(|code| code.class()).collect()
    }
}

codes! {
    MalformedJson = 400 "malformed_json" BadRequest "The body is not JSON";
    InvalidQuery = 400 "invalid_query" BadRequest "A query parameter is not understood";
    InvalidCursor = 400 "invalid_cursor" BadRequest "The cursor is not one that a list answered";
    InvalidHeader = 400 "invalid_header" BadRequest "A header is not understood";
    OauthStateMissing = 400 "oauth_state_missing" Authentication "This browser has begun no sign-in with the platform";
    OauthStateMismatch = 400 "oauth_state_mismatch" Authentication "The answer belongs to another sign-in";
    OauthStateExpired = 400 "oauth_state_expired" Authentication "The sign-in was begun too long ago";
    OauthStateUsed = 400 "oauth_state_used" Authentication "The sign-in has been finished before";
    OauthIssuerMismatch = 400 "oauth_issuer_mismatch" Authentication "The answer comes from another issuer";
    OauthAudienceMismatch = 400 "oauth_audience_mismatch" Authentication "The identity was stated for somebody else";
    OauthNonceMismatch = 400 "oauth_nonce_mismatch" Authentication "The identity was stated for another sign-in";
    OauthTokenExpired = 400 "oauth_token_expired" Authentication "The statement of identity has expired";
    OauthTokenInvalid = 400 "oauth_token_invalid" Authentication "The statement of identity cannot be trusted";
    OauthCodeRefused = 400 "oauth_code_refused" Authentication "The platform does not accept its own code";
    ReturnToRefused = 400 "return_to_refused" BadRequest "The address to return to must be a path of this service";
    IncompleteBody = 400 "incomplete_body" BadRequest "The body ended early";
    Unauthenticated = 401 "unauthenticated" Authentication "Sign in first";
    InvalidToken = 401 "invalid_token" Authentication "The session is unknown or has ended";
    InvalidCredentials = 401 "invalid_credentials" Authentication "E-mail or password is wrong";
    Forbidden = 403 "forbidden" Authorization "Your role does not allow this";
    OauthDenied = 403 "oauth_denied" Authorization "The platform did not give its consent";
    EmailUnverified = 403 "email_unverified" Authorization "The platform vouches for no e-mail of this account";
    CrossSite = 403 "cross_site_request" Authorization "The request came from another site";
    NotFound = 404 "not_found" NotFound "There is nothing here";
    UnknownEvent = 404 "unknown_event" NotFound "There is no such event";
    MethodNotAllowed = 405 "method_not_allowed" Method "The route does not know this method";
    RequestTimeout = 408 "body_timeout" Timeout "The body did not arrive in time";
    EmailTaken = 409 "email_taken" Conflict "An account has this e-mail";
    IdentityTaken = 409 "identity_taken" Conflict "This identity is linked to another account";
    PlatformTaken = 409 "platform_taken" Conflict "The account is linked to another identity of this platform";
    SignedInAsOther = 409 "signed_in_as_other" Conflict "The link was begun by somebody who is not signed in any more";
    LastSignIn = 409 "last_sign_in" Conflict "The account could not be signed in to any more";
    NotLinked = 409 "not_linked" Conflict "The account is not linked to this platform";
    LinkExpired = 409 "link_expired" Conflict "The platform asks to be linked again";
    RefreshUnsupported = 409 "refresh_unsupported" Conflict "The platform gave nothing to refresh with";
    RefreshInProgress = 409 "refresh_in_progress" Conflict "The link is being refreshed";
    NotPublished = 409 "not_published" Conflict "The project is not published";
    OwnerRequired = 409 "owner_required" Conflict "A project keeps its owner";
    SlugTaken = 409 "slug_taken" Conflict "A project has this slug";
    AlreadyPublished = 409 "already_published" Conflict "The project is published under another slug";
    TooManyMembers = 409 "too_many_members" Conflict "The project has as many members as it may have";
    EnvironmentBusy = 409 "environment_busy" Conflict "The environment is being deleted";
    EnvironmentRunning = 409 "environment_running" Conflict "The environment is running";
    EnvironmentNotRunning = 409 "environment_not_running" Conflict "The environment is not running";
    EnvironmentNameTaken = 409 "environment_name_taken" Conflict "The project has an environment of this name";
    TooManyEnvironments = 409 "too_many_environments" Conflict "There are as many environments as there may be";
    TooManySessions = 409 "too_many_sessions" Conflict "The environment has as many sessions as it may have";
    SessionClosed = 409 "session_closed" Conflict "The session has ended";
    NotATerminal = 409 "not_a_terminal" Conflict "A session of this type has no terminal";
    TerminalBusy = 409 "terminal_busy" Conflict "This connection holds the terminal already";
    TooManyTerminals = 409 "too_many_terminals" Conflict "This connection holds as many terminals as it may";
    TerminalRefused = 409 "terminal_refused" Conflict "The terminal cannot be opened";
    OtherDriver = 409 "other_driver" Conflict "The environment is run by a driver that is not here";
    IdempotencyInProgress = 409 "idempotency_in_progress" Conflict "A request with this key is being answered";
    PreconditionFailed = 412 "precondition_failed" Precondition "It was changed since you read it";
    PayloadTooLarge = 413 "payload_too_large" TooLarge "The body is too large";
    UnsupportedMediaType = 415 "unsupported_media_type" MediaType "The body must be application/json";
    ValidationFailed = 422 "validation_failed" Validation "Some fields are not acceptable";
    IdempotencyMismatch = 422 "idempotency_key_reused" Validation "The key was used for another request";
    PreconditionRequired = 428 "precondition_required" Precondition "Send If-Match with the entity tag that you read";
    TooManyAttempts = 429 "too_many_attempts" RateLimit "Too many attempts";
    TooManyConnections = 429 "too_many_connections" RateLimit "Too many connections";
    TooManyEvents = 429 "too_many_events" RateLimit "Too many events";
    Internal = 500 "internal" Internal "Something went wrong here";
    Unavailable = 503 "unavailable" Unavailable "A part of the service is away";
    PlatformUnavailable = 503 "platform_unavailable" Unavailable "The platform is away";
    Overloaded = 503 "overloaded" Unavailable "The service is busy";
    Timeout = 503 "timeout" Timeout "The answer took too long";
}

/// One field that is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field in the body, such as `members.0.role`.
    pub field: String,
    /// Stable code, such as `too_long`.
    pub code: &'static str,
    /// One line for people.
    pub message: String,
}

/// An error body (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank#<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line for people; the same for every problem of a code.
    pub title: &'static str,
    /// The answer's status.
    pub status: u16,
    /// Stable code for programs.
    pub code: &'static str,
    /// What was wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'static, str>>,
    /// Path of the request; the edge leaves it out.
    #[schema(required = false)]
    pub instance: String,
    /// Identifier of the request: quote it to whoever operates the service.
    pub trace_id: String,
    /// The fields that are not acceptable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A problem as the acknowledgement of an event tells it.
#[derive(Debug, Serialize)]
pub struct Brief<'a> {
    code: &'static str,
    title: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

/// A problem on its way to a client.
#[derive(Debug)]
pub struct ApiError {
    code: Code,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    retry_after: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ApiError {
    /// A problem that says no more than its code.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, errors: Vec::new(), retry_after: None, source: None }
    }

    /// The fields of a body that are not acceptable.
    #[must_use]
    pub fn validation(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::new(Code::ValidationFailed) }
    }

    /// Says what was wrong this time. Not for 5xx: their cause is for the log.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Says after how many seconds another try makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The problem for a client that asked over Socket.IO; logs the cause, once.
    #[must_use]
    pub fn brief(&self) -> Brief<'_> {
        self.log("");
        let Self { code, detail, errors, .. } = self;
        Brief { code: code.as_str(), title: code.title(), detail: detail.as_deref(), errors }
    }

    /// The status that it will be answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn log(&self, id: &str) {
        let source = self.source.as_deref().map(|source| source as &dyn Error);
        match self.code.status() {
            500 => tracing::error!(code = self.code.as_str(), request_id = id, error = source, "request failed"),
            501.. => tracing::warn!(code = self.code.as_str(), request_id = id, error = source, "request refused"),
            _ => tracing::debug!(code = self.code.as_str(), request_id = id, error = source, "request refused"),
        }
    }
}

/// A failure of a store that the feature has no better word for.
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
        let (trace_id, instance) = context.map_or_else(Default::default, |context| (context.id(), context.uri.path().to_owned()));
        self.log(&trace_id);
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
