//! The protocol with a platform's authorization server: authorization URL, code exchange, identity, refresh, revocation.
//!
//! `service` has the rules for linked accounts; [`platforms`](crate::platforms) sends the requests.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use moka::future::Cache;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use oauth2::http::{self, Method};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use openidconnect::core::{CoreClientAuthMethod, CoreTokenResponse};
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use url::Url;

use super::discovery::{self, Metadata};
use super::error::{Distrust, ProviderError};
use super::flow::Flow;
use super::identity;
use super::model::Tokens;
use crate::domain::Platform;
use crate::metrics::labels::ApiEndpoint;
use crate::platforms::api::Identity;
use crate::platforms::{Authority, CallError, Platforms, Request, Settings};

/// Time for which a discovery document and its keys are cached.
const METADATA_TIME: Duration = Duration::from_mins(10);

type Client<Addresses = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    CoreTokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    Addresses,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    Addresses,
>;

/// The authorization servers of all platforms. Clones share the cached metadata.
#[derive(Clone)]
pub struct Providers {
    platforms: Platforms,
    public_url: Url,
    metadata: Cache<Platform, Metadata>,
}

impl Providers {
    pub fn new(platforms: Platforms, public_url: Url) -> Self {
        let metadata = Cache::builder().time_to_live(METADATA_TIME).build();
        Self { platforms, public_url, metadata }
    }

    /// The configured platforms.
    pub fn platforms(&self) -> &Platforms {
        &self.platforms
    }

    /// The URL at which the platform asks the user for consent.
    pub async fn authorization_url(
        &self,
        settings: &Settings,
        flow: &Flow,
        challenge: PkceCodeChallenge,
        deadline: Instant,
    ) -> Result<Url, ProviderError> {
        let client = self.client(settings, deadline).await?;
        let request =
            client.authorize_url(|| flow.state()).add_scopes(settings.scopes.iter().cloned().map(Scope::new)).set_pkce_challenge(challenge);
        let request = match &settings.authority {
            Authority::Oidc { .. } => request.add_extra_param("nonce", flow.nonce.secret().clone()),
            Authority::OAuth2 { .. } => request,
        };
        Ok(request.url().0)
    }

    /// Checks that an authorization response comes from the expected issuer (RFC 9207). Checks only `OpenID` providers. Accepts a response
    /// without an issuer, unless the provider's metadata says that every response has one.
    pub async fn check_issuer(&self, settings: &Settings, issuer: Option<&str>, deadline: Instant) -> Result<(), ProviderError> {
        let Authority::Oidc { issuer: expected, .. } = &settings.authority else { return Ok(()) };
        let named = match issuer {
            Some(issuer) => discovery::is_same(expected, issuer),
            None => !self.metadata(settings, deadline).await?.names_issuer(),
        };
        if named { Ok(()) } else { Err(Distrust::Issuer.into()) }
    }

    /// Exchanges a code for tokens and the identity of the user.
    pub async fn exchange(
        &self,
        settings: &Settings,
        code: String,
        verifier: PkceCodeVerifier,
        flow_nonce: &openidconnect::Nonce,
        deadline: Instant,
    ) -> Result<(Tokens, Identity), ProviderError> {
        let client = self.client(settings, deadline).await?;
        let channel = self.platforms.client().channel(settings.platform, ApiEndpoint::Token, deadline);
        let request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        let answer = request.request_async(&channel).await.map_err(|error| refusal(settings, error))?;
        let tokens = tokens(settings, &answer);
        let identity = match &settings.authority {
            Authority::Oidc { .. } => {
                let statement = answer.extra_fields().id_token().ok_or(Distrust::Invalid)?;
                let metadata = self.metadata(settings, deadline).await?;
                match identity::read(settings, &metadata, statement, flow_nonce) {
                    // The key may be newer than the cached metadata.
                    Err(Distrust::UnknownKey) => {
                        self.metadata.invalidate(&settings.platform).await;
                        identity::read(settings, &self.metadata(settings, deadline).await?, statement, flow_nonce)?
                    }
                    read => read?,
                }
            }
            Authority::OAuth2 { .. } => self.platforms.session(settings, &tokens.access, deadline).identity().await?,
        };
        Ok((tokens, identity))
    }

    /// Exchanges a refresh token for new tokens. On some platforms, a refresh token works only once.
    pub async fn refresh(&self, settings: &Settings, refresh: &SecretString, deadline: Instant) -> Result<Tokens, ProviderError> {
        let client = self.client(settings, deadline).await?;
        let channel = self.platforms.client().channel(settings.platform, ApiEndpoint::Token, deadline);
        let refresh = RefreshToken::new(refresh.expose_secret().to_owned());
        let answer = client.exchange_refresh_token(&refresh).request_async(&channel).await.map_err(|error| refusal(settings, error))?;
        Ok(tokens(settings, &answer))
    }

    /// Revokes a token (RFC 7009). Returns false when the platform does not support revocation.
    pub async fn revoke(&self, settings: &Settings, token: &SecretString, hint: &str, deadline: Instant) -> Result<bool, ProviderError> {
        let url = match &settings.authority {
            Authority::OAuth2 { revocation_url, .. } => revocation_url.clone(),
            Authority::Oidc { .. } => self.metadata(settings, deadline).await?.revocation_endpoint(),
        };
        let Some(url) = url else { return Ok(false) };
        let authentication = self.authentication(settings, deadline).await?;
        let request = revocation(settings, &url, token, hint, &authentication)?;
        let answer = self.platforms.client().call(settings.platform, ApiEndpoint::Revocation, request, deadline).await?;
        match answer.status().as_u16() {
            200..300 => Ok(true),
            status @ (408 | 429 | 500..) => Err(ProviderError::Unavailable { reason: format!("response status {status}"), after: None }),
            status => Err(ProviderError::ClientRefused(format!("response status {status}"))),
        }
    }

    async fn metadata(&self, settings: &Settings, deadline: Instant) -> Result<Metadata, ProviderError> {
        let fetch = discovery::fetch(self.platforms.client(), settings, deadline);
        self.metadata.try_get_with(settings.platform, fetch).await.map_err(|error| match &*error {
            ProviderError::Distrusted(distrust) => ProviderError::Distrusted(*distrust),
            error => ProviderError::Unavailable { reason: error.to_string(), after: None },
        })
    }

    /// The client authentication method of a platform.
    async fn authentication(&self, settings: &Settings, deadline: Instant) -> Result<AuthType, ProviderError> {
        let is_basic = match &settings.authority {
            Authority::Oidc { .. } => self.metadata(settings, deadline).await?.takes(&CoreClientAuthMethod::ClientSecretBasic),
            // As each platform's documentation requires.
            Authority::OAuth2 { .. } => settings.platform == Platform::X,
        };
        Ok(if is_basic { AuthType::BasicAuth } else { AuthType::RequestBody })
    }

    async fn client(&self, settings: &Settings, deadline: Instant) -> Result<Client<EndpointSet>, ProviderError> {
        let (authorization, token) = match &settings.authority {
            Authority::Oidc { .. } => {
                let metadata = self.metadata(settings, deadline).await?;
                (metadata.authorization_endpoint(), metadata.token_endpoint()?)
            }
            Authority::OAuth2 { authorization_url, token_url, .. } => {
                (AuthUrl::from_url(authorization_url.clone()), TokenUrl::from_url(token_url.clone()))
            }
        };
        let callback = format!("{}/api/oauth/{}/callback", self.public_url.as_str().trim_end_matches('/'), settings.platform.name());
        let callback = RedirectUrl::new(callback).map_err(|error| ProviderError::ClientRefused(error.to_string()))?;
        Ok(<Client>::new(ClientId::new(settings.client_id.clone()))
            .set_client_secret(ClientSecret::new(settings.client_secret.expose_secret().to_owned()))
            .set_auth_type(self.authentication(settings, deadline).await?)
            .set_auth_uri(authorization)
            .set_token_uri(token)
            .set_redirect_uri(callback))
    }
}

fn revocation(
    settings: &Settings,
    url: &Url,
    token: &SecretString,
    hint: &str,
    authentication: &AuthType,
) -> Result<Request, ProviderError> {
    let (id, secret) = (settings.client_id.as_str(), settings.client_secret.expose_secret());
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([("token", token.expose_secret()), ("token_type_hint", hint)]);
    let mut request = http::Request::builder()
        .method(Method::POST)
        .uri(url.as_str())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json");
    if matches!(authentication, AuthType::BasicAuth) {
        request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(basic(id, secret))));
    } else {
        form.extend_pairs([("client_id", id), ("client_secret", secret)]);
    }
    request.body(form.finish().into_bytes()).map_err(|error| ProviderError::ClientRefused(error.to_string()))
}

/// The credentials for Basic authentication, before Base64. Identifier and secret are form-encoded (RFC 6749, 2.3.1).
fn basic(id: &str, secret: &str) -> String {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("{}:{}", encoded(id), encoded(secret))
}

fn tokens(settings: &Settings, answer: &CoreTokenResponse) -> Tokens {
    let given = answer.scopes().map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect());
    Tokens {
        access: answer.access_token().secret().clone().into(),
        refresh: answer.refresh_token().map(|token| token.secret().clone().into()),
        expires_at: answer.expires_in().map(|time| OffsetDateTime::now_utc() + time),
        // A response without scopes grants the requested ones (RFC 6749, 5.1).
        scopes: given.unwrap_or_else(|| settings.scopes.clone()),
    }
}

fn refusal(settings: &Settings, error: RequestTokenError<CallError, BasicErrorResponse>) -> ProviderError {
    match error {
        RequestTokenError::ServerResponse(refusal) => refused(refusal.error().as_ref()),
        RequestTokenError::Request(error) => error.into(),
        RequestTokenError::Parse(error, body) => misread(settings, &error.to_string(), &body),
        RequestTokenError::Other(reason) => ProviderError::Unavailable { reason, after: None },
    }
}

fn misread(settings: &Settings, error: &str, body: &[u8]) -> ProviderError {
    let parsed: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    match (parsed["error"].as_str(), &settings.authority) {
        // GitHub sends errors with status 200.
        (Some(error), _) => refused(error),
        (None, Authority::Oidc { .. }) if parsed["id_token"].is_string() => Distrust::Invalid.into(),
        (None, _) => ProviderError::Unavailable { reason: format!("invalid response: {error}"), after: None },
    }
}

/// Maps error codes of RFC 6749, 4.1.2.1 and 5.2, and GitHub's error codes for an invalid authorization code or refresh token.
fn refused(error: &str) -> ProviderError {
    match error {
        "invalid_grant" | "bad_verification_code" | "bad_refresh_token" => ProviderError::GrantRefused,
        "temporarily_unavailable" | "server_error" => ProviderError::Unavailable { reason: error.to_owned(), after: None },
        other => ProviderError::ClientRefused(other.to_owned()),
    }
}
