//! The simulator's own routes: what it does wrong, what it has done, how it is. No knob touches them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::json;

use crate::body::{self, Received};
use crate::counts::Counts;
use crate::knobs::Knobs;
use crate::pages;
use crate::platform::Platform;
use crate::posts::Post;
use crate::provider::Provider;

type Providers = Arc<[Arc<Provider>]>;

/// What concerns all platforms.
pub fn routes(providers: Providers) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/knobs", get(knobs).delete(reset))
        .route("/knobs/{platform}", put(turn))
        .route("/counts", get(counts))
        .with_state(providers)
}

/// What concerns one platform, below its address.
pub fn posts() -> Router<Arc<Provider>> {
    Router::new().route("/posts", get(list))
}

async fn home(State(providers): State<Providers>) -> Response {
    pages::home(&each(&providers, |provider| {
        let state = provider.state();
        (state.knobs.clone(), state.counts)
    }))
}

async fn knobs(State(providers): State<Providers>) -> Json<BTreeMap<Platform, Knobs>> {
    Json(each(&providers, |provider| provider.state().knobs.clone()))
}

async fn reset(State(providers): State<Providers>) -> StatusCode {
    for provider in providers.iter() {
        provider.state().set_knobs(Knobs::default());
    }
    StatusCode::NO_CONTENT
}

async fn turn(State(providers): State<Providers>, Path(name): Path<String>, knobs: Received) -> Response {
    let Some(provider) = providers.iter().find(|provider| provider.platform.name() == name) else {
        return refuse(StatusCode::NOT_FOUND, "there is no such platform");
    };
    let knobs: Knobs = match body::read(knobs) {
        Ok(knobs) => knobs,
        Err((status, reason)) => return refuse(status, &reason),
    };
    if let Err(wish) = knobs.check(provider.platform) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &wish);
    }
    provider.state().set_knobs(knobs.clone());
    Json(knobs).into_response()
}

async fn counts(State(providers): State<Providers>) -> Json<BTreeMap<Platform, Counts>> {
    Json(each(&providers, |provider| provider.state().counts))
}

async fn list(State(provider): State<Arc<Provider>>) -> Json<Vec<Post>> {
    Json(provider.state().posts.all().to_vec())
}

fn each<T>(providers: &Providers, of: impl Fn(&Provider) -> T) -> BTreeMap<Platform, T> {
    providers.iter().map(|provider| (provider.platform, of(provider))).collect()
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "error": reason }))).into_response()
}
