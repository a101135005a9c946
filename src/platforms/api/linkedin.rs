//! `LinkedIn`'s Posts API (learn.microsoft.com/linkedin/marketing). Identities come from `OpenID` Connect instead.

use openidconnect::http::Method;
use openidconnect::http::request::Builder;
use serde::Deserialize;
use serde_json::json;

use super::session::understood;
use super::{ApiFailure, Insights, Message, Published, Session};
use crate::metrics::labels::ApiEndpoint;

/// Maximum length of a post, in characters.
pub const MAX_LENGTH: usize = 3000;
/// The version of the API in use, as year and month. `LinkedIn` supports each version for at least a year.
const VERSION: &str = "202603";
/// The reserved characters of `LinkedIn`'s "little text format": unescaped, they truncate or change the text.
const RESERVED: &str = r"|{}@[]()<>#\*_~";

#[derive(Deserialize)]
struct Answer {
    elements: Vec<Element>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Element {
    member_followers_count: u64,
}

/// Publishes a public post. The response contains the post's identifier in a header, and has an empty body.
pub async fn publish(session: &Session<'_>, message: &Message<'_>, subject: &str, key: &str) -> Result<Published, ApiFailure> {
    let body = json!({
        "author": format!("urn:li:person:{subject}"),
        "commentary": plain(&message.to_string()),
        "visibility": "PUBLIC",
        "distribution": { "feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": [] },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": false,
    });
    let answer = session.post(versioned(session, Method::POST, "rest/posts"), key, &body).await?;
    let urn = answer.headers().get("x-restli-id").and_then(|urn| urn.to_str().ok()).unwrap_or_default();
    // Check the identifier, because it becomes part of a URL.
    if !urn.starts_with("urn:li:") || !urn.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_')) {
        return Err(ApiFailure::NotUnderstood);
    }
    Ok(Published { remote_id: urn.to_owned(), url: Some(format!("https://www.linkedin.com/feed/update/{urn}/")) })
}

/// The number of the account's followers; the API does not reveal the number of posts.
pub async fn insights(session: &Session<'_>) -> Result<Insights, ApiFailure> {
    let request = versioned(session, Method::GET, "rest/memberFollowersCount?q=me");
    let Answer { elements } = understood(&session.send(ApiEndpoint::Insights, request, Vec::new()).await?)?;
    let followers = elements.first().ok_or(ApiFailure::NotUnderstood)?.member_followers_count;
    Ok(Insights { followers, posts: None })
}

fn versioned(session: &Session<'_>, method: Method, path: &str) -> Builder {
    session.request(method, path).header("LinkedIn-Version", VERSION).header("X-Restli-Protocol-Version", "2.0.0")
}

/// Escapes a text, so that it is shown verbatim.
fn plain(text: &str) -> String {
    let escaped = |c: char| RESERVED.contains(c).then_some('\\').into_iter().chain([c]);
    text.chars().flat_map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_characters_are_escaped() {
        assert_eq!(plain("a (b) #c\n@d_é\\ 100%"), "a \\(b\\) \\#c\n\\@d\\_é\\\\ 100%");
    }
}
