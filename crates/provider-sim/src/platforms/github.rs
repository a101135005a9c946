//! GitHub: the user's identity. <https://docs.github.com/rest/users>

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Problem;
use crate::knobs::Lie;
use crate::oauth::Caller;
use crate::provider::Provider;

pub fn routes() -> Router<Arc<Provider>> {
    Router::new().route("/user", get(user)).route("/user/emails", get(emails))
}

/// The profile. `email` is null, because most users of GitHub hide their address. `/user/emails` returns the address.
async fn user(State(provider): State<Arc<Provider>>, caller: Caller) -> Json<Value> {
    let account = caller.account();
    Json(json!({
        "id": account.number(provider.platform),
        "login": account.name,
        "name": account.display_name(),
        "email": null,
        "html_url": format!("{}/{}", provider.issuer(), account.path()),
        "type": "User",
    }))
}

async fn emails(State(provider): State<Arc<Provider>>, caller: Caller) -> Result<Json<Value>, Problem> {
    caller.require(&["user:email", "user"])?;
    let lie = provider.state().knobs.lie;
    Ok(Json(match lie {
        Some(Lie::NoEmail) => json!([]),
        _ => json!([{
            "email": caller.account().email,
            "primary": true,
            "verified": lie != Some(Lie::UnverifiedEmail),
            "visibility": "private",
        }]),
    }))
}
