//! The claims of ID tokens and of userinfo, including the lies about them.

use std::io;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::grants::Grant;
use crate::knobs::{ANOTHER_ISSUER, Lie};
use crate::provider::Provider;

/// Lifetime of an ID token in seconds.
const LIFETIME_S: i64 = 600;
/// Age in seconds of the ID token of [`Lie::Expired`]: it expired an hour ago.
const LONG_AGO_S: i64 = 3600 + LIFETIME_S;

/// The account's data as claims, limited to those that the scopes allow (`OpenID` Connect Core, 5.4).
pub fn person(provider: &Provider, grant: &Grant, scopes: &[&str]) -> Map<String, Value> {
    let lie = provider.state().knobs.lie;
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), grant.account.subject(provider.platform).into());
    if scopes.contains(&"email") && lie != Some(Lie::NoEmail) {
        claims.insert("email".to_owned(), grant.account.email.clone().into());
        claims.insert("email_verified".to_owned(), (lie != Some(Lie::UnverifiedEmail)).into());
    }
    if scopes.contains(&"profile") {
        claims.insert("name".to_owned(), grant.account.display_name().into());
        claims.insert("preferred_username".to_owned(), grant.account.name.clone().into());
    }
    claims
}

/// A signed ID token.
///
/// # Errors
/// When the key for a lie cannot be generated or encoded.
pub async fn id_token(provider: &Provider, grant: &Grant, scopes: &[&str], nonce: Option<String>) -> io::Result<String> {
    let lie = provider.state().knobs.lie;
    let mut claims = person(provider, grant, scopes);
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let issued_at = if lie == Some(Lie::Expired) { now - LONG_AGO_S } else { now };
    let issuer = if lie == Some(Lie::Issuer) { ANOTHER_ISSUER.to_owned() } else { provider.issuer() };
    let audience = if lie == Some(Lie::Audience) { "another-client" } else { &*provider.site.client_id };
    claims.insert("iss".to_owned(), issuer.into());
    claims.insert("aud".to_owned(), audience.into());
    claims.insert("iat".to_owned(), issued_at.into());
    claims.insert("exp".to_owned(), (issued_at + LIFETIME_S).into());
    match (lie, nonce) {
        (Some(Lie::NoNonce), _) | (_, None) => {}
        (Some(Lie::Nonce), Some(_)) => drop(claims.insert("nonce".to_owned(), json!("another-nonce"))),
        (_, Some(nonce)) => drop(claims.insert("nonce".to_owned(), nonce.into())),
    }
    provider.site.keys.sign(&claims, lie).await
}
