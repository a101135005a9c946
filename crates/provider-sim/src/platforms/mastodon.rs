//! Mastodon: the user's identity, and statuses. <https://docs.joinmastodon.org/methods/statuses/>

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use super::Problem;
use super::post::{length, publish, read};
use crate::account::Account;
use crate::body::Received;
use crate::oauth::Caller;
use crate::pages::escape;
use crate::platform::Platform;
use crate::provider::Provider;

const LONGEST_STATUS: usize = 500;

pub fn routes() -> Router<Arc<Provider>> {
    Router::new().route("/api/v1/accounts/verify_credentials", get(verify_credentials)).route("/api/v1/statuses", post(status))
}

#[derive(Deserialize)]
struct NewStatus {
    #[serde(default)]
    status: String,
    #[serde(default)]
    visibility: Visibility,
}

#[derive(Clone, Copy, Default, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Visibility {
    #[default]
    Public,
    Unlisted,
    Private,
    Direct,
}

async fn verify_credentials(State(provider): State<Arc<Provider>>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.require(&["read:accounts", "read", "profile"])?;
    Ok(Json(profile(&provider, caller.account())))
}

async fn status(State(provider): State<Arc<Provider>>, caller: Caller, headers: HeaderMap, new: Received) -> Result<Json<Value>, Problem> {
    caller.require(&["write:statuses", "write"])?;
    let new: NewStatus = read(&provider, new)?;
    let refuse = |message| Problem::new(Platform::Mastodon, StatusCode::UNPROCESSABLE_ENTITY, message);
    if new.status.trim().is_empty() {
        return Err(refuse("Validation failed: Text can't be blank"));
    }
    if length(&new.status) > LONGEST_STATUS {
        return Err(refuse("Validation failed: Text character limit of 500 exceeded"));
    }
    let post = publish(&provider, &caller, &headers, &new.status)?;
    let (base, name) = (provider.issuer(), caller.account().path());
    Ok(Json(json!({
        "id": post.id,
        "uri": format!("{base}/users/{name}/statuses/{}", post.id),
        "url": format!("{base}/@{name}/{}", post.id),
        "content": format!("<p>{}</p>", escape(&post.text)),
        "created_at": post.at.format(&Rfc3339).unwrap_or_default(),
        "visibility": new.visibility,
        "account": profile(&provider, caller.account()),
    })))
}

fn profile(provider: &Provider, account: &Account) -> Value {
    json!({
        "id": account.subject(Platform::Mastodon),
        "username": account.name,
        "acct": account.name,
        "display_name": account.display_name(),
        "url": format!("{}/@{}", provider.issuer(), account.path()),
        "followers_count": account.followers(Platform::Mastodon),
        "following_count": account.following(Platform::Mastodon),
        "statuses_count": provider.state().posts.count(&account.name),
    })
}
