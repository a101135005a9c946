//! GitHub's REST API: the identity of a user. GitHub's OAuth apps do not support `OpenID` Connect.

use serde::Deserialize;

use super::{ApiFailure, Identity, Session};
use crate::metrics::labels::ApiEndpoint;

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    #[serde(rename = "email")]
    address: String,
    primary: bool,
    verified: bool,
}

/// The profile, and the primary e-mail address if it is verified. The address in the profile is not used: it may be hidden or outdated.
pub async fn identity(session: &Session<'_>) -> Result<Identity, ApiFailure> {
    let user: User = session.get(ApiEndpoint::Identity, "user").await?;
    let emails: Vec<Email> = session.get(ApiEndpoint::Identity, "user/emails").await?;
    let email = emails.into_iter().find(|email| email.primary && email.verified).map(|email| email.address);
    Ok(Identity { subject: user.id.to_string(), name: user.name.unwrap_or_else(|| user.login.clone()), handle: user.login, email })
}
