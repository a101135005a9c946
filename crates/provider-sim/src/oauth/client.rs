//! Authenticates the client, which is always Vitrine. The client sends its secret in a header or in the form (RFC 6749, 2.3.1), but not in
//! both.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use super::error::OAuthError;
use super::parameters::Parameters;
use crate::provider::Site;

/// Checks that the request comes from Vitrine.
///
/// # Errors
/// `invalid_client` if the credentials are missing, malformed or wrong. `invalid_request` if the header and the form both have credentials
/// or have different IDs, or if the form has a secret but no ID.
pub fn authenticate(site: &Site, headers: &HeaderMap, form: &Parameters) -> Result<(), OAuthError> {
    let (name, secret) = match (headers.get(AUTHORIZATION), form.get("client_secret")) {
        (Some(_), Some(_)) => return Err(OAuthError::InvalidRequest("the client uses two authentication methods".to_owned())),
        (Some(header), None) => {
            let proof = header
                .to_str()
                .ok()
                .and_then(basic)
                .ok_or(OAuthError::InvalidClient("the Authorization header must use the scheme Basic"))?;
            if form.get("client_id").is_some_and(|name| name != proof.0) {
                return Err(OAuthError::InvalidRequest("client_id differs from that of the Authorization header".to_owned()));
            }
            proof
        }
        (None, Some(secret)) => (form.require("client_id")?.to_owned(), secret.to_owned()),
        (None, None) => return Err(OAuthError::InvalidClient("client authentication is missing")),
    };
    if name == site.client_id && secret == site.client_secret {
        Ok(())
    } else {
        Err(OAuthError::InvalidClient("the client ID or the client secret is wrong"))
    }
}

/// Decodes the ID and the secret of a Basic header. The client form-encodes each of them before it joins them (RFC 6749, 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some((decode(name)?, decode(secret)?))
}

fn decode(text: &str) -> Option<String> {
    form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned())
}
