//! The simulator's own routes: its page, health, knobs, counts, notifications and published posts. No knob (see `knobs`) affects these
//! routes.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::body::{self, Received};
use crate::counts::Counts;
use crate::knobs::Knobs;
use crate::notifications::{Disorder, Kind, Notification, Sink};
use crate::pages;
use crate::platform::Platform;
use crate::posts::Post;
use crate::provider::Provider;

/// Everything that is simulated.
#[derive(Clone)]
pub struct Simulated {
    /// The platforms.
    pub providers: Arc<[Arc<Provider>]>,
    /// The receivers of alerts.
    pub sink: Arc<Sink>,
}

/// Routes for the simulator as a whole.
pub fn routes(simulated: Simulated) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/health", get(async || Json(json!({ "status": "ok" }))))
        .route("/knobs", get(knobs).delete(reset))
        .route("/knobs/{platform}", put(set))
        .route("/counts", get(counts))
        .route("/notifications", get(notifications).delete(clear_notifications))
        .with_state(simulated)
}

/// Routes for one platform, below its base URL.
pub fn posts() -> Router<Arc<Provider>> {
    Router::new().route("/posts", get(list_posts))
}

async fn home(State(all): State<Simulated>) -> Response {
    let platforms = all.each(|provider| {
        let state = provider.state();
        (state.knobs.clone(), state.counts)
    });
    pages::home(&platforms, &all.sink)
}

async fn knobs(State(all): State<Simulated>) -> Json<Map<String, Value>> {
    let platforms = all.providers.iter().map(|provider| (provider.platform.name(), json!(provider.state().knobs)));
    let receivers = Kind::ALL.into_iter().map(|kind| (kind.name(), json!(all.sink.disorder(kind))));
    Json(platforms.chain(receivers).map(|(name, knobs)| (name.to_owned(), knobs)).collect())
}

async fn reset(State(all): State<Simulated>) -> StatusCode {
    for provider in all.providers.iter() {
        provider.state().set_knobs(Knobs::default());
    }
    for kind in Kind::ALL {
        all.sink.set_disorder(kind, Disorder::default());
    }
    StatusCode::NO_CONTENT
}

async fn set(State(all): State<Simulated>, Path(name): Path<String>, knobs: Received) -> Response {
    if let Some(provider) = all.providers.iter().find(|provider| provider.platform.name() == name) {
        return answer(set_platform(provider, knobs));
    }
    match Kind::ALL.into_iter().find(|kind| kind.name() == name) {
        Some(kind) => answer(body::read(knobs).inspect(|disorder: &Disorder| all.sink.set_disorder(kind, *disorder))),
        None => refuse(StatusCode::NOT_FOUND, "no such platform or receiver"),
    }
}

fn set_platform(provider: &Provider, knobs: Received) -> Result<Knobs, (StatusCode, String)> {
    let knobs: Knobs = body::read(knobs)?;
    knobs.check(provider.platform).map_err(|reason| (StatusCode::UNPROCESSABLE_ENTITY, reason))?;
    provider.state().set_knobs(knobs.clone());
    Ok(knobs)
}

fn answer(result: Result<impl Serialize, (StatusCode, String)>) -> Response {
    match result {
        Ok(knobs) => Json(knobs).into_response(),
        Err((status, reason)) => refuse(status, &reason),
    }
}

async fn counts(State(all): State<Simulated>) -> Json<BTreeMap<Platform, Counts>> {
    Json(all.each(|provider| provider.state().counts))
}

async fn notifications(State(all): State<Simulated>) -> Json<Vec<Notification>> {
    Json(all.sink.all())
}

async fn clear_notifications(State(all): State<Simulated>) -> StatusCode {
    all.sink.clear();
    StatusCode::NO_CONTENT
}

async fn list_posts(State(provider): State<Arc<Provider>>) -> Json<Vec<Post>> {
    Json(provider.state().posts.all().to_vec())
}

impl Simulated {
    fn each<T>(&self, of: impl Fn(&Provider) -> T) -> BTreeMap<Platform, T> {
        self.providers.iter().map(|provider| (provider.platform, of(provider))).collect()
    }
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({ "error": reason }))).into_response()
}
