//! `LinkedIn`'s Posts API (learn.microsoft.com/linkedin/marketing). Who somebody is it states itself (`OpenID` Connect).

use openidconnect::http::Method;
use openidconnect::http::request::Builder;
use serde::Deserialize;
use serde_json::json;

use super::{ApiFailure, Insights, Message, Published, Session, understood};
use crate::metrics::labels::ApiEndpoint;

/// Characters of a post. A longer one would be cut without a word.
pub const LONGEST: usize = 3000;
/// The month whose API is spoken: each is kept for a year at least.
const VERSION: &str = "202603";
/// What begins something in `LinkedIn`'s own notation ("little text format"): unescaped it ends the text, or changes it.
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

/// A post for everybody. Its name comes in a header, and the body is empty.
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
    // It becomes part of an address.
    if !urn.starts_with("urn:li:") || !urn.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_')) {
        return Err(ApiFailure::NotUnderstood);
    }
    Ok(Published { remote_id: urn.to_owned(), url: Some(format!("https://www.linkedin.com/feed/update/{urn}/")) })
}

/// The account's followers; how much it has posted is told to nobody.
pub async fn insights(session: &Session<'_>) -> Result<Insights, ApiFailure> {
    let request = versioned(session, Method::GET, "rest/memberFollowersCount?q=me");
    let Answer { elements } = understood(&session.send(ApiEndpoint::Insights, request, Vec::new()).await?)?;
    let followers = elements.first().ok_or(ApiFailure::NotUnderstood)?.member_followers_count;
    Ok(Insights { followers, posts: None })
}

fn versioned(session: &Session<'_>, method: Method, path: &str) -> Builder {
    session.request(method, path).header("LinkedIn-Version", VERSION).header("X-Restli-Protocol-Version", "2.0.0")
}

/// A text that is shown as it is.
fn plain(text: &str) -> String {
    let escaped = |c: char| RESERVED.contains(c).then_some('\\').into_iter().chain([c]);
    text.chars().flat_map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_linkedin_is_escaped() {
        assert_eq!(plain("a (b) #c\n@d_é\\ 100%"), "a \\(b\\) \\#c\n\\@d\\_é\\\\ 100%");
    }
}
