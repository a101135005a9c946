//! X: the user's identity, and posts. <https://docs.x.com/x-api/posts/create-post>

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use super::post::{length, publish, read};
use crate::body::Received;
use crate::oauth::Caller;
use crate::platform::Platform;
use crate::provider::Provider;

const LONGEST_POST: usize = 280;

pub fn routes() -> Router<Arc<Provider>> {
    Router::new().route("/2/users/me", get(me)).route("/2/tweets", post(tweet))
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "user.fields", default)]
    user: String,
}

#[derive(Deserialize)]
struct NewPost {
    text: String,
}

/// Public metrics are included only on request.
async fn me(State(provider): State<Arc<Provider>>, caller: Caller, Query(fields): Query<Fields>) -> Result<Json<Value>, Problem> {
    caller.require(&["users.read"])?;
    let account = caller.account();
    let mut data = json!({ "id": account.subject(Platform::X), "name": account.display_name(), "username": account.name });
    if fields.user.split(',').any(|field| field == "public_metrics") {
        data["public_metrics"] = json!({
            "followers_count": account.followers(Platform::X),
            "following_count": account.following(Platform::X),
            "tweet_count": provider.state().posts.count(&account.name),
            "listed_count": 0,
        });
    }
    Ok(Json(json!({ "data": data })))
}

async fn tweet(
    State(provider): State<Arc<Provider>>,
    caller: Caller,
    headers: HeaderMap,
    new: Received,
) -> Result<(StatusCode, Json<Value>), Problem> {
    caller.require(&["tweet.write"])?;
    let NewPost { text } = read(&provider, new)?;
    let refuse = |message| Problem::new(Platform::X, StatusCode::BAD_REQUEST, message);
    if text.trim().is_empty() {
        return Err(refuse("text is empty"));
    }
    if length(&text) > LONGEST_POST {
        return Err(refuse("text has more than 280 characters"));
    }
    let post = publish(&provider, &caller, &headers, &text)?;
    Ok((StatusCode::CREATED, Json(json!({ "data": { "id": post.id, "text": post.text } }))))
}
