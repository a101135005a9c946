//! The page that says what this is, with the fleet's numbers as they are now; and the one that says how it works.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::frame::{Frame, render};
use super::showcase::Card;
use super::view::{count, duration};
use crate::http::ApiError;
use crate::http::page::PageQuery;
use crate::pulse;
use crate::state::AppState;

/// Published projects that the page shows.
const NEWEST: usize = 6;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    requests: String,
    sockets: String,
    /// How many replicas there are, and how many of them are ready when not all are.
    count: String,
    replicas: Vec<Replica>,
    served_by: String,
    newest: Vec<Card>,
}

/// A replica as the page lists it.
struct Replica {
    name: String,
    version: String,
    requests: String,
    sockets: String,
    uptime: String,
    is_ready: bool,
}

impl From<pulse::Replica> for Replica {
    fn from(replica: pulse::Replica) -> Self {
        let pulse::Replica { name, version, uptime_seconds, requests, sockets, is_ready } = replica;
        Self { name, version, requests: count(requests), sockets: count(sockets), uptime: duration(uptime_seconds), is_ready }
    }
}

/// What this is.
pub async fn home(State(state): State<AppState>, frame: Frame) -> Result<Response, ApiError> {
    // The page of the list that is asked for most, so that it comes from the cache.
    let entries = state.projects.showcase(PageQuery::default().slice()?).await?;
    let fleet = state.pulse.fleet();
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

/// How it is built and observed.
pub async fn about(frame: Frame) -> Result<Response, ApiError> {
    render(&AboutPage { frame })
}
