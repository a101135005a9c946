//! The application's ping: a client learns that the service, not only the transport, answers it, and how long that takes.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::client::Client;
use super::events::Events;
use crate::http::ApiError;
use crate::metrics::labels::{EventIn, EventOut};
use crate::state::AppState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ping {
    /// The client's own time, in whatever it counts.
    at: f64,
}

#[derive(Serialize)]
struct Pong {
    at: f64,
    /// Milliseconds since the Unix epoch.
    server_at: i128,
}

/// The events of this file.
pub fn events() -> Events {
    Events::default().on(EventIn::Ping, ping)
}

async fn ping(_: AppState, client: Client, Ping { at }: Ping) -> Result<Pong, ApiError> {
    let pong = Pong { at, server_at: OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000 };
    let _slow = client.emit(EventOut::Pong, &pong);
    Ok(pong)
}
