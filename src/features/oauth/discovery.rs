//! Metadata of an `OpenID` provider (`OpenID` Connect Discovery) and its signing keys.

use std::sync::Arc;
use std::time::Instant;

use oauth2::http::header::ACCEPT;
use oauth2::http::{self, Method};
use oauth2::{AuthUrl, TokenUrl};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJsonWebKeySet,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, IssuerUrl, ProviderMetadata};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::{Distrust, ProviderError};
use crate::metrics::labels::ApiEndpoint;
use crate::platforms::{Authority, Client, Settings};

/// Fields of the discovery document that the library does not define.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct More {
    /// Endpoint for token revocation (RFC 8414).
    revocation_endpoint: Option<Url>,
    /// Whether authorization responses contain the issuer (RFC 9207).
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for More {}

type Document = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// A provider's discovery document and signing keys. Clones share them.
#[derive(Clone)]
pub struct Metadata(Arc<(Document, CoreJsonWebKeySet)>);

/// Fetches a provider's discovery document and keys.
pub async fn fetch(client: &Client, settings: &Settings, deadline: Instant) -> Result<Metadata, ProviderError> {
    let Authority::Oidc { issuer, discovery_url } = &settings.authority else {
        return Err(ProviderError::ClientRefused("the platform has no discovery document".to_owned()));
    };
    let document: Document = get(client, settings, ApiEndpoint::Discovery, discovery_url, deadline).await?;
    // Without this check, a provider could impersonate another issuer (OpenID Connect Discovery, 4.3).
    if !is_same(issuer, document.issuer().as_str()) {
        return Err(Distrust::Issuer.into());
    }
    let keys = get(client, settings, ApiEndpoint::Keys, document.jwks_uri().url(), deadline).await?;
    Ok(Metadata(Arc::new((document, keys))))
}

async fn get<T: DeserializeOwned>(
    client: &Client,
    settings: &Settings,
    endpoint: ApiEndpoint,
    url: &Url,
    deadline: Instant,
) -> Result<T, ProviderError> {
    let request = http::Request::builder().method(Method::GET).uri(url.as_str()).header(ACCEPT, "application/json");
    let request = request.body(Vec::new()).map_err(|error| ProviderError::ClientRefused(error.to_string()))?;
    let answer = client.call(settings.platform, endpoint, request, deadline).await?;
    if !answer.status().is_success() {
        return Err(ProviderError::Unavailable { reason: format!("response status {}", answer.status().as_u16()), after: None });
    }
    serde_json::from_slice(answer.body())
        .map_err(|error| ProviderError::Unavailable { reason: format!("invalid response: {error}"), after: None })
}

/// Compares issuers literally, apart from the trailing slash that parsing adds to a URL.
pub fn is_same(expected: &Url, named: &str) -> bool {
    named == expected.as_str() || (expected.path() == "/" && named == expected.as_str().trim_end_matches('/'))
}

impl Metadata {
    pub fn authorization_endpoint(&self) -> AuthUrl {
        self.0.0.authorization_endpoint().clone()
    }

    pub fn token_endpoint(&self) -> Result<TokenUrl, ProviderError> {
        let missing = || ProviderError::ClientRefused("its discovery document has no token endpoint".to_owned());
        self.0.0.token_endpoint().cloned().ok_or_else(missing)
    }

    pub fn revocation_endpoint(&self) -> Option<Url> {
        self.0.0.additional_metadata().revocation_endpoint.clone()
    }

    /// Whether the provider adds its issuer to every authorization response.
    pub fn names_issuer(&self) -> bool {
        self.0.0.additional_metadata().authorization_response_iss_parameter_supported
    }

    /// Whether the provider accepts this client authentication method. True if the document has no list of methods: the default is
    /// `client_secret_basic`, and callers ask for no other method.
    pub fn takes(&self, method: &CoreClientAuthMethod) -> bool {
        self.0.0.token_endpoint_auth_methods_supported().is_none_or(|methods| methods.contains(method))
    }

    pub fn issuer(&self) -> IssuerUrl {
        self.0.0.issuer().clone()
    }

    pub fn keys(&self) -> CoreJsonWebKeySet {
        self.0.1.clone()
    }
}
