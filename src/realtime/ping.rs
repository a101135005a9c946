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
    server_at: i64,
}

/// The events of this file.
pub fn events() -> Events {
    Events::default().on(EventIn::Ping, ping)
}

async fn ping(_: AppState, client: Client, Ping { at }: Ping) -> Result<Pong, ApiError> {
    let now = OffsetDateTime::now_utc();
    let pong = Pong { at, server_at: now.unix_timestamp() * 1000 + i64::from(now.millisecond()) };
    let _slow = client.emit(EventOut::Pong, &pong);
    Ok(pong)
}
