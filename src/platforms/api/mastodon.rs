//! Mastodon's REST API. It tells nobody's e-mail.

use serde::Deserialize;

use super::{ApiFailure, Identity, Session};
use crate::metrics::labels::ApiEndpoint;

#[derive(Deserialize)]
struct Account {
    id: String,
    acct: String,
    display_name: String,
}

/// The account that the token is for.
pub async fn identity(session: &Session<'_>) -> Result<Identity, ApiFailure> {
    let account: Account = session.get(ApiEndpoint::Identity, "api/v1/accounts/verify_credentials").await?;
    Ok(Identity { subject: account.id, handle: account.acct, name: account.display_name, email: None })
}
