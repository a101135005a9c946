//! The application's ping. The reply shows a client that the service responds, not just that the transport is alive. The client can
//! also measure the round trip.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::client::Client;
use super::events::Events;
use crate::http::ApiError;
use crate::metrics::labels::{EventIn, EventOut};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ping {
    /// The time by the client's clock, in any unit; the reply repeats it.
    at: f64,
}

#[derive(Serialize)]
struct Pong {
    at: f64,
    /// Milliseconds since the Unix epoch.
    server_at: i64,
}

/// The handler of `ping`.
pub fn events() -> Events {
    Events::default().on(EventIn::Ping, &(), ping)
}

async fn ping((): (), client: Client, Ping { at }: Ping) -> Result<Pong, ApiError> {
    let now = OffsetDateTime::now_utc();
    let pong = Pong { at, server_at: now.unix_timestamp() * 1000 + i64::from(now.millisecond()) };
    let _slow = client.emit(EventOut::Pong, &pong);
    Ok(pong)
}
