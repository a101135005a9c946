//! X's API, version 2 (docs.x.com). The adapter does not read e-mail addresses, which require the scope `users.email`.

use openidconnect::http::Method;
use serde::Deserialize;
use serde_json::json;

use super::session::understood;
use super::{ApiFailure, Identity, Insights, Message, Published, Session};
use crate::metrics::labels::ApiEndpoint;

/// Maximum length of a post, as the sum of the [`weight`]s of its characters.
pub const MAX_LENGTH: usize = 280;

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct User {
    id: String,
    name: String,
    username: String,
}

#[derive(Deserialize)]
struct Measured {
    public_metrics: Figures,
}

#[derive(Deserialize)]
struct Figures {
    followers_count: u64,
    tweet_count: u64,
}

#[derive(Deserialize)]
struct Post {
    id: String,
}

/// How much a character adds to the length of a post. The ranges with weight 1, mostly alphabets, are those of X's own library
/// `twitter-text`.
pub fn weight(character: char) -> usize {
    match character {
        '\0'..='\u{10ff}' | '\u{2000}'..='\u{200d}' | '\u{2010}'..='\u{201f}' | '\u{2032}'..='\u{2037}' => 1,
        _ => 2,
    }
}

/// The account that the token is for.
pub async fn identity(session: &Session<'_>) -> Result<Identity, ApiFailure> {
    let Answer { data: User { id, name, username } } = session.get(ApiEndpoint::Identity, "2/users/me").await?;
    Ok(Identity { subject: id, handle: username, name, email: None })
}

/// Publishes a post.
pub async fn publish(session: &Session<'_>, message: &Message<'_>, key: &str) -> Result<Published, ApiFailure> {
    let request = session.request(Method::POST, "2/tweets");
    let answer = session.post(request, key, &json!({ "text": message.to_string() })).await?;
    let Answer { data: Post { id } } = understood(&answer)?;
    // Check the identifier, because it becomes part of a URL.
    if !id.chars().all(|c| c.is_ascii_digit()) {
        return Err(ApiFailure::NotUnderstood);
    }
    Ok(Published { url: Some(format!("https://x.com/i/web/status/{id}")), remote_id: id })
}

/// The numbers of the account's followers and posts.
pub async fn insights(session: &Session<'_>) -> Result<Insights, ApiFailure> {
    let path = "2/users/me?user.fields=public_metrics";
    let Answer { data: Measured { public_metrics } } = session.get(ApiEndpoint::Insights, path).await?;
    Ok(Insights { followers: public_metrics.followers_count, posts: Some(public_metrics.tweet_count) })
}
