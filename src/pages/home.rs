//! The home page with live figures of the fleet, and the page that explains how the service works.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::frame::{Frame, render};
use super::showcase::Card;
use super::view::{count, duration};
use crate::heartbeat;
use crate::http::ApiError;
use crate::http::page::PageQuery;
use crate::state::AppState;

/// Maximum number of published projects on the page.
const NEWEST: usize = 6;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    requests: String,
    sockets: String,
    /// The number of replicas; if not all are ready, with the number of ready ones, such as `2 of 3`.
    count: String,
    replicas: Vec<Replica>,
    served_by: String,
    newest: Vec<Card>,
}

struct Replica {
    name: String,
    version: String,
    requests: String,
    sockets: String,
    uptime: String,
    is_ready: bool,
}

impl From<heartbeat::Replica> for Replica {
    fn from(replica: heartbeat::Replica) -> Self {
        let heartbeat::Replica { name, version, uptime_seconds, requests, sockets, is_ready } = replica;
        Self { name, version, requests: count(requests), sockets: count(sockets), uptime: duration(uptime_seconds), is_ready }
    }
}

/// Handles `GET /`.
pub async fn home(State(state): State<AppState>, frame: Frame) -> Result<Response, ApiError> {
    // `NEWEST` rows would be enough, but only the first page of the default size is cached.
    let entries = state.projects.showcase(PageQuery::default().validate()?).await?;
    let fleet = state.heartbeat.fleet();
    let (all, ready) = (fleet.replicas.len(), fleet.replicas.iter().filter(|replica| replica.is_ready).count());
    render(&HomePage {
        frame,
        requests: count(fleet.requests),
        sockets: count(fleet.sockets),
        count: if ready == all { all.to_string() } else { format!("{ready} of {all}") },
        served_by: fleet.served_by,
        replicas: fleet.replicas.into_iter().map(Into::into).collect(),
        newest: entries.into_iter().take(NEWEST).map(Into::into).collect(),
    })
}

#[derive(Template)]
#[template(path = "about.html")]
struct AboutPage {
    frame: Frame,
}

/// Handles `GET /about`.
pub async fn about(frame: Frame) -> Result<Response, ApiError> {
    render(&AboutPage { frame })
}
