//! Validation of ID tokens (`OpenID` Connect Core, 3.1.3.7).

use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJwsSigningAlgorithm};
use openidconnect::{ClaimsVerificationError, ClientId, ClientSecret, Nonce, SignatureVerificationError};
use secrecy::ExposeSecret;

use super::discovery::Metadata;
use super::error::Distrust;
use crate::platforms::Settings;
use crate::platforms::api::Identity;

/// Asymmetric algorithms only. This excludes unsigned tokens (`none`) and signatures with our own client secret (HMAC).
const ALGORITHMS: [CoreJwsSigningAlgorithm; 4] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Validates an ID token and returns the identity in it.
pub fn read(settings: &Settings, metadata: &Metadata, statement: &CoreIdToken, nonce: &Nonce) -> Result<Identity, Distrust> {
    let (client, secret) =
        (ClientId::new(settings.client_id.clone()), ClientSecret::new(settings.client_secret.expose_secret().to_owned()));
    let verifier =
        CoreIdTokenVerifier::new_confidential_client(client, secret, metadata.issuer(), metadata.keys()).set_allowed_algs(ALGORITHMS);
    let claims = statement.claims(&verifier, nonce).map_err(|error| {
        tracing::warn!(platform = settings.platform.name(), error = &error as &dyn std::error::Error, "ID token rejected");
        distrust(&error)
    })?;
    let text = |value: Option<&str>| value.map(str::to_owned);
    let email = claims.email().filter(|_| claims.email_verified() == Some(true)).map(|email| email.to_string());
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.to_string());
    let handle = text(claims.preferred_username().map(|name| name.as_str())).or_else(|| email.clone()).or_else(|| name.clone());
    let subject = claims.subject().to_string();
    Ok(Identity { handle: handle.unwrap_or_else(|| subject.clone()), name: name.unwrap_or_default(), subject, email })
}

fn distrust(error: &ClaimsVerificationError) -> Distrust {
    match error {
        ClaimsVerificationError::InvalidIssuer(_) => Distrust::Issuer,
        ClaimsVerificationError::InvalidAudience(_) => Distrust::Audience,
        ClaimsVerificationError::InvalidNonce(_) => Distrust::Nonce,
        ClaimsVerificationError::Expired(_) => Distrust::Expired,
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => Distrust::UnknownKey,
        // Every other reason, including those that the library adds later, means that the token is invalid.
        _ => Distrust::Invalid,
    }
}
