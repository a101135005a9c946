//! `LinkedIn`: posts and followers. <https://learn.microsoft.com/linkedin/marketing/community-management/shares/posts-api>

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use super::post::{publish, read};
use crate::body::Received;
use crate::oauth::Caller;
use crate::platform::Platform;
use crate::provider::Provider;

const LONGEST_COMMENTARY: usize = 3000;

pub fn routes() -> Router<Arc<Provider>> {
    Router::new().route("/rest/posts", post(share)).route("/rest/memberFollowersCount", get(followers))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewPost {
    author: String,
    commentary: String,
    #[expect(dead_code, reason = "deserializing it checks its presence and value")]
    visibility: Visibility,
    #[expect(dead_code, reason = "the same as for `visibility`")]
    distribution: Distribution,
    #[expect(dead_code, reason = "the same as for `visibility`")]
    lifecycle_state: LifecycleState,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Visibility {
    Public,
    Connections,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Distribution {
    #[expect(dead_code, reason = "the same as for `visibility`")]
    feed_distribution: FeedDistribution,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum FeedDistribution {
    MainFeed,
    None,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum LifecycleState {
    Published,
}

async fn share(State(provider): State<Arc<Provider>>, caller: Caller, headers: HeaderMap, new: Received) -> Result<Response, Problem> {
    caller.require(&["w_member_social"])?;
    versions(&headers)?;
    let new: NewPost = read(&provider, new)?;
    let refuse = |status, message| Err(Problem::new(Platform::Linkedin, status, message));
    if new.author != format!("urn:li:person:{}", caller.account().subject(Platform::Linkedin)) {
        return refuse(StatusCode::FORBIDDEN, "author is not the account of the token");
    }
    let text = shown(&new.commentary);
    if text.chars().count() > LONGEST_COMMENTARY {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "commentary has more than 3000 characters");
    }
    let post = publish(&provider, &caller, &headers, &text)?;
    Ok((StatusCode::CREATED, [("x-restli-id", format!("urn:li:share:{}", post.id))]).into_response())
}

async fn followers(caller: Caller, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    caller.require(&["r_member_profileAnalytics"])?;
    versions(&headers)?;
    Ok(Json(json!({ "elements": [{ "memberFollowersCount": caller.account().followers(Platform::Linkedin) }] })))
}

/// Converts from `LinkedIn`'s "little text format", in which a backslash escapes the next character, to the displayed text.
fn shown(commentary: &str) -> String {
    let mut shown = String::new();
    let mut characters = commentary.chars();
    while let Some(character) = characters.next() {
        shown.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    shown
}

/// Checks two headers: the version of the API, which is a month, and the version of the protocol.
fn versions(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let refuse = |status, message| Err(Problem::new(Platform::Linkedin, status, message));
    match text("linkedin-version") {
        None => return refuse(StatusCode::BAD_REQUEST, "the header LinkedIn-Version is missing"),
        Some(version) if version.len() != 6 || !version.bytes().all(|byte| byte.is_ascii_digit()) => {
            return refuse(StatusCode::UPGRADE_REQUIRED, "LinkedIn-Version must be a month such as 202506");
        }
        Some(_) => {}
    }
    match text("x-restli-protocol-version") {
        Some("2.0.0") => Ok(()),
        _ => refuse(StatusCode::BAD_REQUEST, "X-Restli-Protocol-Version must be 2.0.0"),
    }
}
