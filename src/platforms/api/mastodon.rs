//! Mastodon's REST API (docs.joinmastodon.org). It does not reveal e-mail addresses.

use openidconnect::http::Method;
use serde::Deserialize;
use serde_json::json;

use super::session::understood;
use super::{ApiFailure, Identity, Insights, Message, Published, Session};
use crate::metrics::labels::ApiEndpoint;

/// Maximum length of a post, in characters, with a server's default configuration.
pub const MAX_LENGTH: usize = 500;
const ACCOUNT: &str = "api/v1/accounts/verify_credentials";

#[derive(Deserialize)]
struct Account {
    id: String,
    acct: String,
    display_name: String,
}

#[derive(Deserialize)]
struct Figures {
    followers_count: u64,
    statuses_count: u64,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    url: Option<String>,
}

/// The account that the token is for.
pub async fn identity(session: &Session<'_>) -> Result<Identity, ApiFailure> {
    let account: Account = session.get(ApiEndpoint::Identity, ACCOUNT).await?;
    Ok(Identity { subject: account.id, handle: account.acct, name: account.display_name, email: None })
}

/// Publishes a post with the account's default visibility.
pub async fn publish(session: &Session<'_>, message: &Message<'_>, key: &str) -> Result<Published, ApiFailure> {
    let request = session.request(Method::POST, "api/v1/statuses");
    let answer = session.post(request, key, &json!({ "status": message.to_string() })).await?;
    let Status { id, url } = understood(&answer)?;
    Ok(Published { remote_id: id, url })
}

/// The numbers of the account's followers and posts.
pub async fn insights(session: &Session<'_>) -> Result<Insights, ApiFailure> {
    let Figures { followers_count, statuses_count } = session.get(ApiEndpoint::Insights, ACCOUNT).await?;
    Ok(Insights { followers: followers_count, posts: Some(statuses_count) })
}
